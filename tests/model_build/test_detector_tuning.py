"""What the choice of the detector's constants may read, and how it counts."""

from fractions import Fraction
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner

from edge_runtime.signal.qrs import QrsDetector
from edge_runtime.signal.qrs_constants import FEATURES, QrsConstants
from firmware_bridge.records import Annotations, read_physical
from model_build.datasets.splits import DS2, require_separate
from model_build.datasets.subjects import subject
from model_build.detector_tuning.corpus import Recording, change_gain, make_case, stand_still
from model_build.detector_tuning.network import Examples, Schedule, fit
from model_build.detector_tuning.noise import (
    EM_S,
    NOISE_FS,
    NoisePool,
    signal_power,
)
from model_build.detector_tuning.report import enter, main, rewrite_nstdb
from model_build.detector_tuning.study import Count, Recorder, collect, count, label, pair, run
from model_build.detector_tuning.tables import GQRS_NSTDB, Row, nstdb_rows, nstdb_table
from model_build.detector_tuning.tentative import Trial, choose, try_thresholds
from model_build.errors import BuildError

FS = 250


def recording(seconds: int = 60, seed: int = 0) -> Recording:
    """Beats of a triangle's shape at 75/min, the fourth of them ventricular, with some noise."""
    n = seconds * FS
    beats = np.arange(FS, n - FS, 200, dtype=np.int64)
    raw = np.random.default_rng(seed).normal(0, 0.01, n)
    for at in beats:
        raw[at - 10 : at + 11] += 1 - np.abs(np.arange(-10, 11)) / 10
    symbols = ["V" if i == 3 else "N" for i in range(len(beats))]
    return Recording("made/up", "made/up", Fraction(FS), raw, Annotations.of(beats, symbols))


def test_electrode_motion_of_the_test_records_is_never_drawn() -> None:
    """118e* and 119e* hold `em` in [300 + 240 k, 420 + 240 k) s."""
    for start, stop in EM_S:
        for k in range(8):
            assert stop <= 300 + 240 * k or start >= 420 + 240 * k


@pytest.mark.data
def test_no_test_subject_and_no_stress_test_patient_chooses(data_dir: Path) -> None:
    from model_build.detector_tuning.corpus import recordings

    people = {one.who for one in recordings(data_dir)}
    require_separate(people)
    assert not people & {subject("mitdb", record) for record in (*DS2, "118", "119")}
    assert {who.partition("/")[0] for who in people} == {"mitdb", "svdb", "cpsc2021"}


@pytest.mark.data
def test_noise_is_about_as_loud_as_nst_makes_it(data_dir: Path) -> None:
    """The gain this code gives the allowed noise at 12 dB, beside that of `em` in 118e12."""
    from model_build.detector_tuning.corpus import load

    clean = load(data_dir / "mitdb", "mitdb", "118")
    noisy = load(data_dir / "nstdb", "nstdb", "118e12")
    em = np.asarray(read_physical(data_dir / "nstdb" / "em"), dtype=np.float64)[:, 0]
    span = slice(300 * NOISE_FS, 420 * NOISE_FS)
    theirs = np.dot((noisy.raw - clean.raw)[span], em[span]) / np.dot(em[span], em[span])
    pool = NoisePool(data_dir / "nstdb")
    signal_mv2 = signal_power(clean.raw, clean.beats, NOISE_FS)
    ours = np.sqrt(signal_mv2 / pool.power["em"] * 10**-1.2)
    assert abs(20 * np.log10(ours / theirs)) < 3
    drawn, power = pool.draw(np.random.default_rng(1), 30, 128.0)
    assert len(drawn) == 30 * 128
    assert power in pool.power.values()


def test_pairs_go_to_the_nearer_of_two() -> None:
    reference, test = np.array([100, 300]), np.array([70, 102, 337, 500])
    hit_reference, hit_test = pair(reference, test)
    assert hit_reference.tolist() == [True, True]
    assert hit_test.tolist() == [False, True, True, False]


def test_the_truth_names_one_place_a_beat() -> None:
    case = make_case(recording(), recording().raw, variant="clean", weight=2.0)
    blank = QrsConstants(np.zeros((1, len(FEATURES) + 1)), np.zeros(2))
    truth = label(case, blank)
    chosen = {at: weight for at, (beat, weight) in truth.items() if beat}
    assert len(chosen) == len(case.beats)
    assert all(np.abs(case.beats - at).min() < 10 for at in chosen)
    assert sorted(set(chosen.values())) == [2.0, 6.0]  # ventricular beats weigh three times
    recorder = Recorder(blank, truth, guided=True)
    assert count(case, run(recorder, case), learning=0).found == len(case.beats)
    assert len(recorder.examples()) >= len(case.beats)


def test_a_score_learnt_from_examples_finds_the_beats() -> None:
    case = make_case(recording(300), recording(300).raw, variant="clean", weight=1.0)
    blank = QrsConstants(np.zeros((4, len(FEATURES) + 1)), np.zeros(5))
    examples = collect([(case, label(case, blank))], blank, guided=True)[0]
    other = Examples(examples.features + 1, 1 - examples.beat, examples.weight * 0)
    schedule = Schedule(hidden=4, epochs=200, batch=128)
    hidden, output = fit(examples + other, 0, schedule)
    again, _ = fit(examples + other, 0, schedule)
    assert np.array_equal(hidden, again)
    found = count(case, run(QrsDetector(QrsConstants(hidden, output)), case))
    assert (found.missed, found.extra) == (0, 0)


