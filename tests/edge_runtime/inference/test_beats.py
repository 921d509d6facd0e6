"""The beat classifier: one history, whatever the blocks; masks; restart."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_beats import beats, rows

from edge_runtime.errors import BundleError
from edge_runtime.inference.beats import BeatClassifier, FeatureScaler, ScoreTable
from edge_runtime.inference.golden import read_golden
from edge_runtime.inference.interpreter import Quantization, find_runtime
from edge_runtime.inference.manifest import FeatureScaling
from edge_runtime.signal.history import BeatBlock


@pytest.fixture(scope="module")
def classifier(shipped):
    return BeatClassifier(shipped.beats)


def fresh(classifier):
    classifier.reset()
    return classifier


def test_scores_sum_to_one(classifier):
    scores = fresh(classifier).classify(beats(50))
    assert scores.shape == (50, 5)
    np.testing.assert_allclose(scores.sum(axis=1), 1.0, rtol=1e-12)
    assert (scores >= 0).all()


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, 90), max_size=8), masked=st.sampled_from([0.0, 0.3]))
def test_scores_do_not_depend_on_the_blocks(classifier, cuts, masked):
    block = beats(90, seed=1, masked=masked)
    whole = fresh(classifier).classify(block)
    edges = [0, *sorted(cuts), 90]
    fresh(classifier)
    parts = [
        classifier.classify(rows(block, first, last)) for first, last in itertools.pairwise(edges)
    ]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_a_restart_goes_on_as_if_nothing_had_happened(classifier, shipped):
    block = beats(60, seed=2, masked=0.2)
    whole = fresh(classifier).classify(block)
    fresh(classifier).classify(rows(block, 0, 25))
    state = classifier.snapshot()
    other = BeatClassifier(shipped.beats)
    other.restore(state)
    np.testing.assert_array_equal(other.classify(rows(block, 25, 60)), whole[25:])


def test_a_snapshot_of_another_bundle_is_refused(classifier):
    state = dataclasses.replace(classifier.snapshot(), bundle="another")
    with pytest.raises(BundleError, match="another bundle"):
        classifier.restore(state)


def test_a_masked_beat_has_no_scores_and_its_content_does_not_matter(classifier):
    block = beats(40, seed=3)
    valid = np.ones(40, bool)
    valid[[0, 17, 18]] = False
    one = dataclasses.replace(block, valid=valid)
    loud = block.window.copy()
    loud[~valid] = 1e6
    other = dataclasses.replace(one, window=loud, features=block.features * valid[:, None])
    first = fresh(classifier).classify(one)
    np.testing.assert_array_equal(np.isnan(first).all(axis=1), ~valid)
    np.testing.assert_array_equal(fresh(classifier).classify(other), first)


def test_only_the_last_31_beats_count(classifier):
    block = beats(80, seed=4)
    whole = fresh(classifier).classify(block)
    later = fresh(classifier).classify(rows(block, 30, 80))
    np.testing.assert_array_equal(later[30:], whole[60:])


def test_the_stored_golden_logits_come_out_of_the_classifier(classifier, shipped):
    """Fed with the golden beats' numbers, the classifier finds the golden logits' scores."""
    stored = read_golden(shipped.beats)
    encoder = shipped.beats.open_encoder()
    manifest = shipped.beats.manifest
    centre, scale = (
        np.array([getattr(f, name) for f in manifest.features], np.float64)
        for name in ("centre", "scale")
    )
    features = encoder.quantization["features"].to_real(stored["features"]) * scale + centre
    n = len(features)
    block = BeatBlock(
        np.arange(n, dtype=np.int64),
        encoder.quantization["window"].to_real(stored["window"][..., 0]),
        encoder.quantization["template"].to_real(stored["template"][..., 0]),
        features.astype(np.float32),
        np.ones(n, bool),
        np.zeros(n, bool),
        np.ones(n, np.float32),
    )
    logits = shipped.beats.open_context().quantization["logits"].to_real(stored["logits"][:, 0])
    expected = softmax(logits.astype(float) / manifest.temperature + manifest.log_bias)
    same = find_runtime().kernels is manifest.golden.kernels
    tolerance = 1e-6 if same else 0.1  # a step of an embedding moves a score by some hundredths
    np.testing.assert_allclose(fresh(classifier).classify(block), expected, atol=tolerance)


def softmax(x):
    weights = np.exp(x - x.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def test_temperature_and_bias_are_folded_into_the_scores(shipped):
    manifest = dataclasses.replace(
        shipped.beats.manifest, temperature=2.5, log_bias=(0.0, -1.0, 0.5, -3.0)
    )
    logits = np.array([[-128, 127, 0, 5], [10, 10, 10, 10]], np.int8)
    quantization = Quantization(scale=0.15, zero_point=-20)
    real = quantization.to_real(logits).astype(float)
    np.testing.assert_allclose(
        ScoreTable(manifest, quantization)(logits),
        softmax(real / 2.5 + manifest.log_bias),
        rtol=1e-9,
    )


def test_features_are_centred_scaled_and_clipped():
    scale = FeatureScaler(
        (
            FeatureScaling("rr", "ln", centre=1.0, scale=2.0, clip=4.0),
            FeatureScaling("p", "corr", centre=0.0, scale=0.1, clip=3.0),
        )
    )
    found = scale(np.array([[5.0, 0.05], [-99.0, 99.0]], np.float32))
    np.testing.assert_allclose(found, [[2.0, 0.5], [-4.0, 3.0]], rtol=1e-6)


def test_evidence_maps_leave_the_history_alone(classifier):
    block = beats(20, seed=5, masked=0.2)
    state = fresh(classifier).snapshot()
    maps = classifier.evidence(block)
    assert maps.shape == (20, 20, 5)
    np.testing.assert_array_equal(np.isnan(maps).all(axis=(1, 2)), ~block.valid)
    assert classifier.snapshot() == state


def test_no_beats_give_no_scores(classifier):
    assert classifier.classify(BeatBlock.empty()).shape == (0, 5)
