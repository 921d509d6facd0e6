"""When starts that did not end well make a safe mode."""

from pathlib import Path

import pytest

from edge_runtime.start_log import FILE_NAME, SafeModeConfig, StartLog

SETTINGS = SafeModeConfig(crashes=3, within_minutes=10.0)
T0 = 1_790_000_000.0


class Machine:
    """Daemons on one state directory, one after the other, and a wall clock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = T0

    def start(self, after_s: float = 5.0) -> tuple[StartLog, int]:
        """A start, and how many crashes make it one of the safe mode."""
        self.now += after_s
        starts = StartLog(self.folder, SETTINGS, lambda: self.now)
        return starts, starts.begin()

    def crash(self, times: int, after_s: float = 5.0) -> list[int]:
        return [self.start(after_s)[1] for _ in range(times)]


def test_crashes_in_a_row_lead_to_the_safe_mode(tmp_path: Path) -> None:
    assert Machine(tmp_path / "not" / "there").crash(5) == [0, 0, 0, 3, 4]


def test_clean_ends_do_not_count(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    for _ in range(10):
        starts, crashes = machine.start()
        assert crashes == 0
        starts.ended()
    assert machine.crash(2) == [0, 0]
    machine.start()[0].ended()
    assert machine.crash(2) == [0, 3]


def test_crashes_long_ago_do_not_count(tmp_path: Path) -> None:
    assert Machine(tmp_path).crash(10, after_s=301.0) == [0] * 10
    assert Machine(tmp_path).crash(5, after_s=1.0)[-1] > 0


def test_a_sound_run_forgets_what_was_before(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.crash(2)
    machine.start()[0].stable()
    # It then crashed all the same: that one counts.
    assert machine.crash(3) == [0, 0, 3]


def test_after_a_safe_mode_the_first_crash_leads_back_to_it(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.crash(3)
    starts, crashes = machine.start()
    assert crashes == 3
    starts.leave_safe_mode()
    again, crashes = machine.start()
    assert crashes == 1
    again.leave_safe_mode()
    machine.now += 700
    again.stable()
    assert machine.crash(4) == [0, 0, 0, 3]


def test_a_clock_that_is_set_back_hides_no_crash(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.crash(2)
    machine.now -= 86_400
    assert machine.crash(2) == [0, 3]


@pytest.mark.parametrize("content", [b"", b"nonsense", b'{"starts": "many"}', b"\xff\xfe"])
def test_a_broken_file_is_told_and_begun_anew(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes
) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    assert Machine(tmp_path).crash(4) == [0, 0, 0, 3]
    assert "cannot be read" in caplog.text


def test_a_place_that_takes_no_file_stops_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "state").write_text("a file")
    starts, crashes = Machine(tmp_path / "state" / "deeper").start()
    starts.ended()
    assert crashes == 0
    assert caplog.records
