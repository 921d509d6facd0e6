"""The daemon's own releases, from a signed repository to the release that the launcher starts."""

import shutil
import subprocess
from pathlib import Path

import pytest

from edge_runtime.config import Config, structure
from edge_runtime.errors import ConfigError, UpdateError
from edge_runtime.update import own_release
from edge_runtime.update.own_release import OwnRelease
from edge_runtime.update.repository import Refusal, RefusedError
from firmware_bridge.errors import LinkError
from model_build.errors import ReleaseError
from model_build.release.publishing import package_files
from tests.deploy.test_launcher import DEBIAN, Machine
from tests.edge_runtime.update.publisher import Publisher

pytestmark = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg (Debian)")
PRESENT = "0.1.0+deb12"


def architecture() -> str:
    done = subprocess.run(
        ["dpkg", "--print-architecture"], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def package(folder: Path, version: str, *, starts: bool = True, name: str = "ecg-edge") -> Path:
    """A package whose release's interpreter says which one it is."""
    tree = folder / f"tree-{version}"
    python = tree / "usr/lib/ecg-edge/releases" / version / "bin/python"
    python.parent.mkdir(parents=True)
    (python.parents[1] / "lib").mkdir()
    python.write_text(f'#!/bin/sh\necho "{version}: $*"\nexit {int(not starts)}\n')
    python.chmod(0o755)
    (tree / "DEBIAN").mkdir()
    (tree / "DEBIAN/control").write_text(
        f"Package: {name}\nVersion: {version}\nArchitecture: {architecture()}\n"
        "Maintainer: nobody <nobody@example.org>\nDescription: a release\n"
    )
    built = folder / f"{name}_{version}.deb"
    subprocess.run(["dpkg-deb", "--build", tree, built], check=True, capture_output=True)
    return built


class Site:
    """A machine with the packaged release, and a publisher that it trusts. `alarms`: what its
    daemon says, None: there is no daemon to ask."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.machine = Machine(folder / "machine")
        self.machine.install(PRESENT)
        self.publisher = Publisher(folder / "publisher")
        self.said: list[str] = []
        self.alarms: list[dict[str, object]] | None = []
        (self.machine.commands / "ecg-edge-release").symlink_to(DEBIAN / "ecg-edge-release")
        monkeypatch.setenv("PATH", str(self.machine.commands), prepend=":")
        for name, value in self.machine.environment.items():
            if name.startswith("ECG_EDGE") or name == "STATE_DIRECTORY":
                monkeypatch.setenv(name, value)
        monkeypatch.setattr(own_release.daemon_socket, "ask", self._ask)
        root = folder / "root.json"
        root.write_bytes(self.publisher.first_root)
        root.chmod(0o644)
        update = {"repository": self.publisher.url, "root": str(root)}
        self.config: Config = structure({"update": update})

    def _ask(self, *_: object) -> object:
        if self.alarms is None:
            raise LinkError("no daemon answers")
        return {"alarms": self.alarms}

    def publish(self, version: str, *, starts: bool = True) -> None:
        self.publisher.publish_package(package(self.folder, version, starts=starts))

    def update(self, *, only_plan: bool = False, now: bool = False) -> dict[str, object]:
        self.said.clear()
        updating = OwnRelease(self.config, self.said.append, lambda: True)
        return updating.run(only_plan=only_plan, now=now)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    return Site(tmp_path, monkeypatch)


def test_the_newest_release_is_fetched_and_started_and_the_old_one_kept(site: Site) -> None:
    site.publish("0.2.0+deb12")
    site.publish("8.3.0+deb12")
    site.publish("0.9.0+deb13")  # for another Debian
    planned = site.update(only_plan=True)
    told = (planned["offered"], planned["newer"], planned["started"])
    assert told == ("8.3.0+deb12", True, False)
    assert site.machine.start() == PRESENT
    assert site.update()["started"] is True
    assert site.said[-1] == f"8.3.0+deb12 runs; {PRESENT} is kept to fall back to"
    assert site.machine.start() == "8.3.0+deb12"
    assert site.update()["newer"] is False
    assert list((site.machine.var / "update").glob("*.deb")) == []


def test_a_release_that_does_not_hold_gives_way_by_itself(site: Site) -> None:
    site.publish("0.2.0+deb12")
    site.update()
    started = [site.machine.start() for _ in range(4)]
    assert started == ["0.2.0+deb12"] * 3 + [PRESENT]


def test_one_that_does_not_start_at_all_is_not_taken(site: Site) -> None:
    site.publish("0.2.0+deb12", starts=False)
    with pytest.raises(UpdateError, match="does not start with this system's Python"):
        site.update()
    assert site.machine.start() == PRESENT


def test_not_while_an_alarm_is_on_or_nobody_can_say(site: Site) -> None:
    site.publish("0.2.0+deb12")
    asystole: dict[str, object] = {"text": "Asystole", "kind": "physiological"}
    site.alarms = [{"active": True, "alarm": asystole}]
    assert site.update()["waits"] == "an alarm is on: Asystole"
    site.alarms = None
    assert "cannot be asked" in str(site.update()["waits"])
    assert site.machine.start() == PRESENT
    technical = {"active": True, "alarm": {"text": "Battery low", "kind": "technical"}}
    site.alarms = [{"active": False, "alarm": asystole}, technical]
    assert site.update()["started"] is True


def test_now_is_for_who_decides(site: Site) -> None:
    site.publish("0.2.0+deb12")
    site.alarms = None
    assert site.update(now=True)["started"] is True


def test_a_package_that_is_not_as_signed_is_refused(site: Site) -> None:
    site.publish("0.2.0+deb12")
    path = f"packages/ecg-edge_0.2.0+deb12_{architecture()}.deb"
    file = site.publisher.target_file(path)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(RefusedError) as refused:
        site.update()
    assert refused.value.refusal is Refusal.TAMPERED
    assert site.machine.start() == PRESENT


def test_where_pip_installed_it_says_so(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ECG_EDGE_RELEASES", str(tmp_path / "none"))
    with pytest.raises(ConfigError, match="only the Debian package's releases"):
        site.update()


def test_other_files_are_no_packages_of_this_program(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="no package of ecg-edge"):
        package_files(package(tmp_path, "1.0+deb12", name="other"))
    with pytest.raises(ReleaseError, match="no package of ecg-edge"):
        package_files(package(tmp_path, "2.0"))
    text = tmp_path / "text.deb"
    text.write_text("no package")
    with pytest.raises(ReleaseError, match=r"text\.deb"):
        package_files(text)
