"""Runs in hand-made files (fs 100 Hz, window 15 samples, no learning period)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.records import Annotations
from model_build.evaluate.ec57 import EventRates, RunMatrix, compare_runs
from model_build.evaluate.ec57.runs import label_runs


def rhythm(symbols: str, step: int = 100) -> Annotations:
    """One annotation a step; ( begins AF, { a rhythm (VFL, ) ends either, x says nothing."""
    texts = {"(": "(AFIB", ")": "(N", "{": "(VFL", "x": ""}
    return Annotations.of(
        [step * (k + 1) for k in range(len(symbols))],
        ["+" if s in texts else s for s in symbols],
        [texts.get(s, "") for s in symbols],
    )


def score(reference: str, test: str, kind: str = "ventricular") -> RunMatrix:
    return compare_runs(rhythm(reference), rhythm(test), 100.0, 100_000, kind, learning_s=0.0)


def test_runs_of_each_length_find_themselves():
    text = "NVNVVNVVVNVVVVVNVVVVVVVVN"
    matrix = score(text, text)
    assert matrix.sensitivity.tolist() == matrix.predictivity.tolist()
    assert {k: int(matrix.sensitivity[k, k]) for k in range(7)} == {
        0: 0, 1: 1, 2: 1, 3: 1, 4: 0, 5: 1, 6: 1,
    }  # fmt: skip
    assert matrix.couplets == EventRates(1, 0, 1, 0)
    assert matrix.short == EventRates(2, 0, 2, 0)
    assert matrix.long == EventRates(1, 0, 1, 0)


def test_a_short_find_is_a_miss_and_a_long_one_is_not():
    missed = score("NVVVN", "NNVVN")
    assert missed.short == EventRates(0, 1, 0, 0)
    assert missed.couplets == EventRates(0, 0, 1, 0)
    longer = score("NVVNN", "NVVVN")
    assert longer.couplets == EventRates(1, 0, 0, 0)
    assert longer.short == EventRates(0, 0, 0, 1)


def test_fusion_beats_belong_to_ventricular_runs():
    assert score("NVFVN", "NVVVN").short == EventRates(1, 0, 1, 0)


def test_supraventricular_and_escape_beats_make_runs():
    matrix = score("NAjJeN", "NSSSSN", "supraventricular")
    assert matrix.short == EventRates(1, 0, 1, 0)
    assert score("NAAN", "NNNN", "ventricular").couplets == EventRates(0, 0, 0, 0)


def test_fibrillation_is_a_run_of_maximum_length():
    found = score("NN[!!]NN", "NN[!!]NN")
    assert found.long == EventRates(1, 0, 1, 0)
    by_beats = score("NN[!!]NN", "NNVVVVNN")
    assert by_beats.long == EventRates(0, 1, 0, 0)
    assert by_beats.short == EventRates(0, 0, 1, 0)


def test_normal_beats_in_af_are_supraventricular():
    matrix = score("N(NNN)NN", "NNNNNNNN", "supraventricular")
    assert matrix.long == EventRates(0, 1, 0, 0)
    both = score("N(NNN)NN", "N(NNN)NN", "supraventricular")
    assert both.long == EventRates(1, 0, 1, 0)


@pytest.mark.parametrize(
    ("symbols", "labels"),
    [
        ("N(N)N", "N{S}N"),
        ("((N", "{OS"),
        ("[[]]", "[O]O"),
        ("(N[N]N", "{S[N]N"),
        ("{N)N", "[N]N"),
        ("(xN", "{OS"),
        ("]|?/", "OOQQ"),
    ],
)
def test_labels_follow_the_rhythm(symbols, labels):
    assert "".join(label for _, label in label_runs(rhythm(symbols))) == labels


def test_unreadable_signal_ends_a_run():
    file = Annotations.of([100, 200, 250, 300, 400], list("VV~VN"), subtype=[0, 0, 0x30, 0, 0])
    matrix = compare_runs(file, file, 100.0, 1000, "ventricular", learning_s=0.0)
    assert matrix.couplets == EventRates(1, 0, 1, 0)
    assert [label for _, label in label_runs(file)] == list("VVUVN")


def test_a_run_at_the_end_of_the_file_counts_but_not_one_across_the_record_end():
    file = rhythm("NNVV")
    assert compare_runs(file, file, 100.0, 400, "ventricular", learning_s=0.0).couplets.tps == 1
    assert compare_runs(file, file, 100.0, 390, "ventricular", learning_s=0.0).couplets.tps == 0


def test_fibrillation_from_the_learning_period_counts():
    file = Annotations.of([100, 40_000, 40_100], ["[", "]", "N"])
    matrix = compare_runs(file, file, 100.0, 50_000, "ventricular")
    assert matrix.long == EventRates(1, 0, 1, 0)


def test_an_empty_file_has_no_runs():
    assert score("", "VV").couplets == EventRates(0, 0, 0, 1)
    assert score("VV", "").couplets == EventRates(0, 1, 0, 0)


@given(st.text("NVFAQ[]()|", max_size=60), st.text("NVFAQ[]()|", max_size=60))
def test_no_file_breaks_the_walk_and_reference_runs_do_not_depend_on_the_test(one, other):
    for kind in ("ventricular", "supraventricular"):
        against_other = score(one, other, kind)
        against_itself = score(one, one, kind)
        assert (
            against_other.sensitivity.sum(axis=1).tolist()
            == against_itself.sensitivity.sum(axis=1).tolist()
        )
