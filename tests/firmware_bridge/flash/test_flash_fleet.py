"""Who is flashed when, and when it stops. Devices are functions here; no port, no clock."""

import asyncio
import json
from pathlib import Path

import pytest

from firmware_bridge.errors import LinkError, UsageError
from firmware_bridge.flash.errors import RevertedError, StoppedError
from firmware_bridge.flash.fleet import Member, Policy, Report, RunFile, flash_all, read_members

IMAGE = b"an image"


class Fleet:
    """Devices `d0`, `d1`, ...; those in `bad` fail."""

    def __init__(self, n: int, bad: set[str], run_file: Path) -> None:
        self.members = tuple(Member(f"d{k}") for k in range(n))
        self.bad = bad
        self.begun: list[str] = []
        self.reports: list[Report] = []
        self.most_at_once = 0
        self._run_file = run_file
        self._running = 0

    async def flash_one(self, member: Member) -> dict[str, object]:
        self.begun.append(member.device)
        self._running += 1
        self.most_at_once = max(self.most_at_once, self._running)
        for _ in range(3):
            await asyncio.sleep(0)
        self._running -= 1
        if member.device in self.bad:
            raise RevertedError("mute; 1.0.0 runs again")
        return {"result": "installed"}

    def run(self, policy: Policy | None = None, image: bytes = IMAGE) -> None:
        self.begun, self.reports = [], []
        run_file = RunFile(self._run_file, image)
        work = flash_all(
            self.members, self.flash_one, run_file, policy or Policy(), self.reports.append
        )
        asyncio.run(work)


@pytest.fixture
def run_file(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


def test_the_canary_goes_alone_and_the_rest_a_few_at_a_time(run_file: Path) -> None:
    fleet = Fleet(12, set(), run_file)
    fleet.run(Policy(jobs=3))
    assert fleet.begun[0] == "d0"
    assert fleet.most_at_once == 3
    assert sorted(r.device for r in fleet.reports) == sorted(m.device for m in fleet.members)


def test_a_dead_canary_saves_the_others(run_file: Path) -> None:
    fleet = Fleet(5, {"d0"}, run_file)
    with pytest.raises(StoppedError, match="canary d0 failed; no other"):
        fleet.run()
    assert fleet.begun == ["d0"]


def test_too_many_failures_stop_the_run_and_those_begun_are_brought_to_an_end(
    run_file: Path,
) -> None:
    fleet = Fleet(50, {f"d{k}" for k in range(1, 50)}, run_file)
    with pytest.raises(StoppedError, match=r"of \d+ failed; \d+ were not begun"):
        fleet.run(Policy(jobs=2, stop_at_rate=0.2))
    assert len(fleet.begun) == len(fleet.reports) <= 5


def test_a_few_failures_are_reported_and_do_not_stop_it(run_file: Path) -> None:
    fleet = Fleet(20, {"d7"}, run_file)
    with pytest.raises(StoppedError, match="1 of 20 failed; all were tried"):
        fleet.run()
    bad = next(r for r in fleet.reports if not r.is_good)
    assert (bad.device, bad.exit_code, bad.error) == ("d7", 20, "mute; 1.0.0 runs again")


def test_the_same_run_file_goes_on_with_what_is_missing_or_failed(run_file: Path) -> None:
    fleet = Fleet(20, {"d7", "d9"}, run_file)
    with pytest.raises(StoppedError):
        fleet.run()
    with run_file.open("a", encoding="utf-8") as file:
        file.write('{"image": "cut off by a power fail')
    fleet.bad = set()
    fleet.run()
    assert sorted(fleet.begun) == ["d7", "d9"]
    fleet.run()
    assert fleet.begun == []


def test_a_run_file_is_for_one_image(run_file: Path) -> None:
    fleet = Fleet(2, set(), run_file)
    fleet.run()
    entry = json.loads(run_file.read_text(encoding="utf-8").splitlines()[0])
    assert (entry["device"], entry["exit_code"]) == ("d0", 0)
    with pytest.raises(UsageError, match="another image"):
        fleet.run(image=b"another")


def test_a_device_that_is_not_there_is_a_report_like_any_other(run_file: Path) -> None:
    fleet = Fleet(4, set(), run_file)

    async def gone(member: Member) -> dict[str, object]:
        if member.device == "d2":
            raise LinkError("no such port")
        return {}

    with pytest.raises(StoppedError, match="1 of 4 failed"):
        asyncio.run(
            flash_all(
                fleet.members,
                gone,
                RunFile(run_file, IMAGE),
                Policy(jobs=1, stop_at_rate=0.5),
                fleet.reports.append,
            )
        )
    assert [r.exit_code for r in fleet.reports] == [0, 0, 1, 0]


def test_a_list_of_devices_is_read_and_its_mistakes_are_named(tmp_path: Path) -> None:
    path = tmp_path / "devices"
    path.write_text("# ward 3\n/dev/a\nudp:h /dev/b  # second\n\n", encoding="utf-8")
    assert read_members(path) == (Member("/dev/a"), Member("udp:h", "/dev/b"))
    for text in ("", "/dev/a\n/dev/a\n", "a b c\n"):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(UsageError):
            read_members(path)
    with pytest.raises(UsageError, match="cannot be read"):
        read_members(tmp_path / "none")
