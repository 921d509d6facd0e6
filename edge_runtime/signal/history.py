"""A beat in the context of this patient's own beats: the one place where it is made.

`BeatHistory` is a function of signal and peaks only, and the same in training and in serving. Fed
one beat at a time or in blocks of any size, with `break_at` at the same indices, it gives the same
bits.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.signal import features
from edge_runtime.signal.anatomy import Anatomy, coherence, correlation, measure
from edge_runtime.signal.features import COHERENCE_BEATS, FEATURES, Evidence
from edge_runtime.signal.intervals import LOG_STEPS, Intervals, IntervalTrack
from edge_runtime.signal.template import Followed, Morphologies
from edge_runtime.signal.windows import FLAT_MV, LENGTH, QRS, WINDOW, span, to_shapes

Bools = NDArray[np.bool_]

CLIP: Final = 2.0
"""Windows are clipped at this many QRS heights of the template: twice a tall ectopic beat."""
_EARLY: Final = round(0.16 * LOG_STEPS)
"""A beat is premature when its RR is 15 % below the mean of the past 60."""
_LOW: Final = 0.3
_UNLIKE: Final = 0.5
"""A peak is doubtful below 0.3 of the template's height and 0.5 correlation of QRS, ..."""
_SETTLED: Final = 8
"""... once the template holds this many beats."""
_BLOCK: Final = 256
"""Rows worked on at once: what fits a small cache. No result depends on it."""
_PRIOR: Final = COHERENCE_BEATS - 1


@dataclass(frozen=True, slots=True, eq=False)
class BeatBlock:
    """k beats in context, in order; arrays are read-only.

    `at` (k,) contract index of R; `window` and `template` (k, 160) float32, R at 88, in QRS
    heights of the template, within +-`CLIP` (before there is a template: in the beat's own height,
    and `template` is zero); `features` (k, len(FEATURES)) float32 in raw units, never NaN;
    `valid` (k,) False where the window is not readable: it is zero then; `tentative` (k,) True
    where the detector is not sure of the peak: such a one leaves no trace in RR and template;
    `unit_mv` (k,) float32, what 1 in window and template is in mV.
    """

    at: NDArray[np.int64]
    window: NDArray[np.float32]
    template: NDArray[np.float32]
    features: NDArray[np.float32]
    valid: Bools
    tentative: Bools
    unit_mv: NDArray[np.float32]

    def __post_init__(self) -> None:
        for name in self.__slots__:
            getattr(self, name).flags.writeable = False

    def __len__(self) -> int:
        return len(self.at)

    def __getitem__(self, rows: NDArray[np.intp]) -> "BeatBlock":
        """The beats `rows`, in that order."""
        return BeatBlock(*(getattr(self, name)[rows] for name in self.__slots__))

    @classmethod
    def empty(cls) -> "BeatBlock":
        """No beats."""
        return cls.join([])

    @classmethod
    def join(cls, blocks: "list[BeatBlock]") -> "BeatBlock":
        """Blocks one after the other."""
        if len(blocks) == 1:
            return blocks[0]
        shapes = np.zeros((0, LENGTH), dtype=np.float32)
        table = np.zeros((0, len(FEATURES)), dtype=np.float32)
        return cls(
            np.concatenate([np.zeros(0, dtype=np.int64), *(b.at for b in blocks)]),
            np.concatenate([shapes, *(b.window for b in blocks)]),
            np.concatenate([shapes, *(b.template for b in blocks)]),
            np.concatenate([table, *(b.features for b in blocks)]),
            np.concatenate([np.zeros(0, dtype=np.bool_), *(b.valid for b in blocks)]),
            np.concatenate([np.zeros(0, dtype=np.bool_), *(b.tentative for b in blocks)]),
            np.concatenate([np.zeros(0, dtype=np.float32), *(b.unit_mv for b in blocks)]),
        )


