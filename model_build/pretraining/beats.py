"""Beat windows of the pre-training archives through the shipped path, cached by content.

An archive is one file in the work directory. A recording gives at most `PER_LEAD` beats a lead,
evenly over its length, so that long ones do not outweigh the many short ones.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.records import read_header, read_physical
from model_build.datasets.catalogue import checksums
from model_build.datasets.leads import Lead, unlabelled
from model_build.datasets.splits import require_separate
from model_build.datasets.waves import Waves, read_waves
from model_build.errors import RecipeError
from model_build.prepare import code_digest, whole
from model_build.pretraining.stored import load_fields, save_fields
from model_build.pretraining.targets import (
    UNKNOWN,
    p_of_waves,
    sample_classes,
    windowed,
)
from model_build.tap import tap

PER_LEAD: Final = 150
"""Beats of one lead at most: those with marks first."""
_LEAD_IN_S: Final = 60.0
"""Read before the first mark, so that there is a template by then."""
_TAIL_S: Final = 2.0
"""Read after the last mark: the window of the last beat and the path's latency."""
_LONGEST_S: Final = 300.0
"""Read of a lead at most."""


@dataclass(frozen=True, slots=True, eq=False)
class WaveBeats:
    """n beats with what is known of their waves.

    `window`, `template` float16 (n, 160) as the path yields them; `classes` uint8 (n, 160), of
    `targets.SEGMENTS` or `UNKNOWN`; `p_wave` uint8 (n,), `targets.PWave`; `lead` (n,) numbers
    `keys`, the "database/record:channel" of each, and `subjects`.
    """

    window: NDArray[np.float16]
    template: NDArray[np.float16]
    classes: NDArray[np.uint8]
    p_wave: NDArray[np.uint8]
    lead: NDArray[np.int64]
    keys: tuple[str, ...]
    subjects: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.window)

    def __getitem__(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> "WaveBeats":
        arrays = ("window", "template", "classes", "p_wave", "lead")
        return replace(self, **{name: getattr(self, name)[rows] for name in arrays})

    @classmethod
    def join(cls, parts: "Sequence[WaveBeats]") -> "WaveBeats":
        """Parts one after the other."""
        offsets = np.cumsum([0, *(len(part.keys) for part in parts[:-1])])
        leads = [part.lead + offset for part, offset in zip(parts, offsets, strict=True)]
        return cls(
            window=np.concatenate([part.window for part in parts]),
            template=np.concatenate([part.template for part in parts]),
            classes=np.concatenate([part.classes for part in parts]),
            p_wave=np.concatenate([part.p_wave for part in parts]),
            lead=np.concatenate(leads),
            keys=tuple(key for part in parts for key in part.keys),
            subjects=tuple(who for part in parts for who in part.subjects),
        )

    def save(self, path: Path) -> None:
        """Write to `path` (.npz), whole or not at all."""
        save_fields(self, path)

    @classmethod
    def load(cls, path: Path) -> "WaveBeats":
        """Read what `save` wrote."""
        return cls(**load_fields(path, cls.__slots__))


def beats_of(lead: Lead) -> WaveBeats:
    """The readable beats of one lead, at most `PER_LEAD`."""
    header = read_header(lead.path)
    fs = Fraction(header.fs_fraction)
    waves = Waves.of([]) if lead.waves is None else read_waves(f"{lead.path}.{lead.waves}")
    raw = whole(read_physical(lead.path, channels=[lead.channel])[:, 0])
    first, last = _stretch(lead, waves, fs, len(raw))
    tapped = tap(raw[first:last], fs, lead.mains_hz)
    readable = tapped.beats.valid
    at = tapped.at[readable] + first
    of_samples = sample_classes(waves, lead.consecutive, fs, len(raw))
    classes = windowed(of_samples, at, fs)
    chosen = _chosen(classes)
    return WaveBeats(
        window=tapped.beats.window[readable][chosen].astype(np.float16),
        template=tapped.beats.template[readable][chosen].astype(np.float16),
        classes=classes[chosen],
        p_wave=p_of_waves(waves, of_samples, at[chosen], fs),
        lead=np.zeros(len(chosen), np.int64),
        keys=(lead.key,),
        subjects=(lead.subject,),
    )


def _stretch(lead: Lead, waves: Waves, fs: Fraction, n: int) -> tuple[int, int]:
    """First and last sample to read: all of a short lead, else what lies around its marks."""
    end = n if lead.end_s is None else min(n, round(lead.end_s * fs))
    if not len(waves):
        return 0, min(end, round(_LONGEST_S * fs))
    first = max(0, int(waves.first.min()) - round(_LEAD_IN_S * fs))
    last = min(int(waves.last.max()) + round(_TAIL_S * fs), first + round(_LONGEST_S * fs))
    return first, min(end, last)


def _chosen(classes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Rows to keep: of those with marks and of the others, evenly, `PER_LEAD` in all."""
    marked = np.any(classes != UNKNOWN, axis=1)
    kept = _evenly(np.flatnonzero(marked), PER_LEAD)
    others = _evenly(np.flatnonzero(~marked), PER_LEAD - len(kept))
    return np.sort(np.concatenate((kept, others)))


def _evenly(rows: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    if len(rows) <= n:
        return rows
    return rows[np.linspace(0, len(rows) - 1, n).round().astype(np.int64)]


def leads_of(directory: Path, name: str) -> list[Lead]:
    """The leads of archive `name`: with waves where the archive marks them.

    Raises `RecipeError` if there is a person of the test among them, or no such archive.
    """
    try:
        module = import_module(f"model_build.datasets.{name}")
    except ImportError:
        module = None
    marked = getattr(module, "delineated", None)
    if name in ("mitdb", "svdb", "nstdb", "mitdb-pwave"):
        raise RecipeError(f"{name} scores beats or their noise: no signal for pre-training")
    leads: list[Lead] = marked(directory) if marked else unlabelled(directory, name)
    require_separate(lead.subject for lead in leads)
    return leads


@cache
def _digest_of_code() -> str:
    """Of everything that turns a lead into `WaveBeats`, besides the data."""
    here = Path(__file__).parent
    datasets = here.parent / "datasets"
    files = (
        Path(__file__), here / "targets.py", datasets / "leads.py", datasets / "waves.py",
        datasets / "ludb.py", datasets / "qtdb.py",
    )  # fmt: skip
    digest = hashlib.sha256(code_digest().encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def cache_path(work: Path, name: str, leads: Iterable[Lead]) -> Path:
    """Where the beats of archive `name` lie: named by code and data."""
    keys = [f"{lead.key} {checksums()[f'{lead.database}/{lead.record}']}" for lead in leads]
    digest = hashlib.sha256("\n".join((_digest_of_code(), *keys)).encode())
    return work / "pretraining" / f"{name}-{digest.hexdigest()[:16]}.npz"


def prepare_archive(
    directory: Path, name: str, work: Path, report: Callable[[int, int], None]
) -> WaveBeats:
    """All beats of archive `name`, from the cache if there; `report` takes done and all leads."""
    leads = leads_of(directory, name)
    path = cache_path(work, name, leads)
    if not path.is_file():
        parts = []
        for done, lead in enumerate(leads, start=1):
            parts.append(beats_of(lead))
            report(done, len(leads))
        path.parent.mkdir(parents=True, exist_ok=True)
        WaveBeats.join(parts).save(path)
    report(len(leads), len(leads))
    return WaveBeats.load(path)
