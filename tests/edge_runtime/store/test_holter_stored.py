"""From the store's rows to the summary: late beats, holes, quality of the analysis lead, AF."""

import json
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from edge_runtime.errors import StoreError
from edge_runtime.events import (
    AnalysisLeadChanged,
    BeatClass,
    BeatClassified,
    BeatDetected,
    GapRecorded,
    Phase,
    QualityLevel,
    Rhythm,
    RhythmEpisode,
    SignalQuality,
)
from edge_runtime.holter import Holter
from edge_runtime.store.holter_reading import stored_holter
from edge_runtime.store.reading import read_only
from tests.edge_runtime.cli.running import edge_runtime
from tests.edge_runtime.store.making import RATE, Recording, noise


def heard(at: int, rr_s: float | None, label: str = "N") -> tuple[BeatDetected, BeatClassified]:
    return (
        BeatDetected(at=at, decided=at + 20, lead="I", rr_s=rr_s, heart_rate_bpm=75.0),
        BeatClassified(at=at, decided=at + 60, label=BeatClass(label), scores={}),
    )


def quality(at: int, lead: str, level: QualityLevel) -> SignalQuality:
    return SignalQuality(at=at, decided=at, lead=lead, level=level, reason="")


def gap(at: int, n_missing: int) -> GapRecorded:
    return GapRecorded(at=at, decided=at, n_missing=n_missing, exact=True, reason="lost packet")


def af(at: int, phase: Phase) -> RhythmEpisode:
    return RhythmEpisode(at=at, decided=at, rhythm=Rhythm.ATRIAL_FIBRILLATION, phase=phase)


@pytest.fixture
def run(tmp_path: Path) -> Recording:
    """100 s of two leads."""
    made = Recording(tmp_path)
    made.samples(noise(1, 100 * RATE))
    return made


def summed(run: Recording) -> Holter:
    run.store.close()
    with closing(read_only(run.directory)) as connection:
        return stored_holter(connection, run.session.id)


def test_a_beat_that_was_found_late_parts_the_interval_that_held_it(run: Recording) -> None:
    run.events(*heard(100, None), *heard(260, 1.6), *heard(180, 0.8, "V"))
    found = summed(run).figures
    assert (found.beats, found.longest_rr_s, found.mean_bpm) == (3, 0.8, 75.0)
    assert found.ventricular == 1


def test_what_is_lost_counts_once(run: Recording) -> None:
    run.events(
        *heard(50, None),
        gap(1000, 500),
        quality(1200, "I", QualityLevel.UNUSABLE),  # overlaps the hole
        quality(2000, "II", QualityLevel.LEAD_OFF),  # not the lead that is analysed
        quality(2500, "I", QualityLevel.GOOD),
        AnalysisLeadChanged(at=5000, decided=5000, lead="II", reason="better"),
        AnalysisLeadChanged(at=6000, decided=6000, lead="I", reason="better"),
        quality(9000, "I", QualityLevel.LEAD_OFF),
    )
    found = summed(run).figures
    assert found.lost_s == pytest.approx(15 + 10 + 10)
    assert found.analysed_s == pytest.approx(100 - 35)


def test_af_is_known_where_an_episode_was_stored(run: Recording) -> None:
    run.events(*heard(50, None), af(1000, Phase.ONSET), af(3000, Phase.END), af(9000, Phase.ONSET))
    found = summed(run)
    assert (found.figures.af_s, found.figures.af_burden) == (30.0, 0.3)


def test_a_session_that_runs_is_told_as_far_as_it_has_come(run: Recording) -> None:
    run.events(*heard(50, None), *heard(6000, None))
    run.store.sync()
    with closing(read_only(run.directory)) as connection:
        found = stored_holter(connection, run.session.id)
    assert found.figures.analysed_s == pytest.approx(60.2)
    run.store.close()


def test_the_command_tells_it_in_words_and_in_json(run: Recording) -> None:
    run.events(*heard(50, None), *heard(300, 2.5), *heard(380, 0.8, "V"), *heard(460, 0.8, "V"))
    whole = summed(run)
    at_store = ("--set", f"store.directory={run.directory}", "--utc")
    told = edge_runtime("holter", run.session.id, *at_store)
    assert told.exit_code == 0, told.output
    for words in ("1 couplets", "AF        not looked for", "1 above 2 s", "longest_pause_s"):
        assert words in told.stdout
    answer = json.loads(edge_runtime("holter", run.session.id, "--json", *at_store).stdout)
    assert msgspec.convert(answer, Holter) == whole


def test_an_unknown_session(run: Recording) -> None:
    run.store.close()
    with closing(read_only(run.directory)) as connection, pytest.raises(StoreError, match="no ses"):
        stored_holter(connection, "x")
