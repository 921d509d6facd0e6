"""A push button on a GPIO line marks the moment, as `edge-runtime mark` does: for a rucksack, where
nobody types."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, Literal, Protocol

from edge_runtime.errors import ConfigError
from edge_runtime.publication import Published
from edge_runtime.rules.bounds import bounded, check_bounds
from edge_runtime.threads import Ended, InQueue
from firmware_bridge.stream import Gap, SampleChunk, SampleIndex, StreamOpened, UserMark

log = logging.getLogger(__name__)

TEXT: Final = "button"
"""What the diary says of such a mark."""
_CONSUMER: Final = "ecg-edge"
_TRY_AGAIN_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class ButtonConfig:
    """A push button of this machine's (extra `gpio`): `line` of the GPIO `chip` (`gpioinfo` lists
    them; None: there is no button). `pressed`: the level it has then; "low" is a button to ground,
    and the line is pulled up. `source`: whose recording it marks, empty for all. What bounces
    within `debounce_ms` is one press."""

    line: int | None = bounded(None, 0, 4095)
    chip: Path = Path("/dev/gpiochip0")
    pressed: Literal["low", "high"] = "low"
    source: str = ""
    debounce_ms: int = bounded(30, 1, 1000)

    def __post_init__(self) -> None:
        check_bounds(self)


class Line(Protocol):
    """A requested line: readable when the button was pressed."""

    def fileno(self) -> int:
        """For a selector."""
        ...

    def presses(self) -> int:
        """How often it was pressed since the last call. Raises OSError where the chip is gone."""
        ...

    def release(self) -> None:
        """Let go of it."""
        ...


class MarkButton:
    """Marks the newest sample of each source, or of one, at each press.

    A line that cannot be had, or is gone, is told and tried again: the monitoring does not depend
    on it.
    """

    def __init__(
        self,
        config: ButtonConfig,
        mark: Callable[[str, UserMark], None],
        request: Callable[[ButtonConfig], Line] | None = None,
    ) -> None:
        self._config, self._mark = config, mark
        self._request = request or request_line
        self._signals: dict[str, str] = {}
        self._ends: dict[str, int] = {}

    def see(self, source: str, item: InQueue, published: Sequence[Published]) -> None:
        """Follow where each source stands."""
        del published
        match item:
            case StreamOpened():
                self._signals[source] = item.reference.id
                self._ends[source] = 0
            case SampleChunk() if self._is_followed(source, item.signal):
                self._ends[source] = max(self._ends[source], item.end)
            case Gap() if self._is_followed(source, item.signal):
                self._ends[source] = max(self._ends[source], item.first + item.n_missing)
            case Ended():
                self._ends.pop(source, None)
            case _:
                pass

    def say(self, source: str, message: str) -> None:
        """For people at this machine."""

    def keep(self, sources: Sequence[str]) -> None:
        """Only these are configured from now on."""
        self._ends = {name: end for name, end in self._ends.items() if name in sources}

    def _is_followed(self, source: str, signal: str) -> bool:
        return source in self._ends and self._signals[source] == signal

    async def run(self) -> None:
        """Listen until cancelled."""
        told = ""
        while True:
            try:
                line = self._request(self._config)
            except ConfigError as error:
                if str(error) != told:
                    log.error("%s", error)
                told = str(error)
            else:
                told = ""
                await self._listen(line)
            await asyncio.sleep(_TRY_AGAIN_S)

    async def _listen(self, line: Line) -> None:
        """Until the line is gone."""
        loop = asyncio.get_running_loop()
        gone: asyncio.Future[None] = loop.create_future()

        def readable() -> None:
            try:
                presses = line.presses()
            except OSError as error:
                log.error("button: the line is gone: %s", error.strerror)
                loop.remove_reader(line.fileno())
                gone.set_result(None)
            else:
                self._pressed(presses)

        loop.add_reader(line.fileno(), readable)
        try:
            await gone
        finally:
            loop.remove_reader(line.fileno())
            line.release()

    def _pressed(self, presses: int) -> None:
        ends = [(n, end) for n, end in self._ends.copy().items() if self._config.source in ("", n)]
        if not ends:
            log.warning("button: pressed while nothing was recorded")
        for name, end in ends if presses else ():
            self._mark(name, UserMark(SampleIndex(max(0, end - 1)), TEXT))


def request_line(config: ButtonConfig) -> Line:
    """The kernel's line, exclusively. Raises ConfigError."""
    try:
        import gpiod  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise ConfigError("button: gpiod is not installed; pip install 'ecg-edge[gpio]'") from error
    assert config.line is not None
    low = config.pressed == "low"
    settings = gpiod.LineSettings(
        direction=gpiod.line.Direction.INPUT,
        edge_detection=gpiod.line.Edge.RISING,  # of the logical level: pressed
        bias=gpiod.line.Bias.PULL_UP if low else gpiod.line.Bias.PULL_DOWN,
        active_low=low,
        debounce_period=timedelta(milliseconds=config.debounce_ms),
    )
    try:
        requested = gpiod.request_lines(
            str(config.chip), consumer=_CONSUMER, config={config.line: settings}
        )
    except OSError as error:
        raise ConfigError(
            f"button: line {config.line} of {config.chip} cannot be had: {error.strerror}"
        ) from error
    except ValueError as error:  # the chip has no such line
        raise ConfigError(f"button: {config.chip} has no line {config.line}: {error}") from error
    return _Requested(requested)


class _Requested:
    def __init__(self, requested: Any) -> None:
        self._requested = requested

    def fileno(self) -> int:
        return int(self._requested.fd)

    def presses(self) -> int:
        return len(self._requested.read_edge_events())

    def release(self) -> None:
        self._requested.release()
