"""Every parser of bytes that a device may send, as something that can be fed anything.

A target makes frames that a broken or hostile device could send out of arbitrary bytes, and feeds
them in the way that its link does. Nothing but ProtocolError may come of it, no more may be kept
than a frame needs, and what a session tells must obey the stream contract.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import count
from typing import Any, Final

import numpy as np

from firmware_bridge import protocol
from firmware_bridge.boards import openview
from firmware_bridge.boards.catalogue import BOARDS
from firmware_bridge.boards.conversation import BoardConversation
from firmware_bridge.boards.cyton import FRAME_BYTES, START, STOP, CytonDialogue
from firmware_bridge.conformance import StreamCheck
from firmware_bridge.errors import ProtocolError
from firmware_bridge.framing import FrameReader, encode_frame
from firmware_bridge.links.conversation import Conversation
from firmware_bridge.session import SensorSession
from firmware_bridge.straps import heart_rate, movesense_gsp, polar_pmd

MOST_KEPT: Final = 4200
"""Bytes that a parser may keep: a little more than a Cyton's longest answer."""
_STEP_NS: Final = 20_000_000

Feed = Callable[[bytes], object]


@dataclass(frozen=True, slots=True)
class Target:
    """`frame` makes bytes of a device out of any, `start` gives a fresh parser's feed.
    `is_stream`: its bytes come in any portions."""

    frame: Callable[[bytes], bytes]
    start: Callable[[], Feed]
    is_stream: bool = True


