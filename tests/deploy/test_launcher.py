"""Which release the launcher starts, and how root's tool changes it, with releases that say so."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from edge_runtime.release_trial import ReleaseTrial
from edge_runtime.start_log import SafeModeConfig, StartLog

DEBIAN = Path(__file__).parents[2] / "deploy" / "debian"

pytestmark = pytest.mark.skipif(shutil.which("dpkg") is None, reason="needs dpkg (Debian)")


class Machine:
    """A machine's folders, and the two programs on it."""

    def __init__(self, root: Path) -> None:
        self.usr, self.var, self.state = root / "usr", root / "var", root / "state"
        for folder in (self.usr / "releases", self.var / "releases", self.state):
            folder.mkdir(parents=True)
        self.commands = root / "bin"
        self.commands.mkdir()
        (self.commands / "edge-runtime").symlink_to(DEBIAN / "launch")
        (self.commands / "firmware-bridge").symlink_to(DEBIAN / "launch")
        self.environment = os.environ | {
            "ECG_EDGE_RELEASES": str(self.var),
            "ECG_EDGE_PACKAGED": str(self.usr / "packaged"),
            "ECG_EDGE_LIB": str(self.usr / "releases"),
            "STATE_DIRECTORY": str(self.state),
        }

    def release(self, name: str, *, packaged: bool = False) -> Path:
        """A release whose interpreter says which one it is and what it was told."""
        folder = (self.usr if packaged else self.var) / "releases" / name
        (folder / "bin").mkdir(parents=True)
        (folder / "lib").mkdir()
        python = folder / "bin/python"
        python.write_text(f'#!/bin/sh\necho "{name}: $*"\n')
        python.chmod(0o755)
        if packaged:
            link = self.usr / "packaged"
            link.unlink(missing_ok=True)
            link.symlink_to(folder)
        return folder

    def install(self, name: str) -> None:
        """As the package's scripts do."""
        before = self.usr / "packaged"
        if before.exists():
            old = before.resolve()
            self.tool("keep", old.name)
            shutil.rmtree(old)
        self.release(name, packaged=True)
        self.tool("adopt", name)

    def run(self, program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(program), *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def tool(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        done = self.run(DEBIAN / "ecg-edge-release", *arguments)
        assert done.returncode == 0, done.stderr
        return done

    def start(self) -> str:
        """The release that the service's start runs."""
        done = self.run(DEBIAN / "launch", "run")
        assert done.returncode == 0, done.stderr
        return done.stdout.partition(":")[0]

    def trial(self, name: str) -> ReleaseTrial:
        return ReleaseTrial(name, self.state / "release")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_the_packaged_release_runs_first(machine: Machine) -> None:
    machine.install("1.0")
    done = machine.run(DEBIAN / "launch", "run", "--view", "log")
    assert done.stdout == "1.0: -P -m edge_runtime run --view log\n"


def test_commands_run_the_same_release_and_count_nothing(machine: Machine) -> None:
    machine.install("1.0")
    for _ in range(5):
        done = machine.run(machine.commands / "firmware-bridge", "scan")
    assert done.stdout == "1.0: -P -m firmware_bridge scan\n"
    assert not (machine.state / "release").exists()


def test_a_release_that_never_holds_gives_way_after_three_tries(machine: Machine) -> None:
    machine.install("1.0")
    machine.trial("1.0").folder.mkdir()  # type: ignore[union-attr]
    machine.trial("1.0").sound()
    machine.install("2.0")
    assert [machine.start() for _ in range(5)] == ["2.0", "2.0", "2.0", "1.0", "1.0"]
    told = machine.run(DEBIAN / "launch", "run").stderr
    assert "2.0 did not hold in 3 tries; 1.0 runs" in told
    # Commands speak to the daemon that runs.
    done = machine.run(machine.commands / "edge-runtime", "status")
    assert done.stdout.startswith("1.0:")
    assert "2.0 current, on trial: 3 of 3 tries" in machine.tool("list").stdout


def test_a_sound_release_is_counted_no_more(machine: Machine) -> None:
    machine.install("1.0")
    machine.install("2.0")
    assert machine.start() == "2.0"
    machine.trial("2.0").sound()
    assert {machine.start() for _ in range(6)} == {"2.0"}
    assert "2.0 current, sound" in machine.tool("list").stdout


def test_ends_that_were_wanted_are_no_tries(machine: Machine) -> None:
    machine.install("1.0")
    machine.install("2.0")
    for _ in range(6):
        assert machine.start() == "2.0"
        machine.trial("2.0").ended()


def test_the_first_release_has_nothing_to_give_way_to(machine: Machine) -> None:
    machine.install("1.0")
    assert {machine.start() for _ in range(6)} == {"1.0"}


def test_the_daemons_own_log_of_starts_tells(machine: Machine) -> None:
    machine.install("1.0")
    machine.start()
    starts = StartLog(machine.state, SafeModeConfig(), trial=machine.trial("1.0"))
    starts.begin()
    assert (machine.state / "release/tries").read_text() == "1.0 1\n"
    starts.stable()
    assert (machine.state / "release/sound").read_text() == "1.0\n"
    assert not (machine.state / "release/tries").exists()
    machine.install("2.0")
    machine.start()
    StartLog(machine.state, SafeModeConfig(), trial=machine.trial("2.0")).ended()
    assert not (machine.state / "release/tries").exists()


def test_an_unwritable_state_still_starts(machine: Machine) -> None:
    machine.install("1.0")
    (machine.state / "release").write_text("in the way")
    done = machine.run(DEBIAN / "launch", "run")
    assert done.stdout.startswith("1.0:")
    assert "cannot be counted" in done.stderr


@pytest.mark.parametrize("text", ["", "2.0", "2.0 many", "\n\n", "9.9 7"])
def test_spoiled_counts_are_none(machine: Machine, text: str) -> None:
    machine.install("1.0")
    machine.install("2.0")
    (machine.state / "release").mkdir()
    (machine.state / "release/tries").write_text(text)
    assert machine.start() == "2.0"


def test_a_package_never_downgrades_an_active_newer_release(machine: Machine) -> None:
    machine.install("1.0")
    machine.release("3.0")
    machine.tool("activate", "3.0")
    machine.install("2.0")
    assert machine.start() == "3.0"
    machine.install("10.0")  # by Debian's order of versions
    assert machine.start() == "10.0"


def test_a_release_without_its_interpreter_is_passed_over(machine: Machine) -> None:
    machine.install("1.0")
    machine.release("3.0")
    machine.tool("activate", "3.0")
    (machine.var / "releases/3.0/bin/python").unlink()  # Debian was upgraded
    assert machine.start() == "1.0"
    (machine.var / "current").unlink()
    (machine.var / "previous").unlink()
    assert machine.start() == "1.0"
    shutil.rmtree(machine.usr / "releases")
    done = machine.run(DEBIAN / "launch", "run")
    assert done.returncode == 1
    assert "reinstall the package" in done.stderr


def test_rollback_and_back_again_try_anew(machine: Machine) -> None:
    machine.install("1.0")
    machine.install("2.0")
    for _ in range(4):
        machine.start()
    machine.tool("rollback")
    assert machine.start() == "1.0"
    machine.tool("activate", "2.0")
    assert machine.start() == "2.0"


def test_two_releases_are_kept_beside_the_packaged_one(machine: Machine) -> None:
    machine.install("1.0")
    for name in ("2.0", "3.0", "4.0"):
        machine.release(name)
        machine.tool("activate", name)
    assert sorted(p.name for p in (machine.var / "releases").iterdir()) == ["3.0", "4.0"]


def test_a_kept_release_survives_its_package(machine: Machine) -> None:
    machine.install("1.0")
    packaged = (machine.usr / "releases/1.0/bin/python").stat()
    machine.tool("keep", "1.0")
    assert (machine.var / "releases/1.0/bin/python").stat().st_ino == packaged.st_ino
    shutil.rmtree(machine.usr / "releases/1.0")
    assert machine.start() == "1.0"


def test_the_tool_refuses_what_is_not_here(machine: Machine) -> None:
    for arguments, words in (
        (("activate", "9.9"), "no release '9.9'"),
        (("rollback",), "no release before"),
        (("add", "nothing.deb"), "no file"),
    ):
        done = machine.run(DEBIAN / "ecg-edge-release", *arguments)
        assert done.returncode == 1
        assert words in done.stderr
