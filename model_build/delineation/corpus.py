"""Beat windows with the places of their waves, through the shipped path, cached by content.

A lead shorter than `SHORT_S` is extended by reflection, in front so that the detector has learnt
by its first beat, behind so that its last beats have whole windows. Beats there are left out.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.inference.landmarks import LANDMARKS
from edge_runtime.signal.history import BeatBlock
from edge_runtime.signal.windows import R_AT, STEP_S
from firmware_bridge.records import read_annotations, read_header, read_physical
from model_build.code_digest import digest_of
from model_build.datasets import ludb, qtdb
from model_build.datasets.catalogue import checksums
from model_build.datasets.leads import Lead
from model_build.datasets.locate import ensure
from model_build.datasets.mitdb_pwave import p_wave_files
from model_build.datasets.splits import require_separate
from model_build.datasets.subjects import subject
from model_build.datasets.waves import UNMARKED, Kind, Waves, read_waves
from model_build.errors import RecipeError
from model_build.prepare import code_digest, whole
from model_build.pretraining.stored import load_fields, save_fields
from model_build.pretraining.targets import PWave, p_of_peaks, p_of_waves, sample_classes
from model_build.tap import tap

SHORT_S: Final = 30.0
_FRONT_S: Final = 10.0
_BEHIND_S: Final = 1.5
_LEAD_IN_S: Final = 60.0
"""Read of a long lead before its first mark, so that the detector has learnt by then."""
_TAIL_S: Final = 2.0
_LONGEST_S: Final = 300.0
_P_BEATS: Final = 300
"""Beats of a record of P-wave peaks at most, evenly over its length."""
_PAIRED_S: Final = 0.10
"""A detected peak is that of a marked QRS which it lies in, or this near to."""
_MITDB_LEAD: Final = 0
_MITDB_MAINS_HZ: Final = 60


@dataclass(frozen=True, slots=True, eq=False)
class MarkedBeats:
    """n beats with what is known of their waves.

    `window` float16 (n, 160), in QRS heights of the template, R at 88; `places` float32
    (n, len(LANDMARKS)), in samples of the window, NaN where unknown or absent; `present` uint8
    (n, 2), `PWave` of P and of T; `at` int64 (n,), R in the lead's own samples; `lead` (n,) numbers
    `keys`, the "database/record:channel" of each, and `subjects`.
    """

    window: NDArray[np.float16]
    places: NDArray[np.float32]
    present: NDArray[np.uint8]
    at: NDArray[np.int64]
    lead: NDArray[np.int64]
    keys: tuple[str, ...]
    subjects: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.window)

    def __getitem__(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> "MarkedBeats":
        arrays = ("window", "places", "present", "at", "lead")
        return replace(self, **{name: getattr(self, name)[rows] for name in arrays})

    @property
    def teaches(self) -> NDArray[np.bool_]:
        """Which beats (n,) something is known of."""
        place = np.logical_or.reduce(np.isfinite(self.places), axis=1)
        known: NDArray[np.bool_] = place | np.logical_or.reduce(self.present != 0, axis=1)
        return known

    @classmethod
    def join(cls, parts: "Sequence[MarkedBeats]") -> "MarkedBeats":
        """Parts one after the other."""
        offsets = np.cumsum([0, *(len(part.keys) for part in parts[:-1])])
        return cls(
            window=np.concatenate([part.window for part in parts]),
            places=np.concatenate([part.places for part in parts]),
            present=np.concatenate([part.present for part in parts]),
            at=np.concatenate([part.at for part in parts]),
            lead=np.concatenate([p.lead + k for p, k in zip(parts, offsets, strict=True)]),
            keys=tuple(key for part in parts for key in part.keys),
            subjects=tuple(who for part in parts for who in part.subjects),
        )

    def save(self, path: Path) -> None:
        """Write to `path` (.npz), whole or not at all."""
        save_fields(self, path)

    @classmethod
    def load(cls, path: Path) -> "MarkedBeats":
        """Read what `save` wrote."""
        return cls(**load_fields(path, cls.__slots__))


def waves_of_lead(lead: Lead) -> Waves:
    """The marks of a lead. Raises `RecordError` if its file is not there."""
    return Waves.of([]) if lead.waves is None else read_waves(f"{lead.path}.{lead.waves}")


def beats_of(lead: Lead) -> MarkedBeats:
    """Every readable beat of a lead around its marks."""
    fs = Fraction(read_header(lead.path).fs_fraction)
    waves = waves_of_lead(lead)
    raw = whole(read_physical(lead.path, channels=[lead.channel])[:, 0])
    block, at = tapped_lead(raw, waves, fs, lead.mains_hz)
    classes = sample_classes(waves, lead.consecutive, fs, len(raw))
    places, t_present = places_of(waves, at, fs, consecutive=lead.consecutive)
    p_present = p_of_waves(waves, classes, at, fs)
    return MarkedBeats(
        block.window.astype(np.float16), places, np.stack([p_present, t_present], axis=1), at,
        np.zeros(len(at), np.int64), (lead.key,), (lead.subject,),
    )  # fmt: skip


def tapped_lead(
    raw: NDArray[np.float32], waves: Waves, fs: Fraction, mains_hz: int
) -> tuple[BeatBlock, NDArray[np.int64]]:
    """The readable beats around the marks, in context, and where R lies in `raw` (n,)."""
    if len(raw) < SHORT_S * fs:
        front = min(round(_FRONT_S * fs), len(raw) - 1)
        shown, first = np.pad(raw, (front, round(_BEHIND_S * fs)), "reflect"), -front
    else:
        first = max(0, int(waves.first.min()) - round(_LEAD_IN_S * fs)) if len(waves) else 0
        last = int(waves.last.max()) + round(_TAIL_S * fs) if len(waves) else len(raw)
        shown = raw[first : min(last, first + round(_LONGEST_S * fs))]
    tapped = tap(shown, fs, mains_hz)
    at = tapped.at + first
    inside = (at >= 0) & (at < len(raw))
    rows = np.flatnonzero(tapped.beats.valid & ~tapped.beats.tentative & inside)
    return tapped.beats[rows], at[rows]


def places_of(
    waves: Waves, at: NDArray[np.int64], fs: Fraction, *, consecutive: bool
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Where the waves of the peaks `at` (k,) are marked, and whether they have a T (`PWave`).

    The P of a beat is the last one between the QRS before and its own, its T the first one before
    the QRS after. A T is known to be absent only between `consecutive` marks.
    """
    places = np.full((len(at), len(LANDMARKS)), np.nan, np.float32)
    t_present = np.full(len(at), PWave.UNKNOWN, np.uint8)
    qrs = np.flatnonzero(waves.kind == Kind.QRS)
    near = round(_PAIRED_S * fs)
    for row, peak in enumerate(at.tolist()):
        mine = qrs[(waves.first[qrs] - near <= peak) & (peak <= waves.last[qrs] + near)]
        if not len(mine):
            continue
        own = int(mine[0])
        before, after = _neighbours(waves, qrs, own)
        p = [k for k in range(before + 1, own) if waves.kind[k] == Kind.P]
        t = [k for k in range(own + 1, after) if waves.kind[k] == Kind.T]
        if t:
            t_present[row] = PWave.PRESENT
        elif consecutive and after < len(waves):
            t_present[row] = PWave.ABSENT
        for number, wave in ((0, p[-1:]), (1, [own]), (2, t[:1])):
            for one in wave:
                marks = (waves.onset[one], waves.peak[one], waves.end[one])
                for side, mark in enumerate(marks):
                    if mark != UNMARKED:
                        offset = float(mark - peak) / float(fs) / STEP_S
                        places[row, 3 * number + side] = R_AT + offset
    return places, t_present


