"""A loop whose time goes on at once whenever nothing is left to do: hours in moments."""

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from unittest import mock

Result = TypeVar("Result")
_NS = 1_000_000_000


class _Jumping(selectors.DefaultSelector):  # type: ignore[valid-type, misc]
    """Waits for nothing: where no descriptor is ready, the time to be waited has passed."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout is not None:
            self.now_s += timeout
        return ready


class _HurriedLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.jumping = _Jumping()
        super().__init__(self.jumping)

    def time(self) -> float:
        return self.jumping.now_s


def hurried(work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Run `work`, which reads no file and waits for no other thread, on such a loop; `monotonic`
    and `monotonic_ns` of `time` go with it."""
    with asyncio.Runner(loop_factory=_HurriedLoop) as runner:
        loop = runner.get_loop()
        with _clock_of(loop):
            return runner.run(work())


@contextmanager
def _clock_of(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    def now_ns() -> int:
        return int(loop.time() * _NS)

    with (
        mock.patch.object(time, "monotonic", loop.time),
        mock.patch.object(time, "monotonic_ns", now_ns),
    ):
        yield
