"""Signing keys as files, and the commands that make, replace and use them."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

pytest.importorskip("tuf", reason="the extra `update` is not installed")

from edge_runtime.inference.bundle import default_set
from model_build.cli import main
from model_build.errors import KeyFileError, ReleaseError
from model_build.release.keys import KeyFolders
from model_build.release.options import PASSPHRASE_VARIABLE
from model_build.release.publishing import set_files
from tests.edge_runtime.update.publisher import PASSPHRASE, Publisher, release
from tests.firmware_bridge.flash.signing import make_key, sign


def model_build(*arguments: str | Path, passphrase: str | None = PASSPHRASE) -> Result:
    environment = {PASSPHRASE_VARIABLE: passphrase}
    result = CliRunner().invoke(main, [str(one) for one in arguments], env=environment)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture
def places(tmp_path: Path) -> list[str | Path]:
    return ["--repository", tmp_path / "repository", "--keys", tmp_path / "keys"]


def test_the_ceremony(places: list[str | Path], tmp_path: Path) -> None:
    made = model_build("keys", "init", *places)
    assert made.exit_code == 0, made.stderr
    assert "root-1, root-2, root-3" in made.stdout
    keys = sorted(file.name for file in (tmp_path / "keys").iterdir())
    assert keys == [
        *(f"root-{n}.pem" for n in (1, 2, 3)),
        "snapshot-1.pem",
        "targets-1.pem",
        "timestamp-1.pem",
    ]
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in (tmp_path / "keys").iterdir())
    again = model_build("keys", "init", *places)
    assert again.exit_code == 1
    assert "holds a repository already" in again.stderr
    published = model_build("publish", default_set(), *places)
    assert published.exit_code == 0, published.stderr
    assert "set.toml" in published.stdout
    rotated = model_build("keys", "rotate", "timestamp-1", *places)
    assert "timestamp-1 counts no more, timestamp-2 does" in rotated.stdout
    revoked = model_build("keys", "revoke", "targets-1", *places)
    assert "targets-2" in revoked.stdout
    assert "set.toml" in revoked.stdout
    named = model_build("keys", "list", *places).stdout
    assert "timestamp-2" in named
    assert "targets-1" not in named
    assert model_build("keys", "renew", *places).exit_code == 0


def test_one_root_key_is_not_enough_and_changes_nothing(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path)
    for name in ("root-1", "root-3"):
        (tmp_path / "keys" / f"{name}.pem").unlink()
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    for name in ("targets-1", "root-1"):
        with pytest.raises(KeyFileError, match="1 of the 2 root keys"):
            publisher.desk().replace_key(name)
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before


def test_without_the_online_keys_a_targets_key_is_not_replaced(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path)
    (tmp_path / "keys" / "timestamp-1.pem").unlink()
    with pytest.raises(KeyFileError, match="timestamp-1"):
        publisher.desk().replace_key("targets-1")
    assert publisher.desk().key_names()["targets"] == ("targets-1",)


def test_keys_in_several_places(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path)
    keys = tmp_path / "keys"
    for place, names in {"safe": ["root-1"], "bank": ["root-3"], "desk": ["targets-1"]}.items():
        (tmp_path / place).mkdir()
        for name in names:
            (keys / f"{name}.pem").rename(tmp_path / place / f"{name}.pem")
    publisher.key_folders = [tmp_path / "desk", keys, tmp_path / "safe", tmp_path / "bank"]
    assert publisher.desk().replace_key("root-2") == "root-4"
    assert (tmp_path / "desk" / "root-4.pem").is_file()
    publisher.publish("0.3.0")


def test_an_online_key_is_enough_to_renew(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path)
    for name in ("root-1", "root-2", "root-3", "targets-1"):
        (tmp_path / "keys" / f"{name}.pem").unlink()
    publisher.desk().renew()
    with pytest.raises(KeyFileError, match=r"targets-1\.pem"):
        publisher.publish("0.3.0")


def test_keys_that_cannot_be_used(tmp_path: Path) -> None:
    Publisher(tmp_path)
    folder = tmp_path / "keys"
    with pytest.raises(KeyFileError, match="wrong passphrase"):
        KeyFolders([folder], "another passphrase").open("root-1")
    with pytest.raises(KeyFileError, match="8 characters"):
        KeyFolders([folder], "short")
    with pytest.raises(KeyFileError, match="never overwritten"):
        KeyFolders([folder], PASSPHRASE).make("root-1")
    plain = make_key(tmp_path, "plain").private
    plain.rename(folder / "plain-1.pem")
    with pytest.raises(KeyFileError, match="not encrypted"):
        KeyFolders([folder], PASSPHRASE).open("plain-1")
    with pytest.raises(KeyFileError, match="no key of this repository"):
        Publisher(tmp_path / "other").desk().replace_key("root-9")


def test_a_set_that_is_no_newer_is_not_published(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path)
    publisher.publish("0.3.0")
    with pytest.raises(ReleaseError, match="is no newer"):
        set_files(release(tmp_path / "again", "0.3.0"), publisher.desk().targets())
    with pytest.raises(ReleaseError, match="export it with one as"):
        set_files(release(tmp_path / "odd", "newest"), {})


def test_a_published_version_never_changes(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path)
    publisher.publish("0.3.0")
    folder = tmp_path / "set-0.3.0"
    (folder / "conditioning.toml").write_text("# changed\n")
    with pytest.raises(ReleaseError, match="is published and differs"):
        publisher.publish_folder(folder, "0.3.0")


def test_firmware_is_published_as_what_it_says_it_is(
    places: list[str | Path], tmp_path: Path
) -> None:
    site = make_key(tmp_path)
    image = sign(tmp_path, b"firmware" * 200, site, version="1.4.0", board="ecg-board")
    assert model_build("keys", "init", *places).exit_code == 0
    done = model_build("publish", *places, "--firmware", image, "--model", "chest-1", "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["published"] == ["firmware/ecg-board/1.4.0/1.4.0.signed.bin"]
    gone = model_build("publish", *places, "--withdraw", "firmware/ecg-board/")
    assert "withdrawn firmware/ecg-board/1.4.0/1.4.0.signed.bin" in gone.stdout
    assert model_build("publish", *places, "--withdraw", "firmware/").exit_code == 1
    assert model_build("publish", *places).exit_code == 2
    assert model_build("publish", *places, "--refresh").exit_code == 0
