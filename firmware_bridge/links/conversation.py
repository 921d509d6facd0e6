"""What is said over one serial port, and how long each thing is waited for. No I/O."""

from dataclasses import dataclass
from typing import Protocol

from firmware_bridge.stream import StreamItem


@dataclass(frozen=True, slots=True)
class Patience:
    """`hello_within_s`: a board that resets when its port opens (Arduino style) boots in about two
    seconds. `ask_again_s` is the pause before a prompt is repeated. `reopen_after_s`: silence on an
    open port after which the port itself is suspected (USB stacks hang so); told within three
    seconds of the last data, which may have waited for 0.2 s to be read; and it is looked for every
    quarter of a second."""

    hello_within_s: float = 3.0
    ask_again_s: float = 1.0
    reopen_after_s: float = 2.4


class Conversation(Protocol):
    """One device's side of a `links.serial.SerialDevice`: bytes in, bytes and items out."""

    @property
    def patience(self) -> Patience:
        """How long to wait for what."""
        ...

    @property
    def is_open(self) -> bool:
        """True once StreamOpened was given."""
        ...

    def opening(self) -> bytes:
        """What to send on a port that was just opened."""
        ...

    def feed(self, data: bytes, host_ns: int) -> list[StreamItem]:
        """Items that `data`, arrived at `host_ns`, completes. Raises ProtocolError when another
        device answers."""
        ...

    def reply(self) -> bytes:
        """What to send after what was fed; each answer once."""
        ...

    def prompt(self) -> bytes:
        """What to send when nothing comes."""
        ...

    def closing(self) -> bytes:
        """What to send before the port is closed."""
        ...

    def silence(self, host_ns: int) -> list[StreamItem]:
        """Items of a quarter of a second without bytes."""
        ...

    def link_lost(self, host_ns: int, reason: str) -> list[StreamItem]:
        """Items of a port that is gone."""
        ...

    def stranger(self, n_bytes: int, baud: int) -> str:
        """Why the device has not opened after `n_bytes`, in words that say what to do."""
        ...
