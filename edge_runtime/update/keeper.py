"""The daemon's side of an update: which set its engines are made of, and when that changes.

A staged set is taken when no alarm of the wearer's is on and none was for half a minute. Its
sources are then opened anew, which costs a serial sensor a tenth of a second and a strap a
reconnect. It stays on trial until it has run over so many minutes of signal and then agreed on them
with the set before; whatever speaks against it brings that one back, by itself.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from edge_runtime.errors import BundleError, EdgeRuntimeError, UpdateError
from edge_runtime.inference.bundle import BundleSet, load_bundle_set
from edge_runtime.threads import AnyEngine
from edge_runtime.update.choice import CONFIGURED, Chosen
from edge_runtime.update.shadow import Agreement
from edge_runtime.update.shelf import Shelf, ShelfState
from edge_runtime.update.trial import Trial
from firmware_bridge.stream import StreamOpened

log = logging.getLogger(__name__)

_LOOK_EVERY_S: Final = 2.0
QUIET_S: Final = 30.0
"""Without an alarm for so long: one that flickers is not over."""
NAME: Final = "models"
"""What lines about the models are said of."""

MakeEngine = Callable[[BundleSet, StreamOpened], AnyEngine]
Compare = Callable[[BundleSet, BundleSet, float], Agreement | None]
"""Old set, new set, and over how many of the newest seconds of stored signal."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a keeper asks of the daemon around it.

    `make`: an engine of a set, called in the engine thread. `in_alarm`: is an alarm of the wearer's
    on? `compare`: two sets on stored signal, as `shadow.compare`. `taken` is told of the set that
    engines are made of from now on. `trial_s`: seconds of signal that a trial lasts.
    """

    make: MakeEngine
    in_alarm: Callable[[], bool]
    compare: Compare
    taken: Callable[[BundleSet], None]
    trial_s: float
    now_s: Callable[[], float] = time.monotonic


class ModelKeeper:
    """The set in use, and its successor's way in. `chosen` runs at the start; one that the
    configuration names stays."""

    def __init__(self, shelf: Shelf, chosen: Chosen, conditions: Conditions) -> None:
        self._shelf = None if chosen.id == CONFIGURED else shelf
        self._is = conditions
        self.chosen = chosen
        self._trial: Trial | None = None
        self._quiet_since_s: float | None = None
        self._said = ""
        self._reopen: Callable[[str], Awaitable[None]] = _nothing_to_reopen
        self._say: Callable[[str, str], None] = lambda _name, _message: None
        with contextlib.suppress(UpdateError):  # told when it is looked at
            if self._shelf is not None and self._shelf.state().trial is not None:
                self._trial = Trial()

    def connect(
        self, reopen: Callable[[str], Awaitable[None]], say: Callable[[str, str], None]
    ) -> None:
        """`reopen` ends every source's session for a reason and opens it anew."""
        self._reopen, self._say = reopen, say

    @property
    def on_trial(self) -> bool:
        """The set in use is not confirmed yet."""
        return self._trial is not None

    def make_engine(self, opened: StreamOpened) -> AnyEngine:
        """An engine of the set in use."""
        trial = self._trial
        if trial is None:
            return self._is.make(self.chosen.bundles, opened)
        try:
            engine = self._is.make(self.chosen.bundles, opened)
        except EdgeRuntimeError as error:
            trial.refused(error)
            raise
        return trial.watched(engine, opened)

    async def run(self) -> None:
        """Look for what is staged, and after a trial, until cancelled."""
        while self._shelf is not None:
            await asyncio.sleep(_LOOK_EVERY_S)
            try:
                await self.look(self._shelf)
            except EdgeRuntimeError as error:
                # A full disk, say: what runs goes on running.
                self._tell(f"models cannot be changed: {error}")

    def stopped(self) -> None:
        """The daemon ends in order: a start that did so was no failed one."""
        if self._shelf is not None and self._trial is not None and not self._trial.problem():
            self._shelf.forgive_start()

    async def look(self, shelf: Shelf) -> None:
        """What is to be done now, if anything. Raises UpdateError, BundleError."""
        state = shelf.state()
        quiet = self._is_quiet()
        if state.current != self.chosen.id:
            # Rejected or rolled back by a command while it ran.
            if quiet:
                await self._use(shelf, "the models were changed by hand")
        elif state.staged is not None:
            if quiet:
                await self._take(shelf, state.staged.id)
            else:
                self._tell(f"{state.staged.id} waits until no alarm is on")
        elif self._trial is not None:
            await self._judge(shelf, state, self._trial, quiet=quiet)

    async def _take(self, shelf: Shelf, set_id: str) -> None:
        try:
            await asyncio.to_thread(load_bundle_set, shelf.place(set_id))
        except BundleError as error:
            shelf.reject(set_id, str(error))
            self._tell(f"{set_id} is not taken: {error}")
            return
        before = self.chosen.id
        shelf.switch()
        await self._use(shelf, f"{set_id} instead of {before}")

    async def _judge(self, shelf: Shelf, state: ShelfState, trial: Trial, *, quiet: bool) -> None:
        problem = trial.problem()
        if not problem and trial.signal_s >= self._is.trial_s and state.trial is not None:
            before = load_bundle_set(shelf.place(state.trial.before))
            agreed = await asyncio.to_thread(
                self._is.compare, before, self.chosen.bundles, trial.signal_s
            )
            problem = "" if agreed is None else agreed.problem
            if not problem:
                shelf.confirm()
                self._trial = None
                told = "no stored signal to compare on" if agreed is None else agreed.words()
                self._tell(f"{self.chosen.id} is confirmed: {told}")
                return
        if not problem:
            return
        # An engine that has failed monitors nobody; one that is only worse waits for quiet.
        if quiet or trial.refusal:
            rejected = self.chosen.id
            shelf.reject(rejected, problem)
            await self._use(shelf, f"{rejected} was taken back: {problem}")

    async def _use(self, shelf: Shelf, why: str) -> None:
        """Engines are made of what the shelf says from now on."""
        set_id, bundles = shelf.open_current()
        self.chosen = Chosen(set_id, bundles, shelf.origin(set_id))
        self._trial = Trial() if shelf.state().trial is not None else None
        self._is.taken(bundles)
        self._tell(f"models: {why}")
        await self._reopen(f"models: {why}")

    def _is_quiet(self) -> bool:
        now_s = self._is.now_s()
        if self._is.in_alarm():
            self._quiet_since_s = None
            return False
        if self._quiet_since_s is None:
            self._quiet_since_s = now_s
        return now_s - self._quiet_since_s >= QUIET_S

    def _tell(self, message: str) -> None:
        """Each thing once."""
        if message != self._said:
            self._said = message
            log.info("%s", message)
            self._say(NAME, message)


async def _nothing_to_reopen(_reason: str) -> None:
    """Before the daemon runs there is no source."""
