"""Runs of S and supraventricular tachycardia."""

import pytest

from tests.edge_runtime.rules.ward import LABEL, Ward

AT_150 = 200


@pytest.mark.parametrize(
    ("labels", "rr", "expected"),
    [
        ("NSSN", AT_150, []),
        ("NSSSN", AT_150, ["sveb_run"]),
        ("NSSSSN", AT_150, ["sveb_run"]),
        ("NSSSSSN", AT_150, ["sveb_run", "svt"]),
        ("NSSSSSN", AT_150 + 1, ["sveb_run"]),
        ("NSSSSSN", AT_150 - 1, ["sveb_run", "svt"]),
        ("NSSsSSN", AT_150, []),
    ],
)
def test_a_run_is_named_by_length_and_rate(labels: str, rr: int, expected: list[str]) -> None:
    ward = Ward().see("NNN", 400).see(labels, rr)
    assert [rule for rule in ward.raised if rule in {"sveb_run", "svt"}] == expected
    assert "svt" not in ward.active
    assert "sveb_run" not in ward.active


def test_svt_is_back_dated_to_its_first_beat() -> None:
    alarm = Ward().see("NNN", 400).see("SSSSS", AT_150).alarm("svt")
    assert (alarm.at, alarm.decided, alarm.priority) == (1400, 2200 + LABEL, "medium")
    assert alarm.explanation.values == {"beats": 5.0, "rate_bpm": 150.0}


def test_a_slow_run_that_accelerates_becomes_svt_and_stays_it() -> None:
    ward = Ward().see("NNN", 400).see("SSSS", 300)
    assert "sveb_run" in ward.active
    assert "svt" in ward.see("SSSSS", 190).active
    assert "svt" in ward.see("SSSSS", 300).active
    assert "svt" not in ward.see("N", 400).active


def test_a_gap_ends_a_run() -> None:
    ward = Ward().see("NNN", 400).see("SSS", 300).hole()
    assert ward.active == []
    assert ward.see("SS", 300).raised == ["sveb_run"]
