"""Stopping cleanly: long work asks, after each step that it has saved, whether to go on.

Whoever has a deadline says so around the work; the work itself knows no clock:

    with stop_when(lambda: time.monotonic() > deadline):
        ...  # raises StoppedError from the first `check_stop` after the deadline
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from model_build.errors import StoppedError

_wish: ContextVar[Callable[[], bool]] = ContextVar("stop wish", default=lambda: False)


@contextmanager
def stop_when(wish: Callable[[], bool]) -> Iterator[None]:
    """While inside, `check_stop` raises `StoppedError` once `wish` is true, or one around it."""
    outer = _wish.get()
    token = _wish.set(lambda: outer() or wish())
    try:
        yield
    finally:
        _wish.reset(token)


def check_stop() -> None:
    """Raise `StoppedError` if that is wished. To be called where everything so far is on disk."""
    if _wish.get()():
        raise StoppedError("stopped; what is done is saved, the same command goes on from there")
