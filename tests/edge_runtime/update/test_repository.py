"""Real repositories, honest and not: what a device takes, and what it says of the others."""

import functools
import http.server
import json
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tuf.api.metadata import Metadata

from edge_runtime.errors import UpdateError
from edge_runtime.update.catalogue import catalogue_of
from edge_runtime.update.clock_trust import clock_problem
from edge_runtime.update.repository import Refusal, RefusedError
from model_build.release.keys import KeyFolders
from tests.edge_runtime.update.publisher import PASSPHRASE, Device, Publisher

NOW = datetime.now(UTC)


def refusal(device: Device) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        device.refresh()
    return caught.value


def test_what_is_published_is_offered_and_fetched(device: Device, tmp_path: Path) -> None:
    repository = device.repository()
    catalogue = repository.refresh()
    (offer,) = catalogue.sets
    assert (offer.name, offer.version, offer.hindrance) == ("default", "8.3.0", "")
    paths = catalogue.files[offer.folder]
    assert offer.folder + "beats/encoder.tflite" in paths
    for path in paths:
        repository.fetch(path, tmp_path / "got" / path)
    origin = device.publisher.folder / "set-8.3.0"
    got = tmp_path / "got" / offer.folder
    assert {f.relative_to(got): f.read_bytes() for f in got.rglob("*") if f.is_file()} == {
        f.relative_to(origin): f.read_bytes() for f in origin.rglob("*") if f.is_file()
    }


def test_a_newer_release_is_seen(device: Device) -> None:
    assert device.versions() == ["8.3.0"]
    device.publisher.publish("8.4.0")
    assert device.versions() == ["8.3.0", "8.4.0"]


@pytest.mark.parametrize("name", ["timestamp.json", "2.snapshot.json", "2.targets.json"])
def test_metadata_that_was_changed_is_tampered(device: Device, name: str) -> None:
    file = device.publisher.metadata / name
    changed = json.loads(file.read_bytes())
    changed["signed"]["x-note"] = "by somebody else"
    file.write_text(json.dumps(changed))
    assert refusal(device).refusal is Refusal.TAMPERED
    assert "signature is missing or false" in str(refusal(device))


def test_metadata_that_is_noise_is_tampered(device: Device) -> None:
    (device.publisher.metadata / "timestamp.json").write_bytes(b"\x00" * 100)
    assert refusal(device).refusal is Refusal.TAMPERED


