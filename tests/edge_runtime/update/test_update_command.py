"""`edge-runtime update` and `bundles`, from a signed repository to the set that runs."""

import hashlib
import json
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge_runtime.config import Config, structure
from edge_runtime.errors import UpdateError
from edge_runtime.update.choice import first_set
from edge_runtime.update.root import read_root
from edge_runtime.update.shelf import SHIPPED, Shelf
from edge_runtime.update.staging import only_update
from tests.edge_runtime.cli.running import edge_runtime
from tests.edge_runtime.store.making import Recording
from tests.edge_runtime.update.on_shelf import keep
from tests.edge_runtime.update.publisher import Publisher, release
from tests.edge_runtime.update.stored import store_golden_signal
from tests.firmware_bridge.flash.signing import make_key, sign


class Site:
    """A device's state directory and its configuration."""

    def __init__(self, publisher: Publisher, folder: Path) -> None:
        self.publisher = publisher
        self.state = folder / "state"
        self.root = folder / "etc" / "root.json"
        self.shelf = Shelf(self.state)
        self.settings = {
            "store.directory": str(self.state),
            "update.repository": publisher.url,
            "update.root": str(self.root),
        }
        first = folder / "root.json"
        first.write_bytes(publisher.first_root)
        trusted = self("update", "--trust", first)
        assert trusted.exit_code == 0, trusted.stderr

    @property
    def config(self) -> Config:
        return structure({"store": {"directory": str(self.state)}})

    def __call__(self, *words: str | Path):  # type: ignore[no-untyped-def]
        settings = [w for k, v in self.settings.items() for w in ("--set", f"{k}={v}")]
        return edge_runtime(*words, *settings)


@pytest.fixture
def site(publisher: Publisher, tmp_path: Path) -> Site:
    return Site(publisher, tmp_path)


def test_an_update_from_end_to_end(site: Site) -> None:
    store_golden_signal(site.state)
    planned = site("update", "--plan")
    assert planned.exit_code == 0, planned.stderr
    assert "offered 8.3.0: to be fetched" in planned.stdout
    assert not (site.shelf.folder / "sets").exists()
    done = site("update", "--json")
    assert done.exit_code == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["staged"].startswith("default-8.3.0-")
    assert "golden vectors are reproduced on this machine" in done.stderr
    assert "100.00% found again, 100.00% of the same class" in done.stderr
    assert first_set(site.config).id == answer["staged"]
    again = site("update")
    assert "8.3.0: up to date" in again.stdout
    listed = json.loads(site("bundles", "list", "--json").stdout)["sets"]
    assert listed[answer["staged"]] == {
        "version": "8.3.0",
        "origin": "signed",
        "role": "runs on trial",
    }
    assert listed[SHIPPED]["role"] == "before"
    back = site("bundles", "rollback")
    assert back.exit_code == 0, back.stderr
    assert first_set(site.config).id == SHIPPED


def test_a_set_whose_golden_vectors_do_not_hold_is_refused_and_remembered(
    site: Site, tmp_path: Path
) -> None:
    bad = release(tmp_path / "bad", "8.4.0")
    manifest = bad / "beats" / "manifest.toml"
    swapped = manifest.read_text().replace('["N", "S", "V"', '["V", "S", "N"')
    manifest.write_text(swapped)
    _seal(bad)
    site.publisher.publish_folder(bad, "8.4.0")
    refused = site("update")
    assert refused.exit_code == 3
    assert "does not reproduce its golden vectors" in refused.stderr
    assert first_set(site.config).id == SHIPPED
    again = site("update")
    assert again.exit_code == 1
    assert "was rejected on this device before" in again.stderr
    assert "rejected" in site("bundles", "list").stdout
    assert site("bundles", "forget").exit_code == 0
    assert site.shelf.state().rejected == {}


def _seal(folder: Path) -> None:
    digest = hashlib.sha256((folder / "beats" / "manifest.toml").read_bytes()).hexdigest()
    text = (folder / "set.toml").read_text()
    sealed = re.sub(r'("beats/manifest.toml" = )"\w+"', rf'\1"{digest}"', text)
    (folder / "set.toml").write_text(sealed)


def test_a_set_under_another_name_is_refused(site: Site) -> None:
    site.publisher.publish_folder(site.publisher.folder / "set-8.3.0", "8.9.0")
    refused = site("update")
    assert refused.exit_code == 1
    assert "offers default 8.9.0, but its files are default 8.3.0" in refused.stderr


