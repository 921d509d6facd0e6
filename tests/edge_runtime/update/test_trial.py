"""What an engine on probation is seen to do, and what speaks against its set."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import pytest

from edge_runtime import gathering
from edge_runtime.errors import BundleError, EdgeRuntimeError, PathError
from edge_runtime.events import Event
from edge_runtime.gathering import Gathering
from edge_runtime.inference.calls import Call
from edge_runtime.update.trial import Trial
from firmware_bridge.stream import (
    RrIntervals,
    SampleIndex,
    SignalKind,
    StreamItem,
    StreamOpened,
)
from tests.edge_runtime.daemon_parts import EchoEngine, stream
from tests.synthetic import opened

CHUNK_S = 0.1


class Watch:
    """A clock that goes on by `step_s` each time somebody looks."""

    def __init__(self, step_s: float) -> None:
        self.now_s, self.step_s = 0.0, step_s

    def __call__(self) -> float:
        self.now_s += self.step_s
        return self.now_s


def lived(step_s: float, n_chunks: int, engine: EchoEngine | None = None) -> Trial:
    """A trial whose engine takes `step_s` for each item."""
    trial = Trial(clock=Watch(step_s))
    items = stream("chest", n_chunks)
    first = items[0]
    assert isinstance(first, StreamOpened)
    watched = trial.watched(engine or EchoEngine(), first)
    for item in items:
        watched.feed(item)
    watched.finish()
    return trial


def test_a_good_engine_has_nothing_against_it() -> None:
    trial = lived(0.001, 700)
    assert trial.problem() == ""
    assert abs(trial.signal_s - 70) < 1e-6
    assert abs(trial.busy_s - 0.701) < 1e-6


def test_a_set_that_takes_too_much_of_a_core() -> None:
    assert lived(0.03, 500).problem() == ""  # a minute must have been seen
    assert "takes 30% of a core" in lived(0.03, 700).problem()


def test_answers_that_come_late() -> None:
    assert lived(1.05, 2).problem() == ""
    assert "4 times it answered more than 1 s late" in lived(1.2, 3).problem()


def test_an_engine_that_fails_is_no_good_at_once() -> None:
    trial = Trial()
    engine = EchoEngine(fails={100: BundleError("tensor")})
    items = stream("chest", 10)
    watched = trial.watched(engine, opened(500))
    for item in items:
        try:
            watched.feed(item)
        except EdgeRuntimeError:
            break
    assert trial.problem() == "its engine failed: tensor"


def test_what_the_stream_is_to_blame_for_does_not_count() -> None:
    trial = Trial()
    trial.refused(PathError("2000 Hz"))
    assert trial.problem() == ""


def test_a_strap_without_ecg_counts_by_its_intervals() -> None:
    rr = replace(opened(1024).signals[0], kind=SignalKind.RR)
    for signals, seconds in (((rr,), 9.0), (opened(1024).signals, 0.0)):
        trial = Trial()
        watched = trial.watched(EchoEngine(), replace(opened(1024), signals=signals))
        for at in range(1024, 10 * 1024, 1024):
            watched.feed(RrIntervals(SampleIndex(at), (0.5, 0.5)))
        assert trial.signal_s == seconds


@dataclass
class Worked:
    """A clock that goes on by what is done: 1 ms of an engine's own, 2 ms for each call of a
    network, whoever makes it."""

    now_s: float = 0.0
    model: bytes = b""

    def make(self, _call: Call, _rows: int) -> None:
        self.now_s += 0.002

    def engine(self, gathers: Gathering) -> "CallingEngine":
        return CallingEngine(self, gathers)


class CallingEngine(EchoEngine):
    """Calls a network in the middle of its work."""

    def __init__(self, worked: Worked, gathers: Gathering) -> None:
        super().__init__()
        self._worked, self._gathers = worked, gathers

    def feed(self, item: StreamItem) -> list[Event]:
        self._worked.now_s += 0.0005
        call: Any = Call(self._worked, {}, {"said": [0]})
        if not self._gathers.takes(call):
            self._worked.make(call, 1)
        self._worked.now_s += 0.0005
        return super().feed(item)


@pytest.mark.parametrize("together", [False, True])
def test_what_an_engine_takes_is_its_own_in_company(
    monkeypatch: pytest.MonkeyPatch, *, together: bool
) -> None:
    worked, gathers, trial = Worked(), Gathering(), Trial()
    monkeypatch.setattr(gathering, "_now_s", lambda: worked.now_s)
    engines = [trial.watched(worked.engine(gathers), opened(500)) for _ in range(20)]
    for item in stream("chest", 40)[1:]:
        works = [partial(engine.feed, item) for engine in engines]
        if together:
            list(gathers.together(works))
        else:
            for work in works:
                work()
    assert trial.signal_s == pytest.approx(20 * 4.0)
    assert trial.busy_s == pytest.approx(20 * 40 * 0.003)
    assert trial.problem() == ""
