"""Runs of V on real records: the engine told the reference classes, against the annotations."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from edge_runtime.engine import EngineSettings
from edge_runtime.events import AlarmRaised, Phase, Rhythm, RhythmEpisode
from firmware_bridge.records import read_annotations, read_physical
from tests.edge_runtime.real_path import real_engine
from tests.synthetic import chunks, opened

FS = 360
CLASS_OF = {**dict.fromkeys("NLRej/fQ", "N"), **dict.fromkeys("AaJS", "S"), "V": "V", "E": "V"}


@dataclass
class Run:
    """Consecutive V of the annotations; `fast` where some five of them exceed 100/min."""

    start_s: float
    beats: int
    fast: bool


def runs(r_s: list[float], labels: str) -> list[Run]:
    found, first = [], None
    for i, label in enumerate(f"{labels}N"):
        if label == "V" and first is None:
            first = i
        if label != "V" and first is not None:
            if i - first >= 3:
                windows = range(first, i - 4)
                fast = any(240 / (r_s[k + 4] - r_s[k]) > 100 for k in windows)
                found.append(Run(r_s[first], i - first, fast))
            first = None
    return found


@pytest.mark.data
@pytest.mark.parametrize(("record", "n_runs", "n_vt"), [("205", 6, 4), ("233", 6, 0)])
def test_every_annotated_run_becomes_an_episode(
    data_dir: Path, record: str, n_runs: int, n_vt: int
) -> None:
    reference = read_annotations(data_dir / "mitdb" / f"{record}.atr")
    beats = [
        (sample / FS, CLASS_OF.get(symbol, "F"))
        for sample, symbol in zip(reference.sample.tolist(), reference.symbol, strict=True)
        if symbol in CLASS_OF or symbol == "F"
    ]
    r_s, labels = [b[0] for b in beats], "".join(b[1] for b in beats)
    expected = runs(r_s, labels)
    assert (len(expected), sum(run.fast for run in expected)) == (n_runs, n_vt)

    samples = read_physical(data_dir / "mitdb" / record)[:, :1]
    engine = real_engine(opened(FS, ("MLII",)), r_s, labels, EngineSettings(mains_hz=60))
    events = [e for chunk in chunks(samples, FS * 10) for e in engine.feed(chunk)]
    onsets = [e for e in events if isinstance(e, RhythmEpisode) and e.phase is Phase.ONSET]

    def begins_at(start_s: float, *rhythms: Rhythm) -> bool:
        return any(e.rhythm in rhythms and abs(e.at / FS - start_s) < 0.15 for e in onsets)

    any_run = (Rhythm.VENTRICULAR_RUN, Rhythm.IDIOVENTRICULAR, Rhythm.VENTRICULAR_TACHYCARDIA)
    assert all(begins_at(run.start_s, *any_run) for run in expected)
    n_found = sum(e.rhythm is Rhythm.VENTRICULAR_TACHYCARDIA for e in onsets)
    assert n_found == n_vt


@pytest.mark.data
def test_a_lead_that_fades_alarms_as_asystole_or_poor_signal(data_dir: Path) -> None:
    # Record 208 fades at 1383 s to a tenth of its height ("~"); the annotators still see beats.
    first, end = 1300 * FS, 1400 * FS
    samples = read_physical(data_dir / "mitdb" / "208", first, end)[:, :1]
    engine = real_engine(opened(FS, ("MLII",)), [], None, EngineSettings(mains_hz=60))
    events = [e for chunk in chunks(samples, FS * 10) for e in engine.feed(chunk)]
    (alarm,) = [e for e in events if isinstance(e, AlarmRaised) and e.rule == "asystole"]
    assert (alarm.text, alarm.priority) == ("Asystole or poor signal", "high")
    assert first / FS + alarm.at / FS == pytest.approx(1383.9, abs=0.1)  # of a tentative peak