def pieces(data: bytes, n: int) -> list[bytes]:
    """`data` cut into `n` parts."""
    size = max(1, -(-len(data) // n))
    return [data[k * size : (k + 1) * size] for k in range(n)]


def run(target: Target, data: bytes, n: int) -> None:
    """Feed `n` frames made of `data`: one by itself, then all others at once behind noise."""
    feed = target.start()
    frames = [target.frame(piece) for piece in pieces(data, n)]
    if not target.is_stream:
        for frame in frames:
            feed(frame)
        return
    feed(frames[0])
    feed(data[:7] + b"".join(frames[1:]))


def _guarded(decode: Callable[[bytes], object]) -> Callable[[], Feed]:
    """A decoder of whole messages: ProtocolError is an answer."""

    def feed(data: bytes) -> object:
        with contextlib.suppress(ProtocolError):
            return decode(data)
        return None

    return lambda: feed


def _own_frames() -> Feed:
    reader = FrameReader()

    def feed(data: bytes) -> object:
        for frame in reader.feed(data):
            if isinstance(frame, bytes):
                for decode in (protocol.decode, protocol.decode_command):
                    with contextlib.suppress(ProtocolError):
                        decode(frame)
        assert len(reader._pending) <= MOST_KEPT
        return None

    return feed


_HELLO: Final = protocol.Hello(
    0, 1, Fraction(500), "m", "f", "s", (protocol.Lead("I", 1000.0, 0),), True
)


def _own_session() -> Feed:
    check, session, clock = StreamCheck(), SensorSession("s"), count(_STEP_NS, _STEP_NS)
    for item in session.feed(encode_frame(protocol.encode(_HELLO)), 0):
        check.see(item)

    def feed(data: bytes) -> object:
        with contextlib.suppress(ProtocolError):  # another device answers
            for item in session.feed(data, next(clock)):
                check.see(item)
        assert len(session._reader._pending) <= MOST_KEPT
        return None

    return feed


def _own_message(data: bytes) -> bytes:
    """A well-formed frame whose body looks like a message: the type is one of the five."""
    if not data:
        return b"\0"
    if data[0] & 1 and len(data) > 4:  # DATA that is right but for its numbers
        counter = int.from_bytes(data[1:4], "little")
        counts = np.frombuffer(data[4:], np.uint8).astype(np.int32)[:, None]
        message = protocol.Data(data[0], counter, counter, data[1], counts[:255])
        return encode_frame(protocol.encode(message))
    return encode_frame((bytes([1 + data[0] % 5]) + data[1:])[: 1 << 10])


def _board(name: str) -> Feed:
    talk: Conversation = BoardConversation("s", BOARDS[name], rate_hz=Fraction(250))
    if name == "cyton":
        talk.feed(b"OpenBCI$$$", 0)
    check, clock = StreamCheck(), count(_STEP_NS, _STEP_NS)

    def feed(data: bytes) -> object:
        for item in talk.feed(data, next(clock)):
            check.see(item)
        assert len(talk._parser._pending) <= MOST_KEPT  # type: ignore[attr-defined]
        return None

    return feed


def _dialogue() -> Feed:
    dialogue = CytonDialogue()
    dialogue.opening()

    def feed(data: bytes) -> object:
        dialogue.hear(data)
        assert len(dialogue._answer) <= MOST_KEPT
        return None

    return feed


def _openview(heads: list[tuple[bytes, int]], data: bytes) -> bytes:
    """A packet with one of the board's heads."""
    begin, size = heads[data[0] % len(heads) if data else 0]
    return begin + data[1 : size + 1].ljust(size, b"\x0a") + openview.TAIL


def _cyton(data: bytes) -> bytes:
    body = data[: FRAME_BYTES - 2].ljust(FRAME_BYTES - 2, b"\xa0")
    return bytes([START]) + body + bytes([STOP | (data[-1] & 0x0F if data else 0)])


def _line(data: bytes) -> bytes:
    number = int.from_bytes(data[:2], "little") % 1100
    return b"!\r\n" if number == 0 else b"%d\r\n" % number


def _framing(name: str) -> Callable[[bytes], bytes]:
    if name == "cyton":
        return _cyton
    if name == "ad8232":
        return _line
    parser: Any = BOARDS[name].parser()
    heads = [(begin, layout.itemsize) for begin, layout in parser._payloads.items()]
    return partial(_openview, heads)


def _polar_ecg(data: bytes) -> bytes:
    """A frame of ECG in one of four types, of whole samples."""
    kind = data[0] % 4 if data else 0
    samples = data[9:]
    samples = samples[: len(samples) // 21 * 21]
    return b"\x00" + data[1:9].ljust(8, b"\0") + bytes([kind]) + samples


def _polar_acc(data: bytes) -> bytes:
    """A frame of acceleration in one of three types, of whole samples."""
    kind = data[0] % 3 if data else 0
    samples = data[9:]
    samples = samples[: len(samples) // 18 * 18]
    return b"\x02" + data[1:9].ljust(8, b"\0") + bytes([kind]) + samples


def _polar_control(value: bytes) -> object:
    answer = polar_pmd.decode_control(value)
    if isinstance(answer, polar_pmd.Answer):
        return polar_pmd.decode_settings(answer.parameters)
    return answer


def _movesense(short: bool) -> Feed:
    reader = movesense_gsp.EcgReader(0x63, short=short)

    def feed(data: bytes) -> object:
        with contextlib.suppress(ProtocolError):
            reader.feed(data)
        assert len(reader._part_one) <= MOST_KEPT
        return None

    return feed


def _gsp(data: bytes) -> bytes:
    kind = 2 + (data[0] & 1) if data else 2
    return bytes([kind, 0x63]) + data[1:]


def _as_it_is(data: bytes) -> bytes:
    return data


def _indication(data: bytes) -> bytes:
    return b"\xf0\x01" + data


TARGETS: Final[dict[str, Target]] = {
    "own frames": Target(lambda data: encode_frame((data or b"\1")[: 1 << 10]), _own_frames),
    "own session": Target(_own_message, _own_session),
    **{name: Target(_framing(name), partial(_board, name)) for name in BOARDS},
    "cyton dialogue": Target(lambda data: data + b"$$$", _dialogue),
    "polar ecg": Target(_polar_ecg, _guarded(polar_pmd.decode_ecg), False),
    "polar acc": Target(_polar_acc, _guarded(polar_pmd.decode_acc), False),
    "polar control": Target(_indication, _guarded(_polar_control), False),
    "polar features": Target(_as_it_is, _guarded(polar_pmd.decode_features), False),
    "movesense answer": Target(_as_it_is, _guarded(movesense_gsp.decode_answer), False),
    "movesense int32": Target(_gsp, partial(_movesense, False), False),
    "movesense mV": Target(_gsp, partial(_movesense, True), False),
    "heart rate": Target(_as_it_is, _guarded(heart_rate.decode_measurement), False),
    "battery": Target(_as_it_is, _guarded(heart_rate.decode_battery), False),
}
