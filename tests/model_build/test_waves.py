"""Wave marks of the archives, and what they say about beat windows."""

from fractions import Fraction

import numpy as np
import pytest

from edge_runtime.signal.windows import R_AT
from firmware_bridge.records import Annotations
from model_build.datasets import ludb, qtdb
from model_build.datasets.leads import Lead, unlabelled
from model_build.datasets.mitdb_pwave import p_wave_files
from model_build.datasets.splits import TRAINING_MITDB
from model_build.datasets.waves import UNMARKED, Kind, read_waves, waves_of
from model_build.errors import RecipeError
from model_build.pretraining import beats as pretraining_beats
from model_build.pretraining.beats import PER_LEAD, beats_of, leads_of
from model_build.pretraining.targets import (
    NONE,
    UNKNOWN,
    PWave,
    p_of_peaks,
    p_of_waves,
    sample_classes,
    windowed,
)

FS = Fraction(500)


def marks(*pairs: tuple[int, str]) -> Annotations:
    return Annotations.of([sample for sample, _ in pairs], [symbol for _, symbol in pairs])


def a_beat(r: int, with_p: bool = True) -> list[tuple[int, str]]:
    """P -160 to -100, QRS -40 to 40, T 100 to 240, in samples from R."""
    p = [(r - 160, "("), (r - 130, "p"), (r - 100, ")")] if with_p else []
    return [
        *p, (r - 40, "("), (r, "N"), (r + 40, ")"), (r + 100, "("), (r + 180, "t"), (r + 240, ")"),
    ]  # fmt: skip


def test_brackets_bound_the_peak_between_them():
    waves = waves_of(marks((5, "("), (9, ")"), *a_beat(1000), (1300, "u"), (1350, ")")))
    assert waves.kind.tolist() == [Kind.P, Kind.QRS, Kind.T, Kind.U]
    assert waves.onset.tolist() == [840, 960, 1100, UNMARKED]
    assert waves.peak.tolist() == [870, 1000, 1180, 1300]
    assert waves.end.tolist() == [900, 1040, 1240, 1350]
    assert waves.first.tolist() == [840, 960, 1100, 1300]


def test_an_end_belongs_to_the_wave_before_it_only():
    waves = waves_of(marks((10, "N"), (30, "t"), (50, ")"), (60, ")")))
    assert waves.end.tolist() == [UNMARKED, 50]
    assert waves.last.tolist() == [10, 50]


def test_samples_take_the_class_of_their_wave():
    waves = waves_of(marks(*a_beat(1000), *a_beat(2000, with_p=False)))
    classes = sample_classes(waves, consecutive=True, fs=FS, n=3000)
    assert classes[[839, 840, 900, 901, 960, 1040, 1100, 1240, 1241]].tolist() == [
        UNKNOWN, Kind.P, Kind.P, NONE, Kind.QRS, Kind.QRS, Kind.T, Kind.T, NONE,
    ]  # fmt: skip
    assert (classes[1241:1960] == NONE).all()
    assert (classes[2241:] == UNKNOWN).all()


def test_between_chosen_beats_far_apart_nothing_is_known():
    waves = waves_of(marks(*a_beat(1000), *a_beat(2000)))
    classes = sample_classes(waves, consecutive=False, fs=FS, n=3000)
    assert (classes[1241:1840] == UNKNOWN).all()
    near = waves_of(marks(*a_beat(1000), *a_beat(1590)))
    classes = sample_classes(near, consecutive=False, fs=FS, n=3000)
    assert (classes[1241:1430] == NONE).all()


def test_the_side_without_a_boundary_is_unknown():
    waves = waves_of(marks((100, "("), (120, "N"), (140, ")"), (250, "t"), (300, ")")))
    classes = sample_classes(waves, consecutive=True, fs=FS, n=400)
    assert (classes[141:250] == UNKNOWN).all()
    assert (classes[250:301] == Kind.T).all()
    u_wave = waves_of(marks((100, "("), (120, "N"), (140, ")"), (250, "u"), (300, ")")))
    assert (sample_classes(u_wave, True, FS, 400)[141:301] == UNKNOWN).all()


def test_a_window_holds_r_in_its_place():
    classes = np.zeros(2000, np.uint8)
    classes[1000] = Kind.QRS
    cut = windowed(classes, np.array([1000, 100]), FS)
    assert np.flatnonzero(cut[0] == Kind.QRS).tolist() == [R_AT]
    # 100 samples are 0.2 s: of the 0.704 s before R the first 0.504 s are not there.
    assert np.flatnonzero(cut[1] == UNKNOWN).tolist() == list(range(63))


def test_p_is_present_absent_or_unknown():
    waves = waves_of(
        marks(*a_beat(1000), *a_beat(2000, with_p=False), *a_beat(3000), (3700, "("), (3740, "N"))
    )
    classes = sample_classes(waves, consecutive=True, fs=FS, n=5000)
    at = np.array([1004, 2004, 2500, 3000, 4500])
    assert p_of_waves(waves, classes, at, FS).tolist() == [
        PWave.PRESENT, PWave.ABSENT, PWave.UNKNOWN, PWave.PRESENT, PWave.UNKNOWN,
    ]  # fmt: skip
    # Beats before it may be unmarked: what was before QRS is not known.
    chosen = sample_classes(waves, consecutive=False, fs=FS, n=5000)
    assert p_of_waves(waves, chosen, at, FS)[1] == PWave.UNKNOWN


