"""The audit log: what it holds, and that it shows what was done to it."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edge_runtime.alarms.desk import AlarmDesk
from edge_runtime.audit import FILE_NAME, Audit, Entry, entries
from edge_runtime.publication import Session
from tests.edge_runtime.store.making import Hand, alarm, opened
from tests.synthetic import gap


def acts(directory: Path) -> list[tuple[str, str]]:
    found = list(entries(directory))
    assert all(isinstance(one, Entry) for one in found), found
    return [(one.by, one.act) for one in found if isinstance(one, Entry)]


def problems(directory: Path) -> list[str]:
    return [one for one in entries(directory) if isinstance(one, str)]


def test_acts_come_back_in_order_with_what_they_were_about(tmp_path: Path) -> None:
    audit = Audit(tmp_path, utc_ns=lambda: 1_790_000_000_000_000_000)
    audit.record("nurse", "acknowledged", session="s", alarm=3)
    audit.record("dr", "export", session="s", format="pdf")
    first, second = entries(tmp_path)
    assert isinstance(first, Entry)
    assert isinstance(second, Entry)
    assert (first.by, first.act, first.about) == (
        "nurse",
        "acknowledged",
        {"session": "s", "alarm": 3},
    )
    assert first.time == "2026-09-21T14:13:20.000Z"
    assert second.about == {"session": "s", "format": "pdf"}
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600


def test_no_log_is_an_empty_one(tmp_path: Path) -> None:
    assert list(entries(tmp_path)) == []


@pytest.mark.parametrize("line", range(4))
def test_a_line_that_was_changed_or_cut_out_shows(tmp_path: Path, line: int) -> None:
    audit = Audit(tmp_path)
    for number in range(5):
        audit.record("nurse", "export", session=f"s{number}")
    file = tmp_path / FILE_NAME
    lines = file.read_text().splitlines()
    changed = [*lines]
    changed[line] = changed[line].replace("nurse", "nobody")
    file.write_text("\n".join(changed) + "\n")
    assert problems(tmp_path) == [f"before line {line + 2} something was changed or taken out"]
    file.write_text("\n".join([*lines[:line], *lines[line + 1 :]]) + "\n")
    assert len(problems(tmp_path)) == 1


def test_a_line_that_a_crash_cut_off_is_told_and_the_log_goes_on(tmp_path: Path) -> None:
    audit = Audit(tmp_path)
    audit.record("nurse", "export")
    file = tmp_path / FILE_NAME
    with file.open("ab") as out:
        out.write(b'{"time": "2026')
    audit.record("nurse", "delete")
    assert problems(tmp_path) == ["line 2 cannot be read"]
    assert sum(isinstance(one, Entry) for one in entries(tmp_path)) == 2


def test_several_writers_do_not_break_each_other_s_chain(tmp_path: Path) -> None:
    def write(name: str) -> None:
        audit = Audit(tmp_path)  # of its own, as another process has
        for _ in range(25):
            audit.record(name, "export")

    with ThreadPoolExecutor(4) as writers:
        list(writers.map(write, "abcd"))
    assert len(acts(tmp_path)) == 100


def test_a_view_is_written_down_once_an_hour(tmp_path: Path) -> None:
    clock = Hand(1000.0)
    audit = Audit(tmp_path, now_s=clock)
    for _ in range(3):
        audit.record_view("nurse", "s1")
        audit.record_view("nurse", "s2")
        clock.now_s += 600
    clock.now_s = 5000.0
    audit.record_view("nurse", "s1")
    assert [json.dumps(one.about) for one in entries(tmp_path) if isinstance(one, Entry)] == [
        '{"session": "s1"}',
        '{"session": "s2"}',
        '{"session": "s1"}',
    ]


def test_a_log_that_cannot_be_written_holds_nothing_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE_NAME).mkdir()
    Audit(tmp_path).record("nurse", "acknowledged")
    assert "acknowledged by nurse is not written down" in caplog.text


def test_what_people_do_to_alarms_is_in_it_and_what_time_does_is_not(tmp_path: Path) -> None:
    clock = Hand()
    desk = AlarmDesk(now_s=clock, audit=Audit(tmp_path))
    session = Session(opened(), 0, 0)
    desk.see("chest", gap(0, 1), [session.publish(alarm(1))])
    clock.now_s = 1000.0
    desk.tick()  # escalates
    desk.pause_audio("nurse")
    desk.acknowledge(session.id, 1, "dr")
    desk.acknowledge(session.id, 1, "dr")  # it is so already
    desk.reset("dr")
    assert acts(tmp_path) == [("nurse", "audio_paused"), ("dr", "acknowledged")]
