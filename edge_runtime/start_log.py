"""Counting starts that did not end well, so that a crash loop ends in a safe mode that records.

A small file in the state directory holds when the daemon was started; a clean end takes its start
out again. What is left was killed, crashed, starved its watchdog or lost its power. Too many within
a while, and the next start only records. After a safe mode the first crash leads back to it.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from edge_runtime.errors import StoreError
from edge_runtime.release_trial import ReleaseTrial
from edge_runtime.rules.bounds import bounded, check_bounds
from edge_runtime.store.disk import make_directory
from firmware_bridge.errors import RecordError
from firmware_bridge.records.writing import replace_file

log = logging.getLogger(__name__)

FILE_NAME: Final = "starts.json"


@dataclass(frozen=True, slots=True)
class SafeModeConfig:
    """After `crashes` within `within_minutes` the daemon only records: no models, no alarms of the
    heart, no page, and a technical alarm that says so. It tries again after `stable_minutes`, and
    on SIGHUP; a run of so long is taken for sound."""

    crashes: int = bounded(5, 2, 50)
    within_minutes: float = bounded(10.0, 1.0, 120.0)
    stable_minutes: float = bounded(10.0, 1.0, 120.0)

    def __post_init__(self) -> None:
        check_bounds(self)


class _State(msgspec.Struct, forbid_unknown_fields=True):
    starts: list[float] = []  # UTC seconds
    probation: bool = False  # a safe mode was left, and no run has been sound since


class StartLog:
    """The starts in `directory` (made if it is not there). `utc_s` is the wall clock; `trial` hears
    what becomes of this one."""

    def __init__(
        self,
        directory: Path,
        settings: SafeModeConfig,
        utc_s: Callable[[], float] = time.time,
        trial: ReleaseTrial = ReleaseTrial(),  # noqa: B008 - frozen
    ) -> None:
        self._file = directory / FILE_NAME
        self._settings = settings
        self._utc_s = utc_s
        self._trial = trial
        self._started = utc_s()

    def begin(self) -> int:
        """Write down a start. How many crashes make it one of the safe mode; 0: a usual one."""
        state = self._read()
        now, within_s = self._utc_s(), 60 * self._settings.within_minutes
        # A start in the future was written before the clock was set back: it may be recent.
        crashed = [at for at in state.starts if now - at <= within_s]
        self._started = now
        state.starts = [*crashed, now]
        self._write(state)
        enough = 1 if state.probation else self._settings.crashes
        return len(crashed) if len(crashed) >= enough else 0

    def leave_safe_mode(self) -> None:
        """The usual mode is tried again: its first crash is one too many."""
        self._started = self._utc_s()
        self._write(_State([self._started], probation=True))

    def stable(self) -> None:
        """This run is sound: what was before counts no more."""
        self._write(_State([self._started]))
        self._trial.sound()

    def ended(self) -> None:
        """This run came to an end that was wanted."""
        state = self._read()
        state.starts = [at for at in state.starts if at != self._started]
        self._write(state)
        self._trial.ended()

    def _read(self) -> _State:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=_State)
        except FileNotFoundError:
            return _State()
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            log.error("%s cannot be read; crashes are counted from now on: %s", self._file, error)
            return _State()

    def _write(self, state: _State) -> None:
        try:
            make_directory(self._file.parent)
            replace_file(self._file, json.dumps(msgspec.to_builtins(state)).encode(), sync=True)
        except (StoreError, RecordError) as error:
            # The store says it louder; a daemon that cannot count its starts still monitors.
            log.error("%s", error)


class SteadyView:
    """A view that shows nothing: it notes in `starts` when the daemon has run for long enough."""

    def __init__(self, starts: StartLog, after_s: float) -> None:
        self._starts, self._after_s = starts, after_s

    def see(self, source: str, item: object, published: Sequence[object]) -> None:
        """Nothing to show."""

    def say(self, source: str, message: str) -> None:
        """Nothing to show."""

    async def run(self) -> None:
        """Wait, and note it."""
        await asyncio.sleep(self._after_s)
        await asyncio.to_thread(self._starts.stable)
