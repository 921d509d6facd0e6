"""Faults on demand: as often as asked, the same for the same seed."""

import pytest

from firmware_bridge.simulator.faults import Faults, FaultyLine

FRAME = bytes(range(40))


def carried(faults: Faults, seed: int = 1, n: int = 4000) -> list[bytes]:
    line = FaultyLine(faults, seed)
    return [line.carry(FRAME) for _ in range(n)]


def test_a_good_line_changes_nothing() -> None:
    assert set(carried(Faults())) == {FRAME}


@pytest.mark.parametrize("fault", ["drop", "duplicate", "bit_flip"])
def test_each_fault_comes_as_often_as_asked(fault: str) -> None:
    arrived = carried(Faults(**{fault: 0.25}))
    wrong = [frame for frame in arrived if frame != FRAME]
    assert len(wrong) / len(arrived) == pytest.approx(0.25, abs=0.03)
    expected = {"drop": [b""], "duplicate": [FRAME + FRAME]}.get(fault)
    if expected:
        assert set(wrong) == set(expected)
    else:
        assert all(
            sum((a ^ b).bit_count() for a, b in zip(frame, FRAME, strict=True)) == 1
            for frame in wrong
        )


def test_a_late_frame_comes_behind_the_next_and_never_on_another_link() -> None:
    line = FaultyLine(Faults(reorder=1.0), 1)
    arrived = [line.pass_on(bytes([k])) for k in range(4)]
    assert arrived == [[], [b"\x01", b"\x00"], [], [b"\x03", b"\x02"]]
    assert line.injected["reorder"] == 2
    assert line.pass_on(b"late") == []
    line.begin_anew()
    assert line.pass_on(b"next") == []
    assert line.pass_on(b"after") == [b"after", b"next"]


def test_the_same_seed_makes_the_same_faults() -> None:
    faults = Faults(0.1, 0.1, 0.1)
    assert carried(faults, 5) == carried(faults, 5) != carried(faults, 6)


def test_spans_hold_from_their_start_to_just_before_their_end() -> None:
    faults = Faults(stalls=((2, 3), (10, 1)), unplugs=((4, 2),))
    assert [faults.is_stalled(t) for t in (1.9, 2, 4.9, 5, 10.5)] == [0, 1, 1, 0, 1]
    assert [faults.is_unplugged(t) for t in (3.9, 4, 5.9, 6)] == [0, 1, 1, 0]


def test_a_probability_is_one() -> None:
    with pytest.raises(ValueError, match="drop is a probability, not 2"):
        Faults(drop=2)