@pytest.mark.parametrize("damage", ["flipped", "longer"])
def test_a_file_that_was_changed_is_tampered(device: Device, tmp_path: Path, damage: str) -> None:
    path = "sets/default/8.3.0/beats/encoder.tflite"
    file = device.publisher.target_file(path)
    content = bytearray(file.read_bytes())
    if damage == "flipped":
        content[len(content) // 2] ^= 1
    else:
        content += b"more"
    file.write_bytes(content)
    repository = device.repository()
    repository.refresh()
    with pytest.raises(RefusedError) as caught:
        repository.fetch(path, tmp_path / "got")
    assert caught.value.refusal is Refusal.TAMPERED
    assert f"{path} is not as it was signed" in str(caught.value)
    assert not (tmp_path / "got").exists()


def test_signatures_of_strangers_count_for_nothing(device: Device, tmp_path: Path) -> None:
    stranger = Publisher(tmp_path / "stranger")
    stranger.publish("9.0.0")
    device.url = stranger.url
    assert refusal(device).refusal is Refusal.TAMPERED


def test_a_frozen_repository_is_refused_as_frozen(device: Device) -> None:
    publisher = device.publisher
    assert device.versions() == ["8.3.0"]
    publisher.now = NOW - timedelta(days=8)
    publisher.publish("8.4.0")
    found = refusal(device)
    assert found.refusal is Refusal.FROZEN
    assert "keeps newer releases from this device" in str(found)
    publisher.now = None
    publisher.desk().renew()
    assert device.versions() == ["8.3.0", "8.4.0"]


@pytest.mark.parametrize(("role", "days"), [("targets", 366), ("root", 731)])
def test_an_expired_repository_is_refused_as_expired(tmp_path: Path, role: str, days: int) -> None:
    publisher = Publisher(tmp_path / "old", NOW - timedelta(days=days))
    publisher.now = None
    if role == "root":
        publisher.publish("8.3.0")
    publisher.desk().renew()
    device = Device(publisher, tmp_path / "device")
    found = refusal(device)
    assert found.refusal is Refusal.EXPIRED
    if role == "root":
        publisher.desk().renew_root()
        assert device.versions() == ["8.3.0"]


def test_an_older_copy_is_rolled_back(device: Device, tmp_path: Path) -> None:
    publisher = device.publisher
    shutil.copytree(publisher.metadata, tmp_path / "before")
    publisher.publish("8.4.0")
    assert device.versions() == ["8.3.0", "8.4.0"]
    shutil.rmtree(publisher.metadata)
    shutil.copytree(tmp_path / "before", publisher.metadata)
    found = refusal(device)
    assert found.refusal is Refusal.ROLLED_BACK
    assert "older state than this device has seen" in str(found)


def test_files_of_two_states_are_mixed(device: Device) -> None:
    publisher = device.publisher
    publisher.publish("8.4.0")
    shutil.copyfile(publisher.metadata / "2.snapshot.json", publisher.metadata / "3.snapshot.json")
    assert refusal(device).refusal is Refusal.MIXED


def test_an_incomplete_copy_is_mixed(device: Device, tmp_path: Path) -> None:
    (device.publisher.metadata / "2.targets.json").unlink()
    assert refusal(device).refusal is Refusal.MIXED


def test_a_file_that_is_gone_is_named(device: Device, tmp_path: Path) -> None:
    path = "sets/default/8.3.0/set.toml"
    device.publisher.target_file(path).unlink()
    repository = device.repository()
    repository.refresh()
    with pytest.raises(RefusedError, match=f"{path} is not there"):
        repository.fetch(path, tmp_path / "got")


def test_nobody_answers(device: Device) -> None:
    device.url = "http://127.0.0.1:9"
    assert refusal(device).refusal is Refusal.UNREACHABLE


# --- keys


def test_a_lost_root_key_is_survived(device: Device) -> None:
    publisher = device.publisher
    assert device.versions() == ["8.3.0"]
    (publisher.folder / "keys" / "root-2.pem").unlink()
    assert publisher.desk().replace_key("root-2") == "root-4"
    (publisher.folder / "keys" / "root-1.pem").unlink()
    assert publisher.desk().replace_key("root-1") == "root-5"
    publisher.publish("8.4.0")
    assert device.versions() == ["8.3.0", "8.4.0"]
    assert Device(publisher, device.folder.with_name("other")).versions() == ["8.3.0", "8.4.0"]


def test_a_stolen_targets_key_signs_nothing_more(device: Device, tmp_path: Path) -> None:
    publisher = device.publisher
    stolen = shutil.copytree(publisher.folder / "keys", tmp_path / "stolen")
    (publisher.folder / "keys" / "targets-1.pem").unlink()
    publisher.desk().replace_key("targets-1")
    assert Device(publisher, tmp_path / "honest").versions() == ["8.3.0"]
    forged = Metadata.from_file(str(publisher.metadata / "3.targets.json"))
    thief = KeyFolders([stolen], PASSPHRASE).open("targets-1")
    assert thief is not None
    forged.sign(thief)
    forged.to_file(str(publisher.metadata / "3.targets.json"))
    assert refusal(device).refusal is Refusal.TAMPERED


def test_a_thief_who_counted_far_ahead_is_outlived(device: Device) -> None:
    """Versions only ever rise; with new online keys the count of the old ones is forgotten."""
    publisher = device.publisher
    file = publisher.metadata / "timestamp.json"
    honest = file.read_bytes()
    for _ in range(5):
        publisher.desk().renew()
    assert device.versions() == ["8.3.0"]
    for number in range(3, 8):
        (publisher.metadata / f"{number}.snapshot.json").unlink()
    file.write_bytes(honest)
    assert refusal(device).refusal is Refusal.ROLLED_BACK
    publisher.desk().replace_key("timestamp-1")
    publisher.desk().replace_key("snapshot-1")
    assert device.versions() == ["8.3.0"]


# --- the clock


def test_a_clock_in_the_past_is_not_believed(device: Device) -> None:
    device.publisher.now = NOW + timedelta(days=1)
    device.publisher.desk().renew()
    assert device.versions() == ["8.3.0"]
    device.synchronized = False
    found = refusal(device)
    assert found.refusal is Refusal.CLOCK
    assert "the clock is wrong" in str(found)
    device.synchronized = True
    assert device.versions() == ["8.3.0"]


def test_an_unsynchronized_clock_that_is_late_enough_will_do(device: Device) -> None:
    device.synchronized = False
    assert device.versions() == ["8.3.0"]


def test_what_the_clock_may_be() -> None:
    assert "not synchronized" in clock_problem(None, synchronized=False, now=NOW)
    assert not clock_problem(None, synchronized=True, now=NOW)
    assert not clock_problem(NOW, synchronized=False, now=NOW)
    assert clock_problem(NOW + timedelta(seconds=1), synchronized=False, now=NOW)


# --- what is on offer


def test_a_set_for_a_later_release_waits(device: Device, tmp_path: Path) -> None:
    publisher = device.publisher
    folder = publisher.folder / "set-8.3.0"
    publisher.publish_folder(folder, "8.5.0", minimum_runtime=99)
    publisher.publish_folder(folder, "8.6.0", feature_set=99)
    usable, beyond = device.refresh().newest_set("default")
    assert usable is not None
    assert usable.version == "8.3.0"
    assert [one.version for one in beyond] == ["8.6.0", "8.5.0"]
    assert all("update ecg-edge" in one.hindrance for one in beyond)


@pytest.mark.parametrize("path", ["../set.toml", "/etc/passwd", "sets/../../x", "a\\b"])
def test_a_path_that_leaves_its_folder_is_refused(path: str) -> None:
    with pytest.raises(UpdateError, match="no plain path"):
        catalogue_of({path: None})


def test_offers_of_a_kind_to_come_are_passed_over() -> None:
    assert catalogue_of({"later/x": {"kind": "daemon", "version": "2"}}).sets == ()


@pytest.mark.parametrize(
    "custom",
    [
        {"kind": "bundle-set", "name": "default"},
        {"kind": "firmware", "board": "b", "version": "one", "models": []},
        {
            "kind": "bundle-set",
            "name": "other",
            "version": "1.0.0",
            "minimum_runtime": 1,
            "feature_set": 2,
        },
    ],
)
def test_an_offer_that_contradicts_itself_is_refused(custom: dict[str, object]) -> None:
    with pytest.raises(UpdateError, match="the repository"):
        catalogue_of({"sets/default/1.0.0/set.toml": custom})


# --- over the network


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(folder: Path, certificate: Path | None = None) -> Iterator[str]:
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http{'s' if certificate else ''}://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    file = tmp_path / "server.pem"
    command = (
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
        *("-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext"),
        *("subjectAltName=IP:127.0.0.1", "-keyout", str(file), "-out", str(tmp_path / "cert.pem")),
    )
    subprocess.run(command, check=True, capture_output=True)
    file.write_bytes(file.read_bytes() + (tmp_path / "cert.pem").read_bytes())
    return file


def test_over_https(
    device: Device, certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(device.publisher.repository, certificate) as url:
        device.url = url
        assert refusal(device).refusal is Refusal.UNREACHABLE  # nobody vouches for the server
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        assert device.versions() == ["8.3.0"]


def test_over_http_of_this_machine(device: Device, tmp_path: Path) -> None:
    with served(device.publisher.repository) as url:
        device.url = url
        repository = device.repository()
        repository.refresh()
        repository.fetch("sets/default/8.3.0/set.toml", tmp_path / "got")
        assert 'version = "8.3.0"' in (tmp_path / "got").read_text()


def test_keys_of_the_test_are_encrypted(device: Device) -> None:
    text = (device.publisher.folder / "keys" / "root-1.pem").read_text()
    assert "ENCRYPTED PRIVATE KEY" in text
    assert PASSPHRASE not in text
