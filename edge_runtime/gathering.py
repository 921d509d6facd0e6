"""Calls of networks by several patients' engines, made together: an accelerator gains by rows.

Engines know nothing of each other. So each works in a thread of its own here, only one at a time,
and stops where it calls a network. When all of them stand or are done, the calls of one network
are made one right after the other, by whoever makes calls of so many rows; then the engines go on.
What an engine says does not depend on who was with it, but for the arithmetic of whoever makes
calls of so many rows.
"""

import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from typing import Any, Final, Generic, TypeVar

from edge_runtime.inference.calls import Call

Result = TypeVar("Result")

MOST: Final = 64
"""Engines that work together at most: each needs a thread."""

_now_s: Final = time.perf_counter
_stood: Final = threading.local()
"""`s`: how long the works of this thread have stood for others."""


def own_time_s() -> float:
    """Seconds on a clock of this thread that stands while its work stands for others. A call that
    the work stands at counts, whoever makes it."""
    return _now_s() - getattr(_stood, "s", 0.0)


class _Turn(Generic[Result]):
    """One work in a thread of its own, which goes on only while `go_on` waits for it."""

    def __init__(self, work: Callable[[], Result]) -> None:
        self._work = work
        self._may_go, self._stands = threading.Semaphore(0), threading.Semaphore(0)
        self._results: list[Result] = []
        self._error: BaseException | None = None
        self._call_s = 0.0
        self.call: Call | None = None
        """What it stands at; None once the work is over."""

    def run(self) -> None:
        """In the work's thread: all of it."""
        self._may_go.acquire()
        try:
            self._results.append(self._work())
        except BaseException as error:  # noqa: BLE001 - `result` raises it where it belongs
            self._error = error
        self.call = None
        self._stands.release()

    def stand(self, call: Call) -> None:
        """In the work's thread: wait until the call is made. Raises what making it raised."""
        self.call = call
        began_s = _now_s()
        self._stands.release()
        self._may_go.acquire()
        _stood.s = getattr(_stood, "s", 0.0) + _now_s() - began_s - self._call_s
        error, self._error = self._error, None
        if error is not None:
            raise error

    def go_on(self) -> None:
        """Until the next call, or to the end."""
        self._may_go.release()
        self._stands.acquire()

    def made(self, took_s: float, error: Exception | None) -> None:
        """The call that it stands at was made, or could not be."""
        self._call_s, self._error = took_s, error

    def result(self) -> Result:
        """Of the work, which is over. Raises what it raised."""
        if self._error is not None:
            raise self._error
        return self._results[0]


class Gathering:
    """For the engines of one accelerator. `from_patients`: so many or more work together, None:
    it does not pay."""

    def __init__(self) -> None:
        self.from_patients: int | None = None
        self._here = threading.local()
        self._turns: SimpleQueue[_Turn[Any] | None] = SimpleQueue()
        self._threads = 0

    def takes(self, call: Call) -> bool:
        """Whether the call was made together with others; if not, the caller makes it."""
        turn: _Turn[Any] | None = getattr(self._here, "turn", None)
        if turn is None:
            return False
        turn.stand(call)
        return True

    def together(self, works: Sequence[Callable[[], Result]]) -> Iterator[Result]:
        """Results of `works`, which are over; `MOST` at most; each may call networks, none
        another's.

        What a work has raised is raised in place of its result: nothing is lost of those before
        it. Raises RuntimeError, before any begins, where the system has no thread for each.
        """
        self._start_threads(len(works))
        turns = [_Turn(work) for work in works]
        for turn in turns:
            self._turns.put(turn)
        going = turns
        while going:
            for turn in going:
                turn.go_on()
            going = [turn for turn in going if turn.call is not None]
            _make(going)
        return (turn.result() for turn in turns)

    def _start_threads(self, least: int) -> None:
        """So many there are. No executor's: the end of a process waits for those, and they wait for
        a call that hangs, or for whoever makes it and has died."""
        while self._threads < least:
            name = f"patient {self._threads + 1}"
            arguments = (self._turns, self._here)
            threading.Thread(target=_work, args=arguments, name=name, daemon=True).start()
            self._threads += 1
            weakref.finalize(self, self._turns.put, None).atexit = False


def _work(turns: "SimpleQueue[_Turn[Any] | None]", here: threading.local) -> None:
    """The life of a thread: turn after turn, until nobody is left who could bring one."""
    while (turn := turns.get()) is not None:
        here.turn = turn
        turn.run()
        here.turn = turn = None  # nothing of a patient is kept while it waits


def _make(turns: Sequence[_Turn[Any]]) -> None:
    """What they stand at, network by network."""
    by_model: dict[bytes, list[tuple[_Turn[Any], Call]]] = {}
    for turn in turns:
        if turn.call is not None:
            by_model.setdefault(turn.call.network.model, []).append((turn, turn.call))
    for standing in by_model.values():
        rows = sum(call.rows for _, call in standing)
        network = standing[0][1].network  # of one interpreter's the accelerator keeps the weights
        for turn, call in standing:
            began_s, failed = _now_s(), None
            try:
                network.make(call, rows)
            except Exception as error:  # noqa: BLE001 - it is the caller's, and raised there
                failed = error
            turn.made(_now_s() - began_s, failed)
