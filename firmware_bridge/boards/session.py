"""From the samples of one board to stream items, over silence and reconnects. No I/O.

A board with a counter tells loss exactly within its modulus; of a longer hole the host's clock
tells which multiple is nearest, marked inexact. A board without one loses unseen within a
connection: nothing is invented there, and a pace that differs from the rate shows in the clock
anchors. Across a reconnect the host's clock alone tells such a hole.

What a stalled link held back arrives in one burst. So after a silence the samples wait for half a
second before they are placed: by then the burst is in, and what is still missing never came.
"""

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.boards.counting import Hole, Numbered
from firmware_bridge.boards.samples import BoardForm, BoardItem, BoardSamples, Unreadable
from firmware_bridge.stream import (
    BytesSkipped,
    ClockAnchor,
    Gap,
    GapReason,
    LeadStatus,
    LinkChanged,
    SampleChunk,
    SampleIndex,
    SignalInfo,
    SignalKind,
    StreamItem,
    StreamOpened,
    Tick,
)

ECG: Final = "ecg"
_NS: Final = 1_000_000_000
_TICK_AFTER_NS: Final = 249_000_000
"""A quarter of a second, after which drivers ask, less what their timers may be early."""
_SILENCE_NS: Final = 500_000_000
"""A longer silence may have cost samples: links collect at most 200 ms, radios repeat for less."""
_WAIT_NS: Final = 500_000_000
_REPORT_SKIPPED_EVERY_NS: Final = 10 * _NS
_ANCHOR_EVERY_S: Final = 1


@dataclass(slots=True)
class BoardCounts:
    """What was dropped, for logs and diagnosis."""

    received_samples: int = 0
    lost_samples: int = 0
    malformed: Counter[str] = field(default_factory=Counter)


