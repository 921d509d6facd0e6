"""Episodes in hand-made files (fs 100 Hz; the comparison runs from 10 s to 100 s)."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.records import Annotations
from model_build.evaluate.ec57 import EpisodeRules, EventRates, compare_episodes
from model_build.evaluate.ec57.episodes import Coverage

END = 10_000


def af(*changes: tuple[int, str]) -> Annotations:
    return Annotations.of([at for at, _ in changes], ["+"] * len(changes), [t for _, t in changes])


def episodes(*intervals: tuple[int, int]) -> Annotations:
    return af(*[change for a, b in intervals for change in ((a, "(AFIB"), (b, "(N"))])


def vf(*marks: tuple[int, str]) -> Annotations:
    return Annotations.of([at for at, _ in marks], [symbol for _, symbol in marks])


def score(reference, test, kind="af", *, end=END, **rules):
    return compare_episodes(
        reference, test, 100.0, end, kind, EpisodeRules(**{"learning_s": 10.0, **rules})
    )


def test_overlap_of_one_sample_is_enough_and_touching_is_not():
    reference = episodes((2000, 3000))
    assert score(reference, episodes((2999, 4000))).episodes == EventRates(1, 0, 1, 0)
    assert score(reference, episodes((3000, 4000))).episodes == EventRates(0, 1, 0, 1)


def test_durations_add_up_what_is_shared():
    found = score(episodes((2000, 4000)), episodes((1500, 2500), (3000, 3500)))
    assert found.episodes == EventRates(1, 0, 2, 0)
    assert found.reference == Coverage(1000, 2000)
    assert found.test == Coverage(1000, 1500)
    assert found.reference.part == 0.5


def test_episodes_are_cut_to_the_comparison():
    found = score(episodes((500, 2000), (9000, 20_000)), episodes((500, 20_000)))
    assert found.reference == Coverage(2000, 2000)
    assert found.test == Coverage(2000, 9000)


def test_an_episode_that_ends_as_the_comparison_starts_counts_with_no_duration():
    assert score(episodes((500, 1000)), episodes()).episodes == EventRates(0, 1, 0, 0)
    assert score(episodes((500, 999)), episodes()).episodes == EventRates(0, 0, 0, 0)
    assert score(episodes((10_000, 10_500)), episodes()).episodes == EventRates(0, 0, 0, 0)


def test_only_other_rhythm_changes_end_af():
    reference = Annotations.of(
        [2000, 2200, 2400, 2600, 3000],
        ["+", "[", "+", "+", "+"],
        ["(AFIB", "", "(AFIB", "", "(AFL"],
    )
    assert score(reference, episodes()).reference.duration == 1000
    assert score(af((2000, "(AF"), (3000, "(N")), episodes()).episodes.fn == 0


def test_vf_is_from_bracket_to_bracket():
    reference = vf((1500, "]"), (2000, "["), (2100, "["), (2200, "!"), (3000, "]"), (3100, "]"))
    assert score(reference, vf(), "vf").reference == Coverage(0, 1000)


def test_an_open_episode_lasts_to_the_end_or_to_a_later_annotation():
    reference = vf((2000, "["), (5000, "N"))
    assert score(reference, vf(), "vf").reference.duration == 8000
    assert score(reference, vf(), "vf", until_s=inf).reference.duration == 3000
    assert score(reference, vf(), "vf", until_s=200.0).reference.duration == 18_000


def test_short_episodes():
    reference, test = episodes((2000, 2100)), episodes((2000, 4000))
    found = score(reference, test, shortest_s=5.0)
    assert found.episodes == EventRates(0, 0, 1, 0)
    strict = score(reference, test, shortest_s=5.0, short_overlap=False)
    assert strict.episodes == EventRates(0, 0, 0, 1)


@pytest.mark.parametrize(
    ("test", "left"),
    [
        ((3200, 3800), None),  # inside flutter: counted nowhere
        ((2500, 4500), 1000),  # flutter inside
        ((2500, 3500), 500),  # ends in flutter
        ((3500, 4500), 500),  # begins in it
        ((5000, 6000), 1000),  # apart
    ],
)
def test_flutter_taken_out(test, left):
    reference = af((2000, "(AFIB"), (3000, "(AFL"), (4000, "(N"))
    found = score(reference, episodes(test), flutter="ec38-1998")
    assert found.test.duration == (left or 0)
    assert found.episodes.tpp + found.episodes.fp == (left is not None)
    # Sensitivity knows no flutter.
    assert found.reference == score(reference, episodes(test)).reference


def test_the_sign_error_has_a_name():
    reference = af((3000, "(AFL"), (4000, "(N"))
    test = episodes((3500, 4500))
    assert score(reference, test, flutter="epicmp-x").test.duration == 1500
    assert score(reference, test, flutter="ec57").test.duration == 1000


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match="say where to end"):
        score(episodes(), episodes(), end=None)
    with pytest.raises(ValueError, match="before it starts"):
        score(episodes(), episodes(), end=900)


edges = st.lists(st.integers(0, 12_000), max_size=16, unique=True).map(sorted)


@given(edges, edges, st.sampled_from(["ec57", "ec38-1998"]))
def test_no_more_is_shared_than_there_is(one, other, flutter):
    reference = episodes(*zip(one[::2], one[1::2], strict=False))
    test = episodes(*zip(other[::2], other[1::2], strict=False))
    found = score(reference, test, flutter=flutter)
    assert 0 <= found.reference.overlap <= found.reference.duration
    assert found.reference.overlap == found.test.overlap
    itself = score(reference, reference, flutter=flutter)
    assert itself.reference == itself.test