def test_a_p_wave_out_of_reach_is_neither():
    early = [(540, "("), (560, "p"), (580, ")")]
    waves = waves_of(marks(*a_beat(200), *early, *a_beat(1000, with_p=False)))
    classes = sample_classes(waves, consecutive=True, fs=FS, n=2000)
    assert p_of_waves(waves, classes, np.array([1000]), FS).tolist() == [PWave.UNKNOWN]


def test_p_of_marked_peaks_alone():
    at = np.array([1000, 2000, 2400, 3400, 4400, 5400])
    p_peaks = np.array([870, 1870, 3270, 4060, 5270])
    assert p_of_peaks(p_peaks, at, FS).tolist() == [
        PWave.PRESENT, PWave.PRESENT, PWave.ABSENT, PWave.PRESENT, PWave.UNKNOWN, PWave.PRESENT,
    ]  # fmt: skip
    assert p_of_peaks(p_peaks, at[:0], FS).tolist() == []
    assert p_of_peaks(p_peaks[:0], at, FS).tolist() == [PWave.UNKNOWN] * 6


@pytest.mark.parametrize("name", ["mitdb", "svdb", "nstdb", "mitdb-pwave"])
def test_no_signal_of_scored_archives_pretrains(tmp_path, name):
    with pytest.raises(RecipeError, match="no signal"):
        leads_of(tmp_path, name)


def test_a_tested_person_is_refused(tmp_path, monkeypatch):
    one = Lead("qtdb", "sel100", "mitdb/100", tmp_path / "sel100", 0, 60)
    monkeypatch.setattr(pretraining_beats, "unlabelled", lambda directory, name: [one])
    with pytest.raises(RecipeError, match="mitdb/100"):
        leads_of(tmp_path, "cinc2020")


@pytest.mark.data
def test_a_lead_of_ludb_yields_its_marks_in_windows(data_dir):
    leads = ludb.delineated(data_dir)
    assert len(leads) == 200 * 12
    lead = leads[1]
    assert (lead.key, lead.waves, lead.subject) == ("ludb/1:1", "ii", "ludb/1")
    waves = read_waves(f"{lead.path}.ii")
    # Looked up by hand: the second beat of lead II of record 1.
    rows = np.flatnonzero((waves.peak > 1200) & (waves.peak < 1600))
    assert waves.kind[rows].tolist() == [Kind.P, Kind.QRS, Kind.T]
    assert waves.onset[rows].tolist() == [1250, 1324, 1458]
    assert waves.end[rows].tolist() == [1302, 1374, 1572]
    beats = beats_of(lead)
    assert len(beats) == 7
    # Its R is detected at 1343; 4 samples of 500 Hz are one of the window.
    second = beats.classes[1]
    for kind, onset, end in ((Kind.P, 1250, 1302), (Kind.QRS, 1324, 1374), (Kind.T, 1458, 1572)):
        inside = np.flatnonzero(second == kind)
        first, last = (R_AT + (x - 1343) / 4 for x in (onset, end))
        inside = inside[(inside > first - 2) & (inside < last + 2)]
        assert abs(inside[0] - first) <= 1
        assert abs(inside[-1] - last) <= 1
    assert beats.p_wave[1] == PWave.PRESENT
    # Beneath the marked QRS lies the QRS.
    assert np.abs(beats.window[1]).argmax() in np.flatnonzero(second == Kind.QRS)


@pytest.mark.data
def test_qtdb_has_two_leads_and_nobody_of_mitdb(data_dir):
    leads = qtdb.delineated(data_dir)
    assert len(leads) == 27 * 2
    assert not [lead for lead in leads if lead.subject.startswith(("mitdb", "svdb"))]
    lead = next(lead for lead in leads if lead.record == "sele0104")
    beats = beats_of(lead)
    marked = np.any(beats.classes != UNKNOWN, axis=1)
    assert 0 < marked.sum() < len(beats) <= PER_LEAD
    # 30 beats have marks, all of them with P.
    assert (beats.p_wave == PWave.PRESENT).sum() == 30
    assert not (beats.p_wave == PWave.ABSENT).any()


@pytest.mark.data
def test_monitors_give_their_ecg_until_the_alarm(data_dir):
    leads = [lead for lead in unlabelled(data_dir, "cinc2015") if lead.record == "a103l"]
    assert [lead.channel for lead in leads] == [0, 1]
    assert {lead.end_s for lead in leads} == {300.0}
    assert len(beats_of(leads[0])) == PER_LEAD


@pytest.mark.data
def test_p_wave_marks_are_of_training_records_only(data_dir):
    from model_build.pretraining.prior import read_p_waves

    assert set(p_wave_files(data_dir)) <= set(TRAINING_MITDB)
    marked = read_p_waves(data_dir)["mitdb/101"]
    assert (len(marked.peaks), marked.fs) == (1865, 360)
