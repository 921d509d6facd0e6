"""The golden signal: what it is made of, and that the shipped set holds exactly it."""

import numpy as np
import pytest

from edge_runtime.inference.bundle import load_bundle_set
from edge_runtime.inference.excerpt import Excerpt
from edge_runtime.inference.golden import read_golden
from edge_runtime.signal.spec import read_spec
from firmware_bridge.records import read_annotations, read_counts
from model_build import golden_source
from model_build.datasets.splits import TRAINING_MITDB

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def excerpt(data_dir):
    return golden_source.golden_excerpt(data_dir)


def test_the_shipped_set_holds_this_signal(excerpt):
    stored = Excerpt.from_arrays(read_golden(load_bundle_set().beats))
    np.testing.assert_array_equal(stored.counts, excerpt.counts)
    np.testing.assert_array_equal(stored.gaps, excerpt.gaps)
    assert (stored.rate_hz, stored.leads, stored.mains_hz) == (360, ("MLII",), 60)


def test_gap_and_noise_lie_where_they_are_said_to(excerpt, data_dir):
    start, n = 450 * 360, 180 * 360
    record = read_counts(data_dir / "mitdb/223", start, start + n, channels=[0])
    assert len(excerpt.counts) == n - 900
    noisy = slice(60 * 360, 90 * 360)
    assert (excerpt.counts[noisy] != record[noisy]).mean() > 0.5
    np.testing.assert_array_equal(excerpt.counts[: noisy.start], record[: noisy.start])
    after = 120 * 360
    np.testing.assert_array_equal(excerpt.counts[noisy.stop : after], record[noisy.stop : after])
    np.testing.assert_array_equal(excerpt.counts[after:], record[after + 900 :])


def test_it_holds_ectopy_of_both_kinds(data_dir):
    told = read_annotations(data_dir / "mitdb/223.atr")
    inside = (told.sample >= 450 * 360) & (told.sample < 630 * 360)
    symbols = np.array(told.symbol)[inside]
    assert np.isin(symbols, ["A", "a", "J", "S"]).sum() >= 15
    assert np.isin(symbols, ["V", "E"]).sum() >= 30


def test_it_comes_from_a_training_record():
    assert golden_source.RECORD.removeprefix("mitdb/") in TRAINING_MITDB
    # Of the noise only the first 15 minutes may train.
    assert max(golden_source.NOISE_S) <= 15 * 60


def test_its_beats_fill_the_second_tier(excerpt):
    (block,) = golden_source.excerpt_beats(excerpt, read_spec())
    assert block.valid.sum() >= 64


def test_with_two_leads_the_first_is_the_same_and_the_second_is_lost_at_the_end(excerpt, data_dir):
    both = golden_source.golden_excerpt(data_dir, n_leads=2)
    np.testing.assert_array_equal(both.counts[:, :1], excerpt.counts)
    assert both.leads == ("MLII", "V1")
    assert np.ptp(both.counts[-20 * 360 :, 1]) == 0
    first, second = golden_source.excerpt_beats(both, read_spec())
    np.testing.assert_array_equal(first.at, second.at)
    assert second.valid.sum() >= 64
