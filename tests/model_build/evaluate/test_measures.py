"""Calibration, noise, the database probe and out-of-fold scores: each against a plain witness."""

from fractions import Fraction

import numpy as np
import pytest

from firmware_bridge.records import Annotations, write_annotations
from model_build.datasets.catalogue import database
from model_build.datasets.recording import Group, Recording
from model_build.errors import RecipeError
from model_build.evaluate.document import Document, Figure, Listing, Section, Table, Text
from model_build.evaluate.document import to_markdown as markdown
from model_build.evaluate.ec57 import compare_beats
from model_build.evaluate.fibrillation import AfErrors, episode_errors
from model_build.evaluate.html import to_html
from model_build.evaluate.noise_levels import (
    KINDS,
    LEVELS_DB,
    Noise,
    in_noise,
    noisy,
    stress_recordings,
)
from model_build.evaluate.out_of_fold import FoldScores, OutOfFold, WrongBeat, join
from model_build.evaluate.probe import auc, database_probe
from model_build.evaluate.reliability import Reliability, measure, paired_truth
from model_build.evaluate.worst_beats import strips_of
from model_build.study.results import CellResult, append, out_of_fold, read
from tests.records_on_disk import write_record

CLASSES = ("N", "S", "V", "F")


def test_scores_that_are_frequencies_are_calibrated():
    random = np.random.default_rng(1)
    p = random.random(40_000)
    scores = np.stack([p, 1 - p, 0 * p, 0 * p], axis=1)
    truth = (random.random(len(p)) > p).astype(np.int64)
    found = measure(CLASSES, scores, truth)
    assert found.ece("N") < 0.01
    assert found.ece("best class") < 0.01
    bolder = measure(CLASSES, np.where(scores > 0.5, 1.0, 0.0), truth)
    assert bolder.ece("N") == pytest.approx(0.25, abs=0.01)


def test_calibration_adds_up_and_survives_json():
    random = np.random.default_rng(2)
    scores = random.dirichlet(np.ones(4), 500)
    scores[7] = np.nan
    truth = random.integers(0, 4, 500)
    whole = measure(CLASSES, scores, truth)
    parts = measure(CLASSES, scores[:200], truth[:200]) + measure(
        CLASSES, scores[200:], truth[200:]
    )
    np.testing.assert_allclose(parts.table, whole.table)
    assert whole.table[0, :, 0].sum() == 499
    again = Reliability.of_json(whole.as_json())
    assert again.ece("V") == pytest.approx(whole.ece("V"), abs=1e-3)


def test_only_paired_beats_of_known_classes_are_judged():
    at = np.arange(300) * 1000
    symbols = ["N"] * 300
    symbols[290], symbols[291], symbols[292] = "V", "Q", "A"
    said = Annotations.of(np.append(at[:295], 294_500), ["N"] * 296)
    where, truth = paired_truth(Annotations.of(at, symbols), said, CLASSES, 360.0, 300_000)
    judged = dict(zip(said.sample[where].tolist(), truth.tolist(), strict=True))
    assert (judged[290_000], judged[292_000], judged[293_000]) == (2, 1, 0)
    assert 291_000 not in judged
    assert 294_500 not in judged
    assert min(judged) >= 300 * 360