class BoardSession:
    """One board's stream. Times are of a monotonic host clock, in nanoseconds.

    Args:
        source: its name in the configuration.
        form: what the board is; its rate must be known.
    """

    def __init__(self, source: str, form: BoardForm) -> None:
        assert form.rate_hz is not None
        self.counts = BoardCounts()
        self._source = source
        self._form = form
        self._rate_hz = form.rate_hz
        self._numbered = Numbered(form.modulus, float(form.rate_hz))
        self._opened = False
        self._end = 0
        self._heard_ns = 0
        self._ticked_ns = 0
        self._next_anchor = 0
        self._is_down = False
        self._off: tuple[bool, ...] | None = None
        self._waiting: list[BoardSamples] = []
        self._waits_from_ns: int | None = None
        self._waited_ns = 0  # arrival of the last that waits
        self._skipped_frames = 0
        self._skipped_bytes = 0
        self._next_skip_report_ns = 0

    @property
    def is_open(self) -> bool:
        """True once samples have come."""
        return self._opened

    @property
    def refused_samples(self) -> int:
        """Samples that came twice or with a number that nothing confirmed."""
        return self._numbered.refused

    @property
    def restarts(self) -> int:
        """How often the board's counter began anew."""
        return self._numbered.restarts

    def feed(self, arrived: list[BoardItem], host_ns: int) -> list[StreamItem]:
        """Items of what a parser gave at `host_ns`."""
        items: list[StreamItem] = []
        for one in arrived:
            if isinstance(one, Unreadable):
                self._skip(one)
                continue
            self.counts.received_samples += len(one.counts)
            if not self._opened:
                self._open(host_ns, items)
            if self._must_wait(host_ns):
                self._waiting.append(one)
                self._waited_ns = host_ns
            else:
                self._place(one, host_ns, items)
        self._settle(host_ns, items)
        self._report_skipped(host_ns, items)
        if not items:
            items += self.silence(host_ns)
        return items

    def silence(self, host_ns: int) -> list[StreamItem]:
        """Call about every 250 ms while nothing arrives: how far the board must have come."""
        if not self._opened:
            return []
        items: list[StreamItem] = []
        self._settle(host_ns, items)
        if not items and host_ns - max(self._heard_ns, self._ticked_ns) >= _TICK_AFTER_NS:
            self._ticked_ns = host_ns
            items.append(Tick(self._now(host_ns)))
        return items

    def link_lost(self, host_ns: int, reason: str) -> list[StreamItem]:
        """The link went down. Said once, until samples flow again."""
        items: list[StreamItem] = []
        if self._waiting:  # it came back for too short a time to be told
            self._settle(self._waited_ns + _WAIT_NS, items)
        if self._is_down or not self._opened:
            return items
        self._is_down = True
        return [*items, LinkChanged(self._now(host_ns), up=False, reason=reason)]

    def _open(self, host_ns: int, items: list[StreamItem]) -> None:
        form = self._form
        n_leads = len(form.leads)
        signal = SignalInfo(
            id=ECG,
            kind=SignalKind.ECG,
            unit="mV",
            rate_hz=self._rate_hz,
            leads=form.leads,
            counts_per_unit=(form.counts_per_mv,) * n_leads,
            baseline=(form.baseline,) * n_leads,
        )
        items.append(StreamOpened(self._source, form.name, form.model, "", form.loss, (signal,)))
        self._opened = True
        self._heard_ns = host_ns

    def _must_wait(self, host_ns: int) -> bool:
        """The samples of now come after a silence that may have cost some."""
        if self._waits_from_ns is not None:
            return True
        silent = host_ns - self._heard_ns > _SILENCE_NS and self._form.modulus > 0
        if silent or self._is_down:
            self._waits_from_ns = host_ns
        return self._waits_from_ns is not None

    def _settle(self, host_ns: int, items: list[StreamItem]) -> None:
        """Place what waits, once it has waited for long enough."""
        began = self._waits_from_ns
        if began is None or not self._waiting or host_ns - began < _WAIT_NS:
            return
        waiting, self._waiting, self._waits_from_ns = self._waiting, [], None
        n_came = sum(len(samples.counts) for samples in waiting)
        unseen = float(self._samples_in(self._waited_ns - self._heard_ns)) - n_came
        first = waiting[0].numbers
        self._resume(None if first is None else int(first[0]), unseen, items)
        *held, last = waiting
        for samples in held:
            self._place(samples, self._waited_ns, items, is_prompt=False)
        self._place(last, self._waited_ns, items)

    def _resume(self, number: int | None, unseen: float, items: list[StreamItem]) -> None:
        """Begin anew after a silence in which about `unseen` samples were not received."""
        was_down, self._is_down = self._is_down, False
        if number is not None and (not was_down or self._form.counts_on):
            hole = self._numbered.after_silence(number, unseen)
        else:
            self._numbered.begin_anew()
            hole = Hole(max(0, round(unseen)) if was_down else 0, exact=False)
        if was_down:
            items.append(LinkChanged(SampleIndex(self._end), up=True, reason="reconnected"))
        reason = GapReason.RECONNECT if was_down or hole.restarted else GapReason.LOST_PACKET
        self._add_gap(hole.n_missing, hole.exact, reason, items)

    def _place(
        self,
        samples: BoardSamples,
        host_ns: int,
        items: list[StreamItem],
        *,
        is_prompt: bool = True,
    ) -> None:
        """`is_prompt`: the last of them was sampled just before `host_ns`."""
        end = self._end
        if samples.numbers is None:
            self._add(samples, items)
        else:
            for run in self._numbered.runs(samples):
                self._add_gap(run.n_missing, True, GapReason.LOST_PACKET, items)
                self._add(run.samples, items)
        if self._end == end:
            return  # nothing new: should this go on, the clock must, too
        self._heard_ns = host_ns
        if is_prompt and self._end >= self._next_anchor:
            items.append(ClockAnchor(SampleIndex(self._end - 1), None, host_ns))
            self._next_anchor = self._end + int(self._rate_hz * _ANCHOR_EVERY_S)

    def _add(self, samples: BoardSamples, items: list[StreamItem]) -> None:
        """Consecutive samples as chunks, cut where an electrode comes off or on."""
        form = self._form
        millivolts = ((samples.counts - form.baseline) / form.counts_per_mv).astype(np.float32)
        if samples.off is None:
            self._add_chunk(millivolts, items)
            return
        changes = np.flatnonzero((samples.off[1:] != samples.off[:-1]).any(axis=1)) + 1
        for first, last in pairwise([0, *changes.tolist(), len(millivolts)]):
            off = tuple(samples.off[first].tolist())
            if off != self._off:
                self._off = off
                items.append(LeadStatus(ECG, SampleIndex(self._end), off))
            self._add_chunk(millivolts[first:last], items)

    def _add_chunk(self, millivolts: NDArray[np.float32], items: list[StreamItem]) -> None:
        items.append(SampleChunk(ECG, SampleIndex(self._end), millivolts))
        self._end += len(millivolts)

    def _add_gap(
        self, n_missing: int, exact: bool, reason: GapReason, items: list[StreamItem]
    ) -> None:
        if n_missing <= 0:
            return
        items.append(Gap(ECG, SampleIndex(self._end), n_missing, exact, reason))
        self.counts.lost_samples += n_missing
        self._end += n_missing

    def _now(self, host_ns: int) -> SampleIndex:
        return SampleIndex(self._end + int(self._samples_in(host_ns - self._heard_ns)))

    def _samples_in(self, elapsed_ns: int) -> Fraction:
        return Fraction(max(0, elapsed_ns), _NS) * self._rate_hz

    def _skip(self, unreadable: Unreadable) -> None:
        self.counts.malformed[unreadable.fault] += 1
        self._skipped_frames += 1
        self._skipped_bytes += unreadable.n_bytes

    def _report_skipped(self, host_ns: int, items: list[StreamItem]) -> None:
        if not self._skipped_frames or not self._opened or host_ns < self._next_skip_report_ns:
            return
        faults = ", ".join(f"{fault} ({n})" for fault, n in sorted(self.counts.malformed.items()))
        items.append(
            BytesSkipped(SampleIndex(self._end), self._skipped_frames, self._skipped_bytes, faults)
        )
        self._skipped_frames = self._skipped_bytes = 0
        self._next_skip_report_ns = host_ns + _REPORT_SKIPPED_EVERY_NS