def _neighbours(waves: Waves, qrs: NDArray[np.int64], own: int) -> tuple[int, int]:
    """Numbers of the QRS before and after the wave `own`; -1 and `len(waves)` where none is."""
    place = int(np.searchsorted(qrs, own))
    before = int(qrs[place - 1]) if place else -1
    return before, int(qrs[place + 1]) if place + 1 < len(qrs) else len(waves)


def p_peak_beats(record: str, path: Path, marks: Path) -> MarkedBeats:
    """Beats of a mitdb record whose P-wave peaks alone are marked."""
    fs = Fraction(read_header(path).fs_fraction)
    raw = whole(read_physical(path, channels=[_MITDB_LEAD])[:, 0])
    window, at = _all_windows(raw, fs)
    p_peaks = np.asarray(read_annotations(marks).sample, np.int64)
    present = p_of_peaks(p_peaks, at, fs)
    places = np.full((len(at), len(LANDMARKS)), np.nan, np.float32)
    for row in np.flatnonzero(present == PWave.PRESENT):
        nearest = p_peaks[p_peaks < at[row]][-1]
        places[row, 1] = R_AT + float(nearest - at[row]) / float(fs) / STEP_S
    rows = np.linspace(0, len(at) - 1, min(_P_BEATS, len(at))).round().astype(np.int64)
    nothing = np.full(len(at), PWave.UNKNOWN, np.uint8)
    return MarkedBeats(
        window, places, np.stack([present, nothing], axis=1), at, np.zeros(len(at), np.int64),
        (f"mitdb-pwave/{record}:{_MITDB_LEAD}",), (subject("mitdb", record),),
    )[rows]  # fmt: skip


