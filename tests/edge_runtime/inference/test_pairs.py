"""The two-lead classifier: one history a lead, whatever the blocks; loss, switches, restart."""

import dataclasses
import itertools
import json
import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from random_beats import beats, rows

from edge_runtime import golden_engine
from edge_runtime.cli.doctor import command as doctor
from edge_runtime.errors import BundleError
from edge_runtime.inference.bundle import load_bundle_set
from edge_runtime.inference.golden import Status, check_bundle_set
from edge_runtime.inference.manifest import LEADS_OF_ROLE
from edge_runtime.inference.pairs import PairClassifier
from edge_runtime.signal.history import BeatBlock
from edge_runtime.signal.observations import CompanionBeats

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def classifier(paired_set):
    return PairClassifier(paired_set.paired_beats)


def beside(block, lead=1, analysis=0):
    return CompanionBeats(lead, analysis, block)


def masked(block):
    return dataclasses.replace(block, valid=np.zeros(len(block), bool))


def test_scores_sum_to_one_and_both_leads_count(classifier):
    first, second = beats(60, seed=1), beats(60, seed=2)
    both = classifier.classify(first, beside(second))
    np.testing.assert_allclose(both.sum(axis=1), 1.0, rtol=1e-12)
    classifier.reset()
    alone = classifier.classify(first, beside(masked(second)))
    assert np.abs(both - alone).max() > 0.01
    classifier.reset()
    np.testing.assert_array_equal(classifier.classify(first), alone)


def test_which_lead_is_which_does_not_matter(classifier):
    first, second = beats(60, seed=1, masked=0.2), beats(60, seed=2, masked=0.2)
    said = classifier.classify(first, beside(second))
    classifier.reset()
    np.testing.assert_array_equal(classifier.classify(second, beside(first)), said)


@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(0, 90), max_size=8))
def test_scores_do_not_depend_on_the_blocks(paired_set, cuts):
    classifier = PairClassifier(paired_set.paired_beats)
    first, second = beats(90, seed=1, masked=0.3), beats(90, seed=2, masked=0.3)
    whole = classifier.classify(first, beside(second))
    edges = [0, *sorted(cuts), 90]
    classifier.reset()
    parts = [
        classifier.classify(rows(first, a, b), beside(rows(second, a, b)))
        for a, b in itertools.pairwise(edges)
    ]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_a_beat_is_scored_by_the_lead_that_shows_it(classifier):
    first, second = beats(50, seed=3, masked=0.4), beats(50, seed=4, masked=0.4)
    scores = classifier.classify(first, beside(second))
    np.testing.assert_array_equal(np.isnan(scores).all(axis=1), ~(first.valid | second.valid))


def test_a_switch_of_roles_changes_nothing(classifier):
    first, second = beats(60, seed=5), beats(60, seed=6)
    whole = classifier.classify(first, beside(second))
    classifier.reset()
    classifier.classify(rows(first, 0, 30), beside(rows(second, 0, 30)))
    later = classifier.classify(rows(second, 30, 60), beside(rows(first, 30, 60), 0, 1))
    np.testing.assert_array_equal(later, whole[30:])
    assert classifier.leads == (0, 1)


def test_a_third_lead_takes_the_place_of_the_one_that_leaves(classifier):
    first, second, third = (beats(40, seed=seed) for seed in (7, 8, 9))
    classifier.classify(first, beside(second))
    classifier.classify(rows(first, 0, 1), beside(rows(third, 0, 1), 2))
    assert classifier.leads == (0, 2)
    later = classifier.classify(rows(first, 1, 40), beside(rows(third, 1, 40), 2))
    # Nothing of the second lead is left: the same as if it had never been.
    classifier.reset()
    classifier.classify(first, beside(masked(second)))
    classifier.classify(rows(first, 0, 1), beside(rows(third, 0, 1), 2))
    again = classifier.classify(rows(first, 1, 40), beside(rows(third, 1, 40), 2))
    np.testing.assert_array_equal(later, again)


def test_scores_of_subsets_are_those_of_each_lead_alone(classifier):
    first, second = beats(45, seed=10), beats(45, seed=11)
    said = classifier.classify(first, beside(second))
    state = classifier.snapshot()
    subsets = classifier.subset_scores()
    assert list(subsets) == [(0, 1), (0,), (1,)]
    assert classifier.snapshot() == state
    np.testing.assert_array_equal(subsets[0, 1], said[-1])
    for lead, block in ((0, first), (1, second)):
        classifier.reset()
        np.testing.assert_array_equal(subsets[lead,], classifier.classify(block)[-1])
    classifier.classify(rows(first, 0, 1), beside(masked(rows(second, 0, 1))))
    assert list(classifier.subset_scores()) == [(0,)]
    classifier.reset()
    assert classifier.subset_scores() == {}


def test_a_restart_goes_on_as_if_nothing_had_happened(classifier, paired_set):
    first, second = beats(60, seed=12, masked=0.2), beats(60, seed=13, masked=0.2)
    whole = classifier.classify(first, beside(second))
    classifier.reset()
    classifier.classify(rows(first, 0, 25), beside(rows(second, 0, 25)))
    other = PairClassifier(paired_set.paired_beats)
    other.restore(classifier.snapshot())
    later = other.classify(rows(first, 25, 60), beside(rows(second, 25, 60)))
    np.testing.assert_array_equal(later, whole[25:])
    with pytest.raises(BundleError, match="another bundle"):
        other.restore(dataclasses.replace(classifier.snapshot(), bundle="another"))


def test_evidence_maps_are_of_one_lead(classifier):
    block = beats(20, seed=5, masked=0.2)
    maps = classifier.evidence(block)
    assert maps.shape[0] == 20
    np.testing.assert_array_equal(np.isnan(maps).all(axis=(1, 2)), ~block.valid)
    assert classifier.classify(BeatBlock.empty()).shape == (0, len(classifier.classes))


def test_the_set_reproduces_the_vectors_of_both_bundles(paired_set):
    report = check_bundle_set(paired_set.where, golden_engine.run_engine)
    of_beats = [tier.name for tier in report.tiers if tier.bundle in LEADS_OF_ROLE]
    assert of_beats == [
        "a", "b", "c", "beats-2lead a", "beats-2lead b", "beats-2lead c",
    ]  # fmt: skip
    assert {tier.status for tier in report.tiers} == {Status.PASSED}


def test_the_doctor_examines_both_bundles(paired_set):
    setting = f"bundles.directory={paired_set.where}"
    result = CliRunner().invoke(
        doctor, ["--json", "--set", setting, "--set", "store.directory=/tmp"]
    )
    subjects = {finding["subject"] for finding in json.loads(result.stdout)}
    assert {"golden vectors (c)", "golden vectors (beats-2lead c)"} <= subjects


@pytest.fixture
def copied(paired_set, tmp_path):
    return shutil.copytree(paired_set.where, tmp_path / "copy")


def test_a_damaged_second_bundle_is_refused(copied):
    path = copied / "beats-2lead" / "context.tflite"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    with pytest.raises(BundleError, match=r"beats-2lead/context\.tflite does not match its hash"):
        load_bundle_set(copied)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('beats-2lead = "beats-2lead"', 'beats-3lead = "beats-2lead"', "this version uses"),
        ('beats-2lead = "beats-2lead"', 'beats-2lead = "beats"', "takes 1 leads"),
        ('beats = "beats"', 'beats = "beats-2lead"', "takes 2 leads"),
    ],
)
def test_a_bundle_in_the_wrong_role_is_refused(copied, old, new, message):
    path = copied / "set.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(BundleError, match=message):
        load_bundle_set(copied)
