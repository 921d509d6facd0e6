"""Golden vectors: what passes, what fails, and the older runtime in its own environment."""

import dataclasses
import io
import itertools
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edge_runtime import golden_engine
from edge_runtime.errors import BundleError
from edge_runtime.events import BeatClass, BeatClassified, BeatDetected
from edge_runtime.inference import golden
from edge_runtime.inference.bundle import load_bundle_set
from edge_runtime.inference.excerpt import Excerpt
from edge_runtime.inference.golden import Status, check_bundle_set, read_golden, require_golden
from edge_runtime.inference.interpreter import Kernels, find_runtime
from firmware_bridge.stream import Gap, SampleChunk

ROOT = Path(__file__).parents[3]


def statuses(report):
    return {tier.name: tier.status for tier in report.tiers}


def test_the_shipped_set_reproduces_its_vectors():
    report = check_bundle_set(run_engine=golden_engine.run_engine)
    tiers = (*"abc", "delineation b", "delineation c", "rhythm b", "rhythm c")
    assert statuses(report) == dict.fromkeys(tiers, Status.PASSED)
    assert report.passed
    require_golden(report)


def rewrite(copy, bundle="beats", **changed):
    path = copy.folder / bundle / "golden.npz"
    with np.load(path) as stored:
        arrays = {key: stored[key] for key in stored.files}
    buffer = io.BytesIO()
    np.savez(buffer, **{**arrays, **changed})
    path.write_bytes(buffer.getvalue())
    copy.seal(f"{bundle}/golden.npz")


def test_one_bit_off_in_a_conditioned_sample_fails_tier_a(copy, shipped):
    conditioned = read_golden(shipped.beats)["conditioned"].copy()
    conditioned[700, 0] = np.nextafter(conditioned[700, 0], np.inf)
    rewrite(copy, conditioned=conditioned)
    report = check_bundle_set(copy.folder)
    assert statuses(report)["a"] is Status.FAILED
    assert not report.passed
    with pytest.raises(BundleError, match=r"\(a\) 1 of .* samples differ"):
        require_golden(report)


@pytest.mark.parametrize(("array", "tier"), [("places", "b"), ("seconds", "c")])
def test_a_delineation_that_says_otherwise_fails_its_tier(copy, shipped, array, tier):
    with np.load(io.BytesIO(shipped.delineation.golden)) as stored:
        changed = stored[array].copy()
    changed[5, ..., 4] += 6
    rewrite(copy, "delineation", **{array: changed})
    found = statuses(check_bundle_set(copy.folder))
    failed = [name for name, status in found.items() if status is Status.FAILED]
    assert failed == [f"delineation {tier}"]


def test_steps_apart_fail_or_pass_tier_b_by_the_runtime(copy, shipped):
    logits = read_golden(shipped.beats)["logits"].astype(np.int16)
    logits[5] += np.where(logits[5] > 0, -3, 3)
    rewrite(copy, logits=logits.astype(np.int8))
    same = shipped.beats.manifest.golden.kernels
    exact = dataclasses.replace(find_runtime(), kernels=same)
    assert statuses(check_bundle_set(copy.folder, runtime=exact))["b"] is Status.FAILED
    loose = dataclasses.replace(exact, kernels=Kernels.TFLITE)
    report = check_bundle_set(copy.folder, runtime=loose)
    assert statuses(report)["b"] is Status.PASSED
    assert "logits 3" in report.tiers[1].detail


def test_golden_vectors_that_lack_something_are_refused(copy):
    path = copy.folder / "beats" / "golden.npz"
    buffer = io.BytesIO()
    np.savez(buffer, window=np.zeros(3))
    path.write_bytes(buffer.getvalue())
    copy.seal("beats/golden.npz")
    with pytest.raises(BundleError, match="lacks the golden vectors cam, conditioned"):
        check_bundle_set(copy.folder)


def events(scores, shift=0):
    classes = "NSVFX"
    for number, row in enumerate(scores):
        at = 360 * number + shift
        yield BeatDetected(at=at, decided=at + 100, lead="I", rr_s=None, heart_rate_bpm=None)
        yield BeatClassified(
            at=at,
            decided=at + 200,
            label=BeatClass(classes[int(np.argmax(row[:-1]))]),
            scores=dict(zip(classes, row, strict=True)),
        )


@pytest.fixture
def told(copy):
    """A set whose vectors hold the events of a made-up engine."""
    scores = np.random.default_rng(0).dirichlet([0.2] * 5, 100).round(4).tolist()
    rewrite(copy, **golden.record_events(events(scores), tuple("NSVFX")))
    return copy.folder, scores