def _all_windows(
    raw: NDArray[np.float32], fs: Fraction
) -> tuple[NDArray[np.float16], NDArray[np.int64]]:
    tapped = tap(raw, fs, _MITDB_MAINS_HZ)
    kept = tapped.beats.valid & ~tapped.beats.tentative
    return tapped.beats.window[kept].astype(np.float16), tapped.at[kept]


def leads_of(directory: Path, name: str) -> list[Lead]:
    """The leads of ludb or qtdb with their marks. Raises `RecipeError` for another archive."""
    modules = {"ludb": ludb, "qtdb": qtdb}
    if name not in modules:
        raise RecipeError(f"{name} has no wave boundaries; {', '.join(modules)} have")
    leads: list[Lead] = modules[name].delineated(directory)
    require_separate(lead.subject for lead in leads)
    return leads


@cache
def _digest_of_code() -> str:
    return f"{code_digest()} {digest_of([__name__])}"


def cache_path(work: Path, name: str, keys: Iterable[str]) -> Path:
    """Where the beats of archive `name` lie: named by code and data (`keys` of the catalogue)."""
    lines = [f"{key} {checksums()[key]}" for key in sorted(set(keys))]
    digest = hashlib.sha256("\n".join((_digest_of_code(), *lines)).encode())
    return work / "delineation" / f"{name}-{digest.hexdigest()[:16]}.npz"


def prepare(
    directory: Path, name: str, work: Path, report: Callable[[str, float], None]
) -> MarkedBeats:
    """All beats of archive `name`, from the cache if there; `report` takes lead and share done."""
    if name == "mitdb-pwave":
        files = p_wave_files(directory)
        require_separate(subject("mitdb", record) for record in files)
        folder = ensure(directory, "mitdb", files)
        keys = [f"{archive}/{record}" for record in files for archive in ("mitdb", name)]
        made: Iterator[MarkedBeats] = (
            p_peak_beats(record, folder / record, marks) for record, marks in files.items()
        )
        total = len(files)
    else:
        leads = leads_of(directory, name)
        keys = [f"{lead.database}/{lead.record}" for lead in leads]
        made, total = map(beats_of, leads), len(leads)
    path = cache_path(work, name, keys)
    if not path.is_file():
        parts = []
        for done, part in enumerate(made, start=1):
            parts.append(part)
            report(part.keys[0], done / total)
        path.parent.mkdir(parents=True, exist_ok=True)
        MarkedBeats.join(parts).save(path)
    return MarkedBeats.load(path)
