"""One board on one port: dialogue, parser and session (a `Conversation`). No I/O."""

from dataclasses import replace
from fractions import Fraction
from typing import Final

from firmware_bridge.boards.samples import Board, BoardItem, BoardSamples
from firmware_bridge.boards.session import BoardSession
from firmware_bridge.links.conversation import Patience
from firmware_bridge.stream import StreamItem

_NS: Final = 1_000_000_000
_MEASURE_NS: Final = 5 * _NS
"""A serial bridge hands bytes on within 16 ms: over five seconds an error of 0.3 %."""
_LEAST_HZ: Final = 20
"""Below it this is no ECG; the engine itself asks for 100 Hz."""
_ASK_AGAIN_S: Final = 2.5
"""A Cyton takes a second to reset; asked again meanwhile it would begin anew."""


class BoardConversation:
    """What is said with a `board` at a port.

    Args:
        source: its name in the configuration.
        rate_hz, counts_per_mv: what the board really has, where that is not what its maker's
            firmware does.
    """

    def __init__(
        self,
        source: str,
        board: Board,
        *,
        rate_hz: Fraction | None = None,
        counts_per_mv: float | None = None,
    ) -> None:
        form = board.form
        self.patience = Patience(board.greeting_s, _ASK_AGAIN_S)
        self._source = source
        self._board = board
        self._form = replace(
            form,
            rate_hz=rate_hz or form.rate_hz,
            counts_per_mv=counts_per_mv or form.counts_per_mv,
        )
        self._dialogue = board.dialogue()
        self._parser = board.parser()
        self._pace = Pace()
        self._reply = b""
        self.session = None if self._form.rate_hz is None else BoardSession(source, self._form)

    @property
    def is_open(self) -> bool:
        """True once samples have come and their rate is known."""
        return self.session is not None and self.session.is_open

    def opening(self) -> bytes:
        """What the board is told first."""
        self._parser = self._board.parser()
        self._reply = b""
        return self._dialogue.opening()

    def closing(self) -> bytes:
        """What the board is told last."""
        return self._dialogue.closing()

    def reply(self) -> bytes:
        """What to answer to what was fed."""
        reply, self._reply = self._reply, b""
        return reply

    def prompt(self) -> bytes:
        """What to say when nothing comes: what the port was opened with, until it streams."""
        return b"" if self._dialogue.streams else self._dialogue.opening()

    def feed(self, data: bytes, host_ns: int) -> list[StreamItem]:
        """Items that `data`, arrived at `host_ns`, completes."""
        heard, reply = self._dialogue.hear(data)
        self._reply += reply
        arrived = self._parser.feed(heard) if heard else []
        if self.session is None:
            rate_hz = self._pace.measured(arrived, host_ns)
            if rate_hz is None:
                return []
            self._form = replace(self._form, rate_hz=rate_hz)
            self.session = BoardSession(self._source, self._form)
        return self.session.feed(arrived, host_ns)

    def silence(self, host_ns: int) -> list[StreamItem]:
        """Items of a quarter of a second without bytes."""
        return [] if self.session is None else self.session.silence(host_ns)

    def link_lost(self, host_ns: int, reason: str) -> list[StreamItem]:
        """Items of a port that is gone."""
        self._pace = Pace()
        return [] if self.session is None else self.session.link_lost(host_ns, reason)

    def stranger(self, n_bytes: int, baud: int) -> str:
        """Why it has not opened, in words that say what to do."""
        form = self._form
        if self._dialogue.complaint:
            return f"{form.model} says: {self._dialogue.complaint}"
        if n_bytes == 0:
            return (
                f"open, but nothing arrives in {self.patience.hello_within_s:.0f} s; "
                f"is the {form.model} powered, and its firmware the maker's?"
            )
        return (
            f"{n_bytes} bytes arrived, but no samples of a {form.model}; check the baud rate "
            f"({baud}) and that this is the right port"
        )


class Pace:
    """Measures the rate of a format that does not tell it, by the host's clock."""

    def __init__(self) -> None:
        self._began_ns: int | None = None
        self._n = 0

    def measured(self, arrived: list[BoardItem], host_ns: int) -> Fraction | None:
        """Whole samples a second, once five seconds of them have come."""
        n = sum(len(one.counts) for one in arrived if isinstance(one, BoardSamples))
        if not n:
            return None
        if self._began_ns is None:
            self._began_ns = host_ns  # what has come by now was sent before
            return None
        self._n += n
        elapsed_ns = host_ns - self._began_ns
        if elapsed_ns < _MEASURE_NS:
            return None
        rate_hz = round(self._n * _NS / elapsed_ns)
        return Fraction(rate_hz) if rate_hz >= _LEAST_HZ else None
