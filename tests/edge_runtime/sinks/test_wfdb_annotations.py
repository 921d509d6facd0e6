"""The annotation file, read back by wfdb-python."""

from pathlib import Path
from typing import Any

import pytest

from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.events import (
    AlarmCleared,
    AlarmKind,
    AlarmRaised,
    BeatClass,
    BeatClassified,
    BeatDetected,
    Event,
    Explanation,
    Phase,
    Priority,
    Rhythm,
    RhythmClassified,
    RhythmEpisode,
)
from edge_runtime.sinks.wfdb_annotations import AnnotationWriter
from firmware_bridge.errors import BridgeError
from tests.firmware_bridge.records.wfdb_witness import ask_wfdb


def beat(at: int, label: BeatClass) -> BeatClassified:
    return BeatClassified(at=at, decided=at + 300, label=label, scores={})


def rhythm(at: int, kind: Rhythm, phase: Phase) -> RhythmEpisode:
    return RhythmEpisode(at=at, decided=at, rhythm=kind, phase=phase)


def alarm(at: int, text: str) -> AlarmRaised:
    why = Explanation(rule="asystole", source="", sentence="", values={})
    return AlarmRaised(
        at=at,
        decided=at + 2000,
        alarm=1,
        rule="asystole",
        kind=AlarmKind.PHYSIOLOGICAL,
        priority=Priority.HIGH,
        text=text,
        latched=False,
        explanation=why,
    )


def read_back(folder: Path, *events: Event) -> Any:
    writer = AnnotationWriter()
    for event in events:
        writer.see(event)
    file = writer.write(folder, "rec", "edge")
    assert file == folder / "rec.edge"
    return ask_wfdb("rdann", str(folder / "rec"), "edge")


def test_every_class_is_its_own_symbol_at_its_sample(tmp_path: Path) -> None:
    read = read_back(tmp_path, *(beat(1000 * k, label) for k, label in enumerate(BeatClass, 1)))
    assert read.symbol == ["N", "S", "V", "F", "Q"]
    assert read.sample.tolist() == [1000, 2000, 3000, 4000, 5000]


def test_what_is_told_late_stands_where_it_happened(tmp_path: Path) -> None:
    read = read_back(
        tmp_path,
        beat(1000, BeatClass.NORMAL),
        beat(9_000_000, BeatClass.NORMAL),
        alarm(1000, "Asystole"),
        AlarmCleared(at=4000, decided=9000, alarm=1, rule="asystole", reason=""),
        BeatDetected(at=1, decided=2, lead="I", rr_s=None, heart_rate_bpm=None),
    )
    assert read.sample.tolist() == [1000, 1000, 4000, 9_000_000]
    assert read.symbol == ["N", '"', '"', "N"]
    notes = [note.rstrip("\0") for note in read.aux_note]
    assert notes == ["", "ALARM high asystole: Asystole", "ALARM END asystole", ""]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (Rhythm.VENTRICULAR_TACHYCARDIA, "(VT"),
        (Rhythm.VENTRICULAR_RUN, "(VT"),
        (Rhythm.VENTRICULAR_FIBRILLATION, "(VF"),
        (Rhythm.ATRIAL_FIBRILLATION, "(AFIB"),
        (Rhythm.ATRIAL_FLUTTER, "(AFL"),
        (Rhythm.ASYSTOLE, "(ASYS"),
        (Rhythm.BRADYCARDIA, "(BRADY"),
    ],
)
def test_rhythms_have_their_names_and_end_in_sinus(tmp_path: Path, kind: Rhythm, name: str) -> None:
    read = read_back(tmp_path, rhythm(10, kind, Phase.ONSET), rhythm(900, kind, Phase.END))
    assert read.symbol == ["+", "+"]
    assert [note.rstrip("\0") for note in read.aux_note] == [name, "(N"]


def test_the_end_of_an_inner_rhythm_returns_to_the_outer_one(tmp_path: Path) -> None:
    read = read_back(
        tmp_path,
        rhythm(10, Rhythm.BRADYCARDIA, Phase.ONSET),
        rhythm(500, Rhythm.PAUSE, Phase.ONSET),
        rhythm(900, Rhythm.PAUSE, Phase.END),
        rhythm(5000, Rhythm.BRADYCARDIA, Phase.END),
    )
    notes = [note.rstrip("\0") for note in read.aux_note]
    assert notes == ["(BRADY", "(PAUSE", "(BRADY", "(N"]


def test_what_the_rhythm_model_sees_lies_beneath_episodes(tmp_path: Path) -> None:
    def seen(at: int, kind: Rhythm) -> RhythmClassified:
        return RhythmClassified(at=at, decided=at + 9000, rhythm=kind, scores={})

    found = read_back(
        tmp_path,
        rhythm(400, Rhythm.VENTRICULAR_TACHYCARDIA, Phase.ONSET),
        rhythm(500, Rhythm.VENTRICULAR_TACHYCARDIA, Phase.END),
        seen(0, Rhythm.SINUS),
        seen(300, Rhythm.ATRIAL_FIBRILLATION),
        seen(900, Rhythm.TOO_NOISY),
    )
    assert found.sample.tolist() == [0, 300, 400, 500, 900]
    assert [note.rstrip("\0") for note in found.aux_note] == ["(N", "(AFIB", "(VT", "(AFIB", "(N"]


def test_fast_or_irregular_fibrillation_is_fibrillation(tmp_path: Path) -> None:
    af = RhythmClassified(at=0, decided=9000, rhythm=Rhythm.ATRIAL_FIBRILLATION, scores={})
    found = read_back(
        tmp_path,
        af,
        rhythm(100, Rhythm.IRREGULAR, Phase.ONSET),
        rhythm(200, Rhythm.TACHYCARDIA, Phase.ONSET),
        rhythm(300, Rhythm.VENTRICULAR_RUN, Phase.ONSET),
        rhythm(400, Rhythm.VENTRICULAR_RUN, Phase.END),
        rhythm(500, Rhythm.TACHYCARDIA, Phase.END),
        RhythmClassified(at=600, decided=9600, rhythm=Rhythm.SINUS, scores={}),
    )
    notes = [note.rstrip("\0") for note in found.aux_note]
    assert notes == ["(AFIB"] * 3 + ["(VT"] + ["(AFIB"] * 2 + ["(IRREG"]


def test_every_rhythm_has_a_name(tmp_path: Path) -> None:
    events = [rhythm(k, kind, Phase.ONSET) for k, kind in enumerate(Rhythm)]
    assert len(read_back(tmp_path, *events).sample) == len(Rhythm)


def test_a_long_or_foreign_text_is_cut_to_what_the_format_holds(tmp_path: Path) -> None:
    read = read_back(tmp_path, alarm(5, "Herzstillstand – " + "ä" * 400))
    assert read.aux_note[0].startswith("ALARM high asystole: Herzstillstand ? ää")
    assert len(read.aux_note[0]) <= 255


def test_nothing_found_is_an_empty_file_that_can_be_read(tmp_path: Path) -> None:
    writer = AnnotationWriter()
    file = writer.write(tmp_path / "new" / "folder", "rec", "edge")
    assert file.read_bytes().endswith(b"\0\0")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises((BridgeError, EdgeRuntimeError), match="file"):
        AnnotationWriter().write(tmp_path / "file" / "out", "rec", "edge")
