"""Prepared beats in memory: what the signal path yields, with targets and weights."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model_build.datasets.recording import Target
from model_build.recipe import Weight


@dataclass(frozen=True, slots=True, eq=False)
class LeadBeats:
    """The same k beats as a second lead shows them: arrays as `PreparedBeats` has them."""

    window: NDArray[np.float16]
    template: NDArray[np.float16]
    features: NDArray[np.float32]
    valid: NDArray[np.bool_]

    @classmethod
    def masked(cls, k: int, n_samples: int, n_features: int) -> "LeadBeats":
        """A lead that shows nothing of k beats."""
        shapes = np.zeros((k, n_samples), np.float16)
        return cls(shapes, shapes, np.zeros((k, n_features), np.float32), np.zeros(k, np.bool_))


@dataclass(frozen=True, slots=True, eq=False)
class PreparedBeats:
    """The detected beats of one recording through one view, in order of time.

    Attributes:
        key: "database/record".
        subject: Who.
        group: The recording's `Group`.
        view: Name of the recipe's view.
        starts: First beat of every piece (the history is cold there), int64 (pieces,).
        at: R peaks, in samples of the archive's own rate from the record's start, int64 (k,); a
            view that moves beats counts in its own record.
        window, template: float16 (k, 160), scaled by the template.
        features: float32 (k, F), as the path yields them, not standardized.
        valid: Whether the path let the beat into the history, bool (k,).
        tentative: Whether the detector was not sure of the peak, bool (k,).
        target: `Target` of each beat, uint8 (k,).
        companion: The beats on a second lead, where the view looks at one and the record has it.
    """

    key: str
    subject: str
    group: str
    view: str
    starts: NDArray[np.int64]
    at: NDArray[np.int64]
    window: NDArray[np.float16]
    template: NDArray[np.float16]
    features: NDArray[np.float32]
    valid: NDArray[np.bool_]
    tentative: NDArray[np.bool_]
    target: NDArray[np.uint8]
    companion: LeadBeats | None = None

    def __len__(self) -> int:
        return len(self.at)

    @property
    def seen(self) -> NDArray[np.bool_]:
        """Which beats a classifier looks at: those that a lead shows, bool (k,)."""
        return self.valid if self.companion is None else self.valid | self.companion.valid

    def save(self, path: Path) -> None:
        """Write to `path` (.npz), whole or not at all."""
        # Two processes may prepare the same recording: each has a part of its own.
        part = path.with_name(f"{path.stem}.{os.getpid()}.part.npz")
        arrays = {name: getattr(self, name) for name in self.__slots__ if name != "companion"}
        if self.companion is not None:
            lead = self.companion
            arrays |= {f"companion.{name}": getattr(lead, name) for name in lead.__slots__}
        np.savez(part, **arrays)
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> "PreparedBeats":
        """Read what `save` wrote."""
        with np.load(path) as stored:
            fields = {name: stored[name] for name in cls.__slots__ if name != "companion"}
            companion = None
            if "companion.valid" in stored:
                names = LeadBeats.__slots__
                companion = LeadBeats(**{name: stored[f"companion.{name}"] for name in names})
        for name in ("key", "subject", "group", "view"):
            fields[name] = str(fields[name])
        return cls(**fields, companion=companion)


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """All beats of a training run end to end.

    `spans` (pieces, 2) are the first and last beat of each piece; `recordings` (pieces,) numbers
    the recording and `views` (pieces,) the view among those of its recording that a piece is of.
    `weight` is that of the recording's group; zero where the target is `Target.IGNORE`.
    `p_wave` is `pretraining.targets.PWave` of each beat, None where the training asks for none.
    `companion` is None where no recording has one; else a recording without is masked in it.
    """

    window: NDArray[np.float16]
    template: NDArray[np.float16]
    features: NDArray[np.float32]
    valid: NDArray[np.bool_]
    target: NDArray[np.uint8]
    weight: NDArray[np.float32]
    spans: NDArray[np.int64]
    recordings: NDArray[np.int64]
    views: NDArray[np.int64]
    subjects: tuple[str, ...]
    p_wave: NDArray[np.uint8] | None = None
    companion: LeadBeats | None = None


def pool(prepared: Sequence[PreparedBeats], weight: Weight) -> Pool:
    """Join recordings; `subjects` are those of all pieces, in order."""
    pieces: list[tuple[int, int, int, int]] = []
    subjects, weights = [], []
    offset = 0
    seen: dict[str, list[str]] = {}
    for item in prepared:
        views = seen.setdefault(item.key, [])
        views.append(item.view)
        number = list(seen).index(item.key)
        for first, last in zip(item.starts, [*item.starts[1:], len(item)], strict=True):
            if last > first:
                pieces.append((offset + first, offset + last, number, len(views) - 1))
                subjects.append(item.subject)
        known = item.target != Target.IGNORE
        weights.append(known * np.float32(getattr(weight, item.group)))
        offset += len(item)
    table = np.array(pieces, dtype=np.int64).reshape(-1, 4)
    return Pool(
        window=np.concatenate([p.window for p in prepared]),
        template=np.concatenate([p.template for p in prepared]),
        features=np.concatenate([p.features for p in prepared]),
        valid=np.concatenate([p.valid for p in prepared]),
        target=np.concatenate([p.target for p in prepared]),
        weight=np.concatenate(weights).astype(np.float32),
        spans=table[:, :2].copy(),
        recordings=table[:, 2].copy(),
        views=table[:, 3].copy(),
        subjects=tuple(subjects),
        companion=_companions(prepared),
    )


def _companions(prepared: Sequence[PreparedBeats]) -> LeadBeats | None:
    if all(p.companion is None for p in prepared):
        return None
    leads = [
        p.companion or LeadBeats.masked(len(p), p.window.shape[1], p.features.shape[1])
        for p in prepared
    ]
    return LeadBeats(
        **{name: np.concatenate([getattr(x, name) for x in leads]) for name in LeadBeats.__slots__}
    )