def test_firmware_comes_the_same_way(site: Site, tmp_path: Path) -> None:
    recording = Recording(site.state)  # of a sensor that calls itself "model", firmware "1"
    recording.store.close()
    site.publisher.desk().withdraw("sets/")
    key = make_key(tmp_path)
    for version in ("0.9.0", "1.4.0"):
        image = sign(tmp_path, b"firmware" * 200, key, version=version)
        site.publisher.publish_firmware(image, "model")
    site.publisher.publish_firmware(sign(tmp_path, b"x" * 99, key, version="7.0.0"), "another")
    planned = site("update", "--plan")
    assert "firmware  chest (model) 1, offered 1.4.0: newer" in planned.stdout
    answer = json.loads(site("update", "--json").stdout)
    (image,) = answer["firmware"]
    assert Path(image).read_bytes() == (tmp_path / "1.4.0.signed.bin").read_bytes()
    assert [step["offered"] for step in answer["plan"]["firmware"]] == ["1.4.0"]
    site.publisher.publish_firmware(sign(tmp_path, b"y" * 99, key, version="1.5.0"), "model")
    site("update")
    kept = [file.name for file in (site.shelf.folder / "firmware").iterdir()]
    assert kept == ["1.5.0.signed.bin"]


def test_expired_metadata_stops_updates_and_nothing_else(site: Site) -> None:
    assert site("update", "--plan").exit_code == 0
    kept = keep(site.shelf, "8.3.0")
    site.publisher.now = datetime.now(UTC) - timedelta(days=8)
    site.publisher.publish("8.4.0")
    refused = site("update")
    assert refused.exit_code == 1
    assert "update refused, frozen" in refused.stderr
    assert first_set(site.config).id == kept


def test_the_root_is_put_in_place_once(site: Site, tmp_path: Path) -> None:
    again = site("update", "--trust", tmp_path / "root.json")
    assert again.exit_code == 2
    assert "is there already" in again.stderr
    (tmp_path / "no-root.json").write_text("{}")
    assert site("update", "--trust", tmp_path / "no-root.json").exit_code == 1
    site.root.chmod(0o666)
    assert "others than the administrator may write" in site("update").stderr
    site.root.unlink()
    assert "edge-runtime update --trust" in site("update").stderr


def test_a_root_of_somebody_else_is_not_read(site: Site) -> None:
    assert read_root(site.root) == site.publisher.first_root


def test_without_a_repository_it_says_what_is_missing(site: Site) -> None:
    del site.settings["update.repository"]
    refused = site("update")
    assert refused.exit_code == 2
    assert "update.repository: none is configured" in refused.stderr
    site.settings["update.repository"] = "ftp://example.org"
    assert "neither https://... nor file:///..." in site("update").stderr


def test_two_updates_at_once_are_one_too_many(site: Site) -> None:
    with only_update(site.shelf):
        refused = site("update")
    assert refused.exit_code == 1
    assert "another update is running" in refused.stderr
    with pytest.raises(UpdateError), only_update(site.shelf), only_update(site.shelf):
        pass


# --- sets that nobody signed


def test_an_unsigned_set_runs_only_when_asked_for(site: Site, tmp_path: Path) -> None:
    own = release(tmp_path / "own", "9.0.0")
    refused = site("bundles", "activate", own)
    assert refused.exit_code == 2
    assert "nobody has signed" in refused.stderr
    taken = site("bundles", "activate", own, "--unsigned")
    assert taken.exit_code == 0, taken.stderr
    assert (chosen := first_set(site.config)).origin == "unsigned"
    assert "unsigned" in site("bundles", "list").stdout
    assert site("bundles", "activate", SHIPPED).exit_code == 0
    assert first_set(site.config).id == SHIPPED != chosen.id
    assert site("bundles", "activate", "other").exit_code == 1
    assert own.is_dir()


def test_run_refuses_a_configured_set_that_nobody_signed(site: Site, tmp_path: Path) -> None:
    own = release(tmp_path / "own", "9.0.0")
    site.settings["bundles.directory"] = str(own)
    refused = site("run")
    assert refused.exit_code == 2
    assert "give --unsigned" in refused.stderr
    assert "no source is configured" in site("run", "--unsigned").stderr
    assert "names a set of its own" in site("bundles", "list").stderr
    assert "which no update replaces" not in site("update", "--plan").stderr
    shutil.rmtree(own)


def test_rollback_needs_something_to_go_back_to(site: Site) -> None:
    refused = site("bundles", "rollback")
    assert refused.exit_code == 1
    assert "no set before the present one" in refused.stderr