def outcome(folder, scores, *, exact=True, shift=0):
    same = load_bundle_set(folder).beats.manifest.golden.kernels
    kernels = same if exact else Kernels.TFLITE
    runtime = dataclasses.replace(find_runtime(), kernels=kernels)
    report = check_bundle_set(folder, lambda _set, _items, _mains: events(scores, shift), runtime)
    return next(tier for tier in report.tiers if tier.tier == "c")


def test_equal_events_pass_tier_c(told):
    folder, scores = told
    assert outcome(folder, scores).status is Status.PASSED


def test_a_moved_peak_fails_tier_c(told):
    folder, scores = told
    found = outcome(folder, scores, shift=1)
    assert (found.status, "first at number 0" in found.detail) == (Status.FAILED, True)


def test_a_missing_beat_fails_tier_c(told):
    folder, scores = told
    assert "99 found, 100 stored" in outcome(folder, scores[:-1]).detail


def test_a_beat_on_the_border_may_be_missing_on_another_arithmetic(told):
    folder, scores = told
    assert outcome(folder, scores[:-1], exact=False).status is Status.PASSED
    assert outcome(folder, scores[:-4], exact=False).status is Status.FAILED


def test_scores_may_differ_within_the_tolerance_only(told, shipped):
    folder, scores = told
    tolerance = shipped.beats.manifest.golden.score_tolerance
    near = [[value + 0.5 * tolerance for value in row] for row in scores]
    far = [[value + 1.5 * tolerance for value in row] for row in scores]
    assert outcome(folder, near).status is Status.PASSED
    assert outcome(folder, far).status is Status.FAILED
    assert outcome(folder, far, exact=False).status is Status.PASSED


@pytest.mark.parametrize("apart", [1.1 * golden.INEXACT_SCORES_APART, np.nan])
def test_scores_are_bounded_on_another_arithmetic_too(told, apart):
    """Every class is still the stored one; one score of one beat is not."""
    folder, scores = told
    off = [list(row) for row in scores]
    off[7][int(np.argmax(off[7]))] += apart
    found = outcome(folder, off, exact=False)
    assert (found.status, "100.00% of classes" in found.detail) == (Status.FAILED, True)


def test_an_exact_runtime_must_find_every_class(told):
    folder, scores = told
    one_off = [row[::-1] if number == 7 else row for number, row in enumerate(scores)]
    assert outcome(folder, one_off).status is Status.FAILED


def test_the_engine_gets_the_excerpt_with_its_gap(copy, told):
    folder, scores = told
    items = []

    def engine(_set, stream, mains_hz):
        if mains_hz == 60:  # the beats' excerpt; the rhythm's is of another grid
            items.extend(stream)
        return events(scores)

    check_bundle_set(folder, engine)
    gaps = [item for item in items if isinstance(item, Gap)]
    chunks = [item for item in items if isinstance(item, SampleChunk)]
    assert len(gaps) == 1
    after = next(chunk for chunk in chunks if chunk.first > gaps[0].first)
    assert after.first == gaps[0].first + gaps[0].n_missing
    for one, following in itertools.pairwise(chunks):
        hole = gaps[0].n_missing if following.first == after.first else 0
        assert following.first == one.end + hole


def test_an_excerpt_survives_storing(shipped):
    stored = read_golden(shipped.beats)
    excerpt = Excerpt.from_arrays(stored)
    again = Excerpt.from_arrays(excerpt.to_arrays())
    assert (again.rate_hz, again.leads) == (excerpt.rate_hz, excerpt.leads)
    np.testing.assert_array_equal(again.counts, excerpt.counts)


def tflite_python():
    path = Path(os.environ.get("ECG_TFLITE_PYTHON", ROOT / ".venv-tflite/bin/python"))
    if path.is_file():
        return path
    reason = f"no Python with tflite-runtime at {path}; set ECG_TFLITE_PYTHON"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def test_tflite_runtime_reproduces_the_vectors_within_five_steps():
    done = subprocess.run(
        [tflite_python(), "-m", "edge_runtime.golden_engine"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["runtime"].startswith("tflite-runtime 2.14")
    assert {tier["status"] for tier in report["tiers"]} == {"passed"}
    assert {tier["bundle"] for tier in report["tiers"]} >= {"beats", "delineation", "rhythm"}
    assert "(allowed 5)" in report["tiers"][1]["detail"]


def test_the_module_tells_a_person_what_is_wrong(capsys, tmp_path):
    assert golden_engine.main([str(tmp_path)]) == 1
    assert "holds no set.toml" in capsys.readouterr().err