class BeatHistory:
    """RR of 300 beats, morphologies and recent shapes of one patient on one lead."""

    def __init__(self) -> None:
        self._track = IntervalTrack()
        self._sure = IntervalTrack()
        self._any = IntervalTrack()
        self._morphologies = Morphologies()
        self._breaks: list[int] = []
        self._stretch = 0
        self._last_at = -1
        # Of the beats before: shapes, whether their P region counts; then of the last two firm
        # ones whether their RR is known and what it is, of the last its shape, readability, doubt.
        self._shapes = np.zeros((_PRIOR, LENGTH))
        self._p_usable = np.zeros(_PRIOR, dtype=np.bool_)
        self._prev = np.zeros((1, LENGTH))
        self._rr = np.zeros(2, dtype=np.int32)
        self._rr_ok = np.zeros(2, dtype=np.bool_)
        self._readable = False
        self._doubtful = False

    def break_at(self, index: int) -> None:
        """A gap or unreadable stretch at contract `index`: the RR across it is unknown.

        To be told before the first beat at or after `index` is observed; beats before it may
        still follow.
        """
        if index <= self._last_at:
            raise ValueError(f"break at {index} comes after the beat at {self._last_at}")
        self._breaks = sorted({*self._breaks, index})

    def forget_shapes(self) -> None:
        """The lead was switched: RR are kept, shapes and template start anew."""
        self._morphologies = Morphologies()
        self._shapes = np.zeros((_PRIOR, LENGTH))
        self._p_usable = np.zeros(_PRIOR, dtype=np.bool_)
        self._readable = False

    def observe_block(
        self, windows: NDArray[np.float64], at: NDArray[np.int64], tentative: Bools
    ) -> BeatBlock:
        """Take k beats in order: windows (k, 320) in mV, R at 176, and their contract indices.

        `tentative` (k,) peaks are put in context but are none: beats are compared with firm ones
        before them, but for the features that say otherwise. A row with NaN is a beat whose window
        is not readable or not whole: its RR counts, its shape is masked. Raises ValueError if
        shapes differ or `at` does not increase.
        """
        at = np.asarray(at, dtype=np.int64)
        if windows.shape != (len(at), WINDOW):
            raise ValueError(f"windows of {len(at)} beats must be ({len(at)}, {WINDOW})")
        steps = at[1:] > at[:-1]
        if len(at) and not (at[0] > self._last_at and steps.all()):
            raise ValueError(f"beats must come in order, after the one at {self._last_at}")
        return BeatBlock.join(
            [
                self._observe(
                    windows[i : i + _BLOCK], at[i : i + _BLOCK], tentative[i : i + _BLOCK]
                )
                for i in range(0, len(at), _BLOCK)
            ]
        )

    def _observe(
        self, windows: NDArray[np.float64], at: NDArray[np.int64], tentative: Bools
    ) -> BeatBlock:
        shapes, readable = to_shapes(windows)
        stretch = self._stretches(at)
        torn = np.diff(stretch, prepend=self._stretch) > 0
        intervals = self._track.advance(at, stretch, ~tentative)
        premature = _premature(intervals)
        followed = self._morphologies.follow_block(at, shapes, readable, premature, torn, tentative)
        evidence = self._gather(
            at, stretch, shapes, readable, premature, intervals, followed, tentative
        )
        table = features.compute(evidence)
        self._stretch, self._last_at = int(stretch[-1]), int(at[-1])
        known = followed.count > 0
        own = np.maximum(span(shapes[:, QRS]), FLAT_MV)
        scale = np.where(known, evidence.template.height, own)[:, None]
        return BeatBlock(
            at.copy(),
            _clip(shapes / scale),
            _clip(followed.template / scale),
            table,
            readable,
            tentative.copy(),
            scale[:, 0].astype(np.float32),
        )

    def _stretches(self, at: NDArray[np.int64]) -> NDArray[np.int64]:
        passed = np.searchsorted(np.array(self._breaks, dtype=np.int64), at, side="right")
        self._breaks = self._breaks[int(passed[-1]) :]
        return self._stretch + passed

    def _gather(
        self,
        at: NDArray[np.int64],
        stretch: NDArray[np.int64],
        shapes: NDArray[np.float64],
        readable: Bools,
        premature: Bools,
        intervals: Intervals,
        followed: Followed,
        tentative: Bools,
    ) -> Evidence:
        k, firm = len(at), np.flatnonzero(~tentative)
        line = np.concatenate((self._shapes, shapes))
        seen = measure(np.concatenate((line, self._prev, followed.template)))
        beat, template = seen[_PRIOR : _PRIOR + k], seen[_PRIOR + k + 1 :]
        usable = np.concatenate((self._p_usable, readable & ~premature & ~tentative))
        doubtful = readable & _doubtful(beat, template, followed)
        # What lies before each beat, counted among the firm ones: of those kept, then of these.
        before: NDArray[np.int64] = np.cumsum(~tentative) - ~tentative
        rr = np.concatenate((self._rr, intervals.rr[firm]))
        rr_ok = np.concatenate((self._rr_ok, intervals.ok[firm]))
        was_readable = np.concatenate(([self._readable], readable[firm]))
        was_doubtful = np.concatenate(([self._doubtful], doubtful[firm]))
        prev_row = np.concatenate(([_PRIOR + k], _PRIOR + firm))[before]
        prev_rr_ok = intervals.ok & rr_ok[before + 1]
        evidence = Evidence(
            shapes=shapes,
            readable=readable,
            followed=followed,
            beat=beat,
            prev=seen[prev_row],
            template=template,
            p_coherence=coherence(
                seen.p[: _PRIOR + k], seen.p_norm[: _PRIOR + k], usable, COHERENCE_BEATS
            ),
            intervals=intervals,
            sure=self._sure.advance(at, stretch, ~(doubtful | tentative)),
            any=self._any.advance(at, stretch, np.ones(k, dtype=np.bool_)),
            tentative=tentative,
            prev_rr=rr[before + 1],
            prev_rr_ok=prev_rr_ok,
            prev2_rr=rr[before],
            prev2_rr_ok=prev_rr_ok & rr_ok[before],
            # An RR that is known says that no gap lies between the two.
            prev_shape_ok=readable & intervals.ok & was_readable[before],
            prev_doubtful=was_doubtful[before],
        )
        self._shapes, self._p_usable = line[-_PRIOR:].copy(), usable[-_PRIOR:].copy()
        self._rr, self._rr_ok = rr[-2:].copy(), rr_ok[-2:].copy()
        self._readable, self._doubtful = bool(was_readable[-1]), bool(was_doubtful[-1])
        if len(firm):
            self._prev = shapes[firm[-1:]].copy()
        return evidence

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """All state, as named arrays that `restore` takes and `np.savez` can write."""
        own = {
            "breaks": np.array(self._breaks, dtype=np.int64),
            "clock": np.array([self._stretch, self._last_at], dtype=np.int64),
            "shapes": self._shapes.copy(),
            "p_usable": self._p_usable.copy(),
            "prev": self._prev.copy(),
            "rr": self._rr.copy(),
            "rr_ok": self._rr_ok.copy(),
            "last": np.array([self._readable, self._doubtful]),
        }
        for part, state in self._parts().items():
            own |= {f"{part}.{name}": array for name, array in state.snapshot().items()}
        return own

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Take over what `snapshot` gave; what follows is as if nothing had happened."""
        self._breaks = [int(b) for b in state["breaks"]]
        self._stretch, self._last_at = (int(v) for v in state["clock"])
        self._shapes = np.array(state["shapes"], dtype=np.float64)
        self._p_usable = np.array(state["p_usable"], dtype=np.bool_)
        self._prev = np.array(state["prev"], dtype=np.float64)
        self._rr = np.array(state["rr"], dtype=np.int32)
        self._rr_ok = np.array(state["rr_ok"], dtype=np.bool_)
        self._readable, self._doubtful = (bool(v) for v in state["last"])
        for part, holder in self._parts().items():
            prefix = f"{part}."
            holder.restore(
                {
                    name.removeprefix(prefix): a
                    for name, a in state.items()
                    if name.startswith(prefix)
                }
            )

    def _parts(self) -> dict[str, IntervalTrack | Morphologies]:
        return {
            "track": self._track,
            "sure": self._sure,
            "any": self._any,
            "morphologies": self._morphologies,
        }


def _premature(intervals: Intervals) -> Bools:
    early = intervals.rr < intervals.means((60,))[:, 0] - _EARLY
    out: Bools = intervals.ok & (intervals.known >= 3) & early
    return out


def _doubtful(beat: Anatomy, template: Anatomy, followed: Followed) -> Bools:
    alike = correlation(beat.qrs, beat.qrs_norm, template.qrs, template.qrs_norm)
    low = beat.height < _LOW * template.height
    out: Bools = low & (alike < _UNLIKE) & (followed.count >= _SETTLED)
    return out


def _clip(rows: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.minimum(np.maximum(rows, -CLIP), CLIP).astype(np.float32)
