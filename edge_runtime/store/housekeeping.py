"""Lets retention act on the store, once a minute, from the writer's thread."""

import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Final

from edge_runtime.errors import ClockJumpError, StoreError
from edge_runtime.store.database import FILE_NAME, Database
from edge_runtime.store.disk import remove_file
from edge_runtime.store.overview import bytes_below
from edge_runtime.store.raw import frame_bytes, signals_of
from edge_runtime.store.removal import STRIPS_FOLDER, Removal
from edge_runtime.store.retention import (
    ClockWatch,
    Ended,
    Kept,
    Piece,
    Plan,
    RetentionSettings,
    due,
    oldest_first,
)

_EVERY_S: Final = 60.0
_ALL_EVERY_S: Final = 3600.0
_RESERVE_FILE: Final = "reserve"
_RESERVE_BYTES: Final = 2 << 20
"""Given up on a disk that is full to the last byte: room to write down what goes, and to go on
recording while it does."""
_MOST_PIECES: Final = 500
"""In one statement; the rest goes a minute later."""

FreeBytes = Callable[[Path], int]


def free_bytes(directory: Path) -> int:
    """Room on its disk. Raises OSError."""
    return shutil.disk_usage(directory).free


class Housekeeping:
    """Looks once a minute for room and the clock, once an hour (and where room is short) for what
    is to go. Raises StoreError where something is wrong: told to a person, again each minute."""

    def __init__(
        self,
        directory: Path,
        database: Database,
        removal: Removal,
        settings: RetentionSettings,
        now_s: Callable[[], float],
        utc_ns: Callable[[], int],
        free: FreeBytes = free_bytes,
    ) -> None:
        self._directory = directory
        self._database = database
        self._removal = removal
        self._settings = settings
        self._now_s, self._utc_ns, self._free = now_s, utc_ns, free
        self._clock = ClockWatch(now_s(), utc_ns())
        self._looked_s = now_s()
        self._looked_at_all_s = -_ALL_EVERY_S
        self._reserve = directory / _RESERVE_FILE

    def configure(self, settings: RetentionSettings) -> None:
        """Other limits, from the next look on; any thread may say so."""
        self._settings = settings
        self._looked_at_all_s = -_ALL_EVERY_S

    def look(self) -> None:
        """Once a minute: mark what is to go. Raises StoreError, ClockJumpError."""
        now_s = self._now_s()
        if now_s - self._looked_s < _EVERY_S:
            return
        self._looked_s = now_s
        jumped_s = self._clock.look(now_s, self._utc_ns())
        if not self._removal.pending:
            self._look_for_room(now_s)
        if jumped_s:
            raise ClockJumpError(
                f"the clock jumped by {jumped_s:+.0f} s: sessions that run keep the time they "
                "began with, nothing goes by age for an hour; check the time (timedatectl)"
            )

    def _look_for_room(self, now_s: float) -> None:
        try:
            free = self._free(self._directory)
        except OSError as error:
            raise StoreError(f"{self._directory}: {error.strerror}; look at dmesg") from error
        least = self._settings.least_free_gb * 1e9
        if free >= least + _RESERVE_BYTES:
            self._keep_reserve()
        elif free < _RESERVE_BYTES:
            remove_file(self._reserve)
        if free >= least and now_s - self._looked_at_all_s < _ALL_EVERY_S:
            return
        self._looked_at_all_s = now_s
        trusted = self._clock.trusted(now_s)
        plan = due(self._kept(free), self._settings, self._utc_ns(), trusted=trusted)
        self._mark(plan)
        if plan.short:
            raise StoreError(f"{self._directory}: {_words(plan)}; free space there (df -h)")

    def _kept(self, free: int) -> Kept:
        sessions = self._database.read(
            "SELECT name, ended_utc_ns FROM session WHERE ended_utc_ns IS NOT NULL AND NOT going"
            " ORDER BY ended_utc_ns, id"
        )
        pieces = oldest_first(self._pieces())
        n_bytes = sum(piece.n_bytes for piece in pieces) + self._other_bytes()
        return Kept(pieces, [Ended(*row) for row in sessions], n_bytes, free)

    def _pieces(self) -> Iterator[Piece]:
        rows = self._database.read(
            "SELECT session.name, stream, started_utc_ns, signal, first, n_samples, fmt"
            " FROM segment JOIN session ON session.id = segment.session"
            " WHERE n_samples IS NOT NULL AND NOT segment.going AND NOT session.going"
            " ORDER BY segment.session"
        )
        for (name, stream, started_utc_ns), group in itertools.groupby(rows, lambda row: row[:3]):
            signals = {signal.id: signal for signal in signals_of(stream)}
            for *_, signal, first, n_samples, fmt in group:
                one = signals[signal]
                end_s = Fraction(first + n_samples) / one.rate_hz
                yield Piece(
                    session=name,
                    signal=signal,
                    first=first,
                    end_utc_ns=started_utc_ns + int(end_s * 10**9),
                    n_bytes=n_samples * frame_bytes(one, fmt),
                )

    def _other_bytes(self) -> int:
        if not self._settings.most_gb:
            return 0  # nobody asks, and there may be many strips
        files = (self._directory / f"{FILE_NAME}{ending}" for ending in ("", "-wal"))
        database = sum(file.stat().st_size for file in files if file.exists())
        return database + bytes_below(self._directory / STRIPS_FOLDER)

    def _mark(self, plan: Plan) -> None:
        pieces = plan.pieces[:_MOST_PIECES]
        for (session, signal), group in itertools.groupby(
            sorted(pieces, key=lambda one: (one.session, one.signal)),
            lambda one: (one.session, one.signal),
        ):
            firsts = [piece.first for piece in group]
            self._removal.mark_segments(session, signal, firsts)
        for session in plan.sessions:
            self._removal.mark_session(session)

    def _keep_reserve(self) -> None:
        if self._reserve.exists():
            return
        try:
            with self._reserve.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, _RESERVE_BYTES)
        except OSError:
            self._reserve.unlink(missing_ok=True)  # another minute


def _words(plan: Plan) -> str:
    if plan.sessions:
        return "the disk is nearly full; the oldest sessions go, with their events and strips"
    if plan.pieces:
        return "the disk is nearly full; the oldest signal goes, so that recording goes on"
    return "the disk is nearly full, and nothing is left that could go"
