"""Hand-made beat files, small enough to pair by eye (fs 100 Hz, window 15 samples)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.records import Annotations
from model_build.evaluate.ec57 import BeatMatrix, compare_beats, pair_beats, pool

FS = 100.0


def marks(*entries: tuple[int, str] | tuple[int, str, int]) -> Annotations:
    subtypes = [entry[2] if len(entry) > 2 else 0 for entry in entries]
    return Annotations.of([e[0] for e in entries], [e[1] for e in entries], subtype=subtypes)


def beats(at, symbols="") -> Annotations:
    return Annotations.of(at, symbols or "N" * len(at))


def score(
    reference: Annotations, test: Annotations, end: int | None = 10_000, **options
) -> BeatMatrix:
    return compare_beats(reference, test, FS, end, **{"learning_s": 0.0, **options})


def cells(matrix: BeatMatrix) -> dict[str, int]:
    labels = "NSVFQOX"
    return {
        labels[r] + labels[c].lower(): int(matrix.counts[r, c])
        for r, c in zip(*np.nonzero(matrix.counts), strict=True)
    }


def test_the_window_is_150_ms_and_closed():
    reference = beats([1000, 2000])
    assert cells(score(reference, beats([1015, 1985]))) == {"Nn": 2}
    assert cells(score(reference, beats([1016, 1984]))) == {"No": 2, "On": 2}


def test_half_a_sample_of_window_is_rounded_up():
    # 150 ms at 250 Hz are 37.5 samples; WFDB makes 38 of them.
    matrix = compare_beats(beats([1000]), beats([1038]), 250.0, 10_000, learning_s=0.0)
    assert matrix.qrs.tp == 1


def test_the_closer_of_two_candidates_wins():
    found = score(beats([1000]), beats([992, 1003], "NV"))
    assert cells(found) == {"Nv": 1, "On": 1}


def test_a_rival_with_a_better_partner_gives_way():
    # The example of November 2002 in bxb's history: 96/128 and 160/185 within 37 samples.
    matrix = compare_beats(
        beats([1096, 1160]),
        beats([1128, 1185]),
        fs=250.0,
        record_end=10_000,
        learning_s=0.0,
    )
    assert cells(matrix) == {"Nn": 2}


def test_classes_and_what_is_no_false_positive():
    reference = beats(range(1000, 1800, 100), "NASVFQeN")
    test = beats(range(1000, 1800, 100), "VVNVVVNS")
    by_n = score(reference, test, escapes="n")
    assert cells(by_n) == {"Nv": 1, "Sv": 1, "Sn": 1, "Vv": 1, "Fv": 1, "Qv": 1, "Nn": 1, "Ns": 1}
    assert (by_n.veb.tp, by_n.veb.fn, by_n.veb.fp) == (1, 0, 2)
    assert by_n.veb_counting_f.fp == 3
    assert (by_n.sveb.tp, by_n.sveb.fn, by_n.sveb.fp) == (0, 2, 1)
    assert by_n.sveb.f1 == 0.0
    by_s = score(reference, test, escapes="s")
    assert cells(by_s)["Sn"] == 2
    assert by_s.as_json()["escapes"] == "s"


def test_fusion_taken_for_supraventricular_is_a_false_positive_but_unknown_is_not():
    matrix = score(beats([1000, 1100], "FQ"), beats([1000, 1100], "SS"))
    assert matrix.sveb.fp == 1


def test_undefined_rates_are_none():
    matrix = score(beats([1000]), beats([1000]))
    assert matrix.veb.se is None
    assert matrix.veb.ppv is None
    assert matrix.veb.f1 is None
    assert matrix.macro_f1 is None


def test_the_learning_period_is_left_out():
    matrix = compare_beats(beats([29_900, 30_100]), beats([29_000, 30_100]), FS, 40_000)
    assert cells(matrix) == {"Nn": 1}


def test_a_test_beat_just_before_the_start_may_pair_with_the_first_reference_beat():
    matrix = compare_beats(beats([30_005, 30_100]), beats([29_995, 30_100]), FS, 40_000)
    assert cells(matrix) == {"Nn": 2}


def test_a_test_beat_of_the_learning_periods_last_beat_is_passed_over():
    matrix = compare_beats(beats([29_995, 30_100]), beats([29_900, 30_005, 30_100]), FS, 40_000)
    assert cells(matrix) == {"Nn": 1}


def test_beats_after_the_record_end_do_not_count():
    matrix = score(beats([1000, 2000]), beats([1000, 2005]), end=1500)
    assert cells(matrix) == {"Nn": 1}


def test_without_a_length_the_last_reference_beat_ends_the_comparison():
    matrix = score(beats([1000, 2000]), beats([1000, 2005, 3000]), end=None)
    assert cells(matrix) == {"Nn": 2}


def test_test_beats_in_reference_fibrillation_are_not_counted():
    reference = marks((1000, "N"), (1500, "["), (1700, "!"), (2000, "]"), (3000, "N"))
    test = beats([1000, 1600, 1900, 2500, 3000])
    assert cells(score(reference, test)) == {"Nn": 2, "On": 1}


def test_reference_beats_inside_fibrillation_marks_are_skipped():
    reference = marks((1500, "["), (1700, "V"), (2000, "]"), (3000, "N"))
    assert cells(score(reference, beats([3000]))) == {"Nn": 1}


def test_open_fibrillation_lasts_to_the_end():
    reference = marks((100, "["), (200, "]"), (1000, "N"), (1500, "["))
    assert cells(score(reference, beats([1000, 8000]))) == {"Nn": 1}


def test_beats_missed_in_a_test_shutdown_are_told_apart():
    reference = beats([1000, 2000, 3000, 4000])
    test = marks((1000, "N"), (1500, "~", 0x30), (3500, "~", 0), (4000, "N"))
    matrix = score(reference, test)
    assert cells(matrix) == {"Nn": 2, "Nx": 2}
    assert matrix.shutdown_s == 20
    assert matrix.qrs.fn == 2


def test_noise_with_a_readable_signal_is_no_shutdown():
    test = marks((1000, "N"), (1500, "~", 0x10), (3500, "~", 0), (4000, "N"))
    assert cells(score(beats([1000, 2000, 4000]), test)) == {"Nn": 2, "No": 1}


def test_extra_beats_in_a_reference_shutdown_are_told_apart():
    reference = marks((1000, "N"), (1500, "~", -1), (3500, "~", 0), (4000, "N"))
    assert cells(score(reference, beats([1000, 2000, 4000]))) == {"Nn": 2, "Xn": 1}


def test_a_lone_shutdown_mark_reaches_from_neighbour_to_neighbour():
    test = marks((1000, "N"), (2500, "~", 0x30), (4000, "N"))
    matrix = score(beats([1000, 1020, 3980, 4000]), test)
    assert cells(matrix) == {"Nn": 2, "Nx": 2}
    assert matrix.shutdown_s == 30  # 1015 to 3985, rounded


def test_an_open_shutdown_lasts_to_the_end_of_the_record():
    test = marks((1000, "N"), (2500, "~", 0x30))
    matrix = score(beats([1000, 9000]), test)
    assert cells(matrix) == {"Nn": 1, "Nx": 1}
    assert matrix.shutdown_s == 75


def test_rr_errors_are_in_ms_and_skip_breaks():
    reference = marks((1000, "N"), (1100, "N"), (1150, "["), (1300, "]"), (1400, "N"), (1500, "N"))
    test = beats([1000, 1103, 1400, 1501])
    matrix = score(reference, test)
    assert matrix.rr_pairs == 2
    assert matrix.rr_error_ms == pytest.approx(np.sqrt((30.0**2 + 10.0**2) / 2))


def test_disorder_and_a_too_short_record_are_refused():
    with pytest.raises(ValueError, match="order of time"):
        score(beats([2000, 1000]), beats([1000]))
    with pytest.raises(ValueError, match="shorten the learning period"):
        compare_beats(beats([100]), beats([100]), FS, 20_000)


def test_pooling_adds_up_and_refuses_mixed_rules():
    one = score(beats([1000, 2000]), beats([1000]))
    assert pool([one, one]).qrs.fn == 2
    with pytest.raises(ValueError, match="different rules"):
        pool([one, score(beats([1000]), beats([1000]), escapes="s")])
    with pytest.raises(ValueError, match="no record"):
        pool([])


def test_empty_files():
    assert score(beats([]), beats([])).qrs.tp == 0
    assert score(beats([1000]), beats([])).qrs.fn == 1
    assert score(beats([]), beats([1000])).qrs.fp == 1


beat_times = st.lists(st.integers(1, 5000), max_size=40, unique=True).map(sorted)


@given(beat_times, beat_times, st.integers(0, 20))
def test_every_beat_is_counted_once(reference, test, learning):
    pairs = pair_beats(beats(reference), beats(test), FS, 6000, learning_s=float(learning))
    from_reference = pairs.reference_at[pairs.reference_at > 0]
    from_test = pairs.test_at[pairs.test_at > 0]
    assert from_reference.tolist() == [at for at in reference if at >= 100 * learning]
    assert np.all(np.diff(from_test) > 0)
    # At the start one beat may be borrowed from the learning period, or one be passed over.
    inside = [at for at in test if at >= 100 * learning]
    assert inside[1:] == [at for at in from_test.tolist() if at in inside[1:]]
    both = (pairs.reference_at >= 0) & (pairs.test_at >= 0)
    assert np.all(np.abs(pairs.reference_at - pairs.test_at)[both] <= 15)


@given(beat_times)
def test_a_file_compared_with_itself_is_perfect(times):
    file = beats(times)
    matrix = score(file, file)
    assert (matrix.qrs.tp, matrix.qrs.fn, matrix.qrs.fp) == (len(times), 0, 0)
    assert matrix.rr_error_ms in (None, 0.0)
