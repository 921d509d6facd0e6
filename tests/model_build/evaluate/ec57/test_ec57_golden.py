"""Every file of the reference tools is reproduced byte for byte."""

from collections.abc import Iterator
from functools import cache
from math import inf
from pathlib import Path

import pytest

from firmware_bridge.records import Annotations, read_annotations, read_header
from model_build.evaluate.ec57 import compare_beats, compare_runs
from model_build.evaluate.ec57.episodes import EpisodeRules, compare_episodes
from model_build.evaluate.ec57.formats import (
    BEAT_HEADING,
    EPISODE_HEADINGS,
    RUN_HEADINGS,
    SHUTDOWN_HEADING,
    beat_line,
    beat_matrix,
    episode_line,
    episode_report,
    run_line,
    shutdown_line,
)
from model_build.evaluate.ec57.summary import sumstats

pytestmark = pytest.mark.data

BEAT_RECORDS = ("100", "105", "119", "200", "203", "207", "208", "222")
RHYTHM_RECORDS = ("200", "203", "205", "207", "215", "217", "221", "222", "cu01")
# By the name in the golden file, what `epicmp` was called with.
EPISODE_RULES = {
    "": EpisodeRules(),
    "_f0": EpisodeRules(learning_s=0.0),
    "_t20": EpisodeRules(until_s=1200.0),
    "_t0": EpisodeRules(until_s=inf),
    "_min10": EpisodeRules(shortest_s=10.0),
    "_minall10": EpisodeRules(shortest_s=10.0, short_overlap=False),
}
EXCLUSIONS = {
    "_x": EpisodeRules(flutter="epicmp-x"),
    "_x_f0": EpisodeRules(flutter="epicmp-x", learning_s=0.0),
}


@pytest.fixture(scope="module")
def golden(golden_dir: Path) -> Path:
    return golden_dir / "ec57"


@cache
def annotations(path: Path) -> Annotations:
    return read_annotations(path)


class Case:
    """One record with its reference and test annotations."""

    def __init__(self, data_dir: Path, golden: Path, record: str, annotator: str) -> None:
        archive = data_dir / ("cudb" if record.startswith("cu") else "mitdb")
        header = read_header(archive / record)
        self.record = record
        self.reference = annotations(archive / f"{record}.atr")
        self.test = annotations(golden / f"{record}.{annotator}")
        self.fs, self.end = header.fs, header.n_samples

    @property
    def files(self) -> tuple[Annotations, Annotations, float, int | None]:
        return self.reference, self.test, self.fs, self.end


def cases(data_dir: Path, golden: Path, records: tuple[str, ...], name: str) -> Iterator[Case]:
    return (Case(data_dir, golden, record, name) for record in records)


@pytest.mark.parametrize("annotator", ["tst", "gqrs"])
def test_bxb_lines(data_dir, golden, annotator):
    scores = [
        (case.record, compare_beats(*case.files, escapes="s"))
        for case in cases(data_dir, golden, BEAT_RECORDS, annotator)
    ]
    beats = BEAT_HEADING + "".join(beat_line(*score) for score in scores)
    assert beats == (golden / f"bxb_{annotator}.txt").read_text()
    shutdown = SHUTDOWN_HEADING + "".join(shutdown_line(*score) for score in scores)
    assert shutdown == (golden / f"sd_{annotator}.txt").read_text()


@pytest.mark.parametrize("annotator", ["tst", "gqrs"])
def test_bxb_matrices(data_dir, golden, annotator):
    for case in cases(data_dir, golden, BEAT_RECORDS, annotator):
        score = compare_beats(*case.files, escapes="s")
        text = beat_matrix(case.record, score, ("atr", annotator))
        assert text == (golden / f"matrix_{case.record}_{annotator}.txt").read_text()


@pytest.mark.parametrize("annotator", ["tst", "gqrs"])
@pytest.mark.parametrize(
    ("kind", "name"), [("ventricular", "vruns"), ("supraventricular", "svruns")]
)
def test_rxr_lines(data_dir, golden, annotator, kind, name):
    lines = [
        run_line(case.record, compare_runs(*case.files, kind))
        for case in cases(data_dir, golden, BEAT_RECORDS, annotator)
    ]
    text = RUN_HEADINGS[kind] + "".join(lines)
    assert text == (golden / f"rxr_{name}_{annotator}.txt").read_text()


@pytest.mark.parametrize(
    ("kind", "name"),
    [("af", n) for n in EPISODE_RULES | EXCLUSIONS] + [("vf", n) for n in EPISODE_RULES],
)
def test_epicmp_lines(data_dir, golden, kind, name):
    rules = (EPISODE_RULES | EXCLUSIONS)[name]
    lines = [
        episode_line(case.record, compare_episodes(*case.files, kind, rules))
        for case in cases(data_dir, golden, RHYTHM_RECORDS, "rhy")
    ]
    text = EPISODE_HEADINGS[kind] + "".join(lines)
    assert text == (golden / f"epicmp_{kind}{name}_rhy.txt").read_text()


@pytest.mark.parametrize("record", RHYTHM_RECORDS)
def test_epicmp_reports(data_dir, golden, record):
    case = Case(data_dir, golden, record, "rhy")
    text = "".join(
        episode_report(record, compare_episodes(*case.files, kind), ("atr", "rhy"))
        for kind in ("af", "vf")
    )
    assert text == (golden / f"epicmp_{record}_rhy.txt").read_text()


def test_flutter_without_the_sign_error_shortens_test_durations(data_dir, golden):
    case = Case(data_dir, golden, "203", "rhy")
    seconds = {
        flutter: compare_episodes(*case.files, "af", EpisodeRules(flutter=flutter)).test.duration
        / case.fs
        for flutter in ("ec57", "ec38-1998", "epicmp-x")
    }
    assert seconds["epicmp-x"] == pytest.approx(1150.172, abs=5e-4)
    assert seconds["ec57"] == pytest.approx(1148.781, abs=5e-4)
    assert seconds["ec38-1998"] < seconds["ec57"]


@pytest.mark.parametrize(
    "name",
    [
        "bxb_tst",
        "bxb_gqrs",
        "rxr_vruns_tst",
        "rxr_svruns_tst",
        "epicmp_af_rhy",
        "epicmp_vf_rhy",
        "epicmp_af_f0_rhy",
        "epicmp_vf_f0_rhy",
    ],
)
def test_sumstats(golden, name):
    report = (golden / f"{name}.txt").read_text()
    assert sumstats(report) == (golden / f"sum_{name}.txt").read_text()


def test_no_golden_report_is_left_out(golden):
    covered = {f"{tool}_{a}.txt" for tool in ("bxb", "sd") for a in ("tst", "gqrs")}
    covered |= {f"matrix_{r}_{a}.txt" for r in BEAT_RECORDS for a in ("tst", "gqrs")}
    covered |= {f"rxr_{k}_{a}.txt" for k in ("vruns", "svruns") for a in ("tst", "gqrs")}
    covered |= {f"epicmp_{k}{n}_rhy.txt" for k in ("af", "vf") for n in EPISODE_RULES}
    covered |= {f"epicmp_af{n}_rhy.txt" for n in EXCLUSIONS}
    covered |= {f"epicmp_{r}_rhy.txt" for r in RHYTHM_RECORDS}
    summaries = {path.name for path in golden.glob("sum_*.txt")}
    assert len(summaries) == 8
    assert {path.name for path in golden.glob("*.txt")} == covered | summaries
