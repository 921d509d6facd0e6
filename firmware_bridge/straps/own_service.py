"""This project's own GATT service: the sensor protocol over notifications. No I/O.

docs/wire-protocol.md says what a sensor has to do; the frames are those of any other link.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from firmware_bridge.framing import encode_frame
from firmware_bridge.protocol import Command, MessageType, encode

SERVICE: Final = "1ee8da00-f4b3-45ed-8b6c-5f5bf185ebb0"
DATA: Final = "1ee8da01-f4b3-45ed-8b6c-5f5bf185ebb0"
"""Notified: frames, device to host."""
COMMAND: Final = "1ee8da02-f4b3-45ed-8b6c-5f5bf185ebb0"
"""Written: frames, host to device."""

NOTIFICATION_OVERHEAD_BYTES: Final = 3
"""Of the attribute protocol: a notification holds so many bytes less than the MTU."""


def command(kind: MessageType) -> bytes:
    """What is written to COMMAND."""
    return encode_frame(encode(Command(kind)))


def notifications(frames: Iterable[bytes], room: int) -> Iterator[bytes]:
    """`frames` in notifications of at most `room` bytes: whole ones together as far as they fit, so
    that a lost notification costs no frame of its neighbours; a longer one in pieces."""
    held = b""
    for frame in frames:
        if held and len(held) + len(frame) > room:
            yield held
            held = b""
        held += frame
        while len(held) > room:
            yield held[:room]
            held = held[room:]
    if held:
        yield held