def test_noise_has_the_level_it_is_said_to_have():
    fs = Fraction(360)
    random = np.random.default_rng(3)
    raw = np.zeros(500 * 360, np.float32)
    beats = np.arange(200, len(raw), 300)
    raw[beats] = 1.0
    wave = random.standard_normal(1800 * 360)
    noise = Noise(wave, 1.0)
    mixed = noisy(raw, fs, beats, noise, 6.0)
    added = (mixed - raw)[300 * 360 :]
    np.testing.assert_array_equal(mixed[: 300 * 360], raw[: 300 * 360])
    # nst: the signal's power is an eighth of the squared QRS height.
    assert 10 * np.log10(1.0 / 8 / added.var()) == pytest.approx(6.0, abs=0.1)
    other = noisy(raw, fs, beats, noise, 6.0, skip=len(wave) // 2)
    assert abs(np.corrcoef(other[300 * 360 :], mixed[300 * 360 :])[0, 1]) < 0.1


def test_two_leads_are_heard_in_noise_of_their_own(tmp_path):
    random = np.random.default_rng(5)
    beats = np.arange(200, 330 * 360, 300)
    raw = np.zeros((330 * 360, 2))
    raw[beats] = 1.0
    path = write_record(tmp_path / "100", raw, 360)
    write_annotations(path.with_suffix(".atr"), Annotations.of(beats, ["N"] * len(beats)))
    for kind in KINDS:
        write_record(tmp_path / kind, 0.2 * random.standard_normal((1800 * 360, 2)), 360)
    recording = Recording("mitdb", "100", "mitdb/100", path, Group.BEATS, "atr")
    heard = []

    def speak(samples, fs):
        heard.append(samples)
        return Annotations.of([], [])

    found = in_noise([recording], speak, tmp_path, n_leads=2)
    assert [(level.kind, level.level_db) for level in found[:2]] == [("ma", 24), ("ma", 18)]
    quiet, loud = heard[0], heard[LEVELS_DB.index(-6)]
    assert quiet.shape == (330 * 360, 2)
    added = (loud - quiet)[300 * 360 :]
    assert added.std(axis=0).min() > 0.05
    assert abs(np.corrcoef(added.T)[0, 1]) < 0.1


def test_the_stress_test_knows_its_patients(tmp_path):
    groups = stress_recordings(tmp_path)
    assert sorted(groups) == [-6, 0, 6, 12, 18, 24]
    assert {r.subject for group in groups.values() for r in group} == {"mitdb/118", "mitdb/119"}
    assert groups[-6][0].record == "118e_6"
    pinned = database("nstdb-stress")
    assert {r.record for group in groups.values() for r in group} == set(pinned.records)
    assert pinned.folder(tmp_path) == tmp_path / "nstdb"


def test_the_area_under_the_curve_counts_ties_half():
    assert auc(np.array([1.0, 2.0, 3.0]), np.array([False, True, True])) == 1.0
    assert auc(np.array([1.0, 1.0]), np.array([False, True])) == 0.5
    assert np.isnan(auc(np.ones(3), np.ones(3, bool)))


def test_the_probe_finds_an_archive_only_where_there_is_a_trace():
    random = np.random.default_rng(4)
    subjects = [f"p{k // 20}" for k in range(800)]
    folds = [(k // 20) % 5 for k in range(800)]
    second = np.array([(k // 20) % 2 == 1 for k in range(800)])
    rows = random.standard_normal((800, 6))
    blind = database_probe(rows, second, subjects, folds)
    assert abs(blind["auc_beats"] - 0.5) < 0.1
    rows[:, 2] += 3.0 * second
    seeing = database_probe(rows, second, subjects, folds)
    assert seeing["auc_beats"] > 0.95
    assert (seeing["auc_subjects"], seeing["subjects"]) == (1.0, 40)


def test_false_s_counts_within_fibrillation_only():
    reference = Annotations.of([0, 1000, 2000], ["+", "+", "+"], ["(N", "(AFIB", "(N"])
    at = np.array([500, 1100, 1200, 1300, 2100])
    found = episode_errors(reference, at, ["S", "S", "S", "N", "S"], np.array([0, 0, 1, 0, 0]) > 0)
    assert found == AfErrors(3, 1)


def fold_scores(key: str, missed: int) -> FoldScores:
    at = 200 + 300 * np.arange(900)
    symbols = np.full(900, "N")
    symbols[::10], symbols[5::10] = "V", "A"
    said = np.where(symbols == "A", "S", symbols)
    said[np.flatnonzero(symbols == "V")[-missed:]] = "N"
    matrix = compare_beats(Annotations.of(at, symbols), Annotations.of(at, said), 360.0, 270_500)
    reliability = measure(CLASSES, np.full((10, 4), 0.25), np.zeros(10, np.int64))
    worst = (WrongBeat(key, 123, "V", "N", 0.98),)
    return FoldScores({key: matrix}, {key: AfErrors(500, 5)}, {key: key}, reliability, worst)


def result(seed: int, fold: int, code: str = "c1", missed: int = 3) -> CellResult:
    scores = fold_scores(f"svdb/8{fold}{seed}", missed)
    identity = f"{code}-{seed}-{fold}"
    return CellResult(
        identity, "beats", "base", "student", "r", "r", code, seed, fold, 60.0, scores
    )


def test_results_survive_the_ledger_once(tmp_path):
    ledger = tmp_path / "results" / "beats.jsonl"
    append(ledger, [result(1, 0), result(1, 1)])
    append(ledger, [result(1, 1), result(2, 0)])
    found = read(ledger)
    assert [one.cell for one in found] == ["c1-1-0", "c1-1-1", "c1-2-0"]
    before, after = join([result(1, 0).scores]), join([found[0].scores])
    assert after.j == before.j
    assert after.total.veb == before.total.veb
    assert found[0].scores.worst == result(1, 0).scores.worst


def test_out_of_fold_results_are_of_one_code_and_whole_seeds():
    cells = [result(seed, fold, "old") for seed in (1, 2, 3) for fold in (0, 1)]
    cells += [result(seed, fold, "new", missed=seed) for seed in (1, 2) for fold in (0, 1)]
    cells.append(result(3, 0, "new"))
    found = out_of_fold(cells, "r")
    assert isinstance(found, OutOfFold)
    assert (sorted(found.by_seed), found.folds, found.seed) == ([1, 2], (0, 1), 1)
    assert found.reliability.table[0, :, 0].sum() == 20
    mean, deviation = found.spread()["veb_f1"]
    assert 0.9 < mean < 1.0
    assert deviation > 0
    assert out_of_fold(cells, "another") is None


def test_nobody_looks_at_tested_people(tmp_path):
    with pytest.raises(RecipeError, match="both sides"):
        strips_of(tmp_path, [WrongBeat("mitdb/232", 1000, "S", "N", 0.9)])


def test_a_document_reads_alike_in_both_forms():
    sections = (
        Section("Result", (Table(("", "F1 %"), (("VEB <1>", "94.30"), ("S", "-"))),)),
        Section("Drawn", (Figure("<svg></svg>", "a `caption`"),)),
    )
    document = Document("Title", (Text("**bold** & `code`"), Listing(("one",))), sections)
    page, text = to_html(document), markdown(document)
    assert "| VEB <1> | 94.30 |" in text
    assert "Drawn" not in text
    assert '<td class="words">VEB &lt;1&gt;</td><td>94.30</td>' in page
    assert "<strong>bold</strong> &amp; <code>code</code>" in page
    assert '<h2 id="drawn">' in page