def test_disturbed_copies_say_where_nothing_is_left() -> None:
    rng = np.random.default_rng(2)
    one = recording(200)
    still, spans = stand_still(one, one.raw, rng)
    assert spans
    case = make_case(one, still, variant="standstill", weight=1.0, silent=spans)
    gone = sum(((one.beats >= a) & (one.beats < b)).sum() for a, b in spans)
    assert len(case.beats) == len(one.beats) - gone
    loud = change_gain(one.raw, FS, rng)
    assert not np.array_equal(loud, one.raw)


def test_a_page_without_its_markers_is_refused() -> None:
    page = "a\n<!-- t -->\nold\n<!-- /t -->\nb"
    assert enter(page, "t", "new") == "a\n<!-- t -->\n\nnew\n\n<!-- /t -->\nb"
    with pytest.raises(click.ClickException):
        enter(page, "u", "new")


PAGE = Path(__file__).parents[2] / "docs" / "qrs-detector.md"


@pytest.mark.parametrize(
    ("beats", "missed", "extra"), [(1916, 423, 572), (1661, 0, 1), (97, 96, 0)]
)
def test_two_decimals_give_the_counts_back(beats: int, missed: int, extra: int) -> None:
    row = Row("118e_6", beats, missed, extra)
    assert Row.of_percent("118e_6", beats, round(row.se, 2), round(row.ppv, 2)) == row


def test_figures_that_no_counts_give_are_refused() -> None:
    with pytest.raises(BuildError, match="118e24"):
        Row.of_percent("118e24", 100, 99.55, 100.0)


def held(row: Row) -> tuple[str, str]:
    table, broken = nstdb_table([row])
    cells = [cell.strip() for cell in table.splitlines()[-1].split("|")]
    assert (broken.points, broken.counts) == (cells[9] == "no", cells[13] == "no")
    return cells[9], cells[13]


def test_the_bound_is_read_in_points_and_in_counts() -> None:
    """gqrs on 118e_6: 90 missed and 1436 extra of 1916 beats; 48.72 points."""
    assert held(Row("118e_6", 1916, 90, 1436)) == ("yes", "yes")
    assert held(Row("118e_6", 1916, 90, 1439)) == ("yes", "yes")
    assert held(Row("118e_6", 1916, 90, 1440)) == ("yes", "no")
    assert held(Row("118e_6", 1916, 536, 462)) == ("no", "yes")


def test_the_pages_noise_table_is_what_its_own_figures_give(tmp_path: Path) -> None:
    text = PAGE.read_text(encoding="utf-8")
    rows = nstdb_rows(text)
    assert [row.name for row in rows] == list(GQRS_NSTDB)
    assert {row.beats for row in rows} == {1916, 1661}
    copy = tmp_path / "page.md"
    copy.write_text(text, encoding="utf-8")
    broken = rewrite_nstdb(copy)
    assert copy.read_text(encoding="utf-8") == text
    assert (broken.points, broken.counts) == (0, 0)
    with pytest.raises(BuildError, match="119e00"):
        nstdb_rows(text.replace("| 119e00 |", "| - |"))


def test_laying_out_and_opening_exclude_each_other() -> None:
    result = CliRunner().invoke(main, ["--rewrite", "--open-test", "why"])
    assert result.exit_code == 2
    assert "opens nothing" in result.output


def test_tentative_peaks_find_what_firm_ones_miss() -> None:
    """A score that is always 2 too low has no firm peaks but after a silence."""
    sceptic = QrsConstants(np.zeros((1, len(FEATURES) + 1)), np.array([0.0, -2.0]))
    one = recording()
    subset = [make_case(one, one.raw, variant=kind, weight=1.0) for kind in ("clean", "slow")]
    none, some = try_thresholds(subset, sceptic, (0.0, -2.0))
    assert none.tentative == 0
    assert some.found > none.found
    assert some.tentative_clean > 0
    assert some.tentative_noisy == 0


def trial(threshold: float, found: int, missed: int, tentative: int) -> Trial:
    clean = Count(found, missed, 0, 100, 0)
    return Trial(threshold, clean, Count(), tentative, 0)


def test_the_threshold_sinks_while_enough_of_what_it_adds_are_beats() -> None:
    trials = [
        trial(0.0, 9995, 5, 0),
        trial(-1.0, 9997, 3, 20),
        trial(-2.0, 9998, 2, 100),
        trial(-3.0, 9999, 1, 5000),
    ]
    assert choose(trials).threshold == -1.0


def test_the_threshold_sinks_until_the_targets_are_met() -> None:
    trials = [trial(0.0, 9900, 100, 0), trial(-1.0, 9901, 99, 1000), trial(-2.0, 9991, 9, 1500)]
    assert choose(trials).threshold == -2.0
