"""This project's own sensor protocol, version 1: messages to bytes and back. No I/O.

Up to 8 leads at up to 1000 Hz over any byte link. Byte tables and golden frames are in
docs/wire-protocol.md. All integers are little-endian; strings are UTF-8 behind a length byte.
Every device message carries a sequence number (modulo 2**16, one count over all types) and the
sample counter (modulo 2**32), so loss and repetition are counted (`session` says how far).
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.errors import ProtocolError

PROTOCOL_VERSION: Final = 1
MAX_LEADS: Final = 8
COUNTER_MODULUS: Final = 1 << 32
SEQUENCE_MODULUS: Final = 1 << 16
BATTERY_UNKNOWN: Final = 255


class MessageType(IntEnum):
    """First byte of every body. Device messages are below 0x80, host commands above."""

    HELLO = 0x01
    DATA = 0x02
    STATUS = 0x03
    MARK = 0x04
    PACE = 0x05
    IDENTIFY = 0x81
    START = 0x82
    STOP = 0x83


@dataclass(frozen=True, slots=True)
class Lead:
    """`counts = millivolts * counts_per_mv + baseline`."""

    name: str
    counts_per_mv: float
    baseline: int


@dataclass(frozen=True, slots=True)
class Hello:
    """What the device is. Sent on request, on START and every few seconds; `boot` changes with
    each restart of its sample counter."""

    sequence: int
    boot: int
    rate_hz: Fraction
    model: str
    firmware: str
    serial: str
    leads: tuple[Lead, ...]
    has_leadoff_sensor: bool


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """Consecutive samples, counts of shape (n_samples, n_leads); `counter` numbers the first,
    taken at `device_us`. Bit i of `leads_off` is set while lead i has lost its electrode."""

    sequence: int
    counter: int
    device_us: int
    leads_off: int
    counts: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Status:
    """Battery in percent (None: unknown) and skin contact (None: no such sensor)."""

    sequence: int
    counter: int
    battery_percent: int | None
    contact: bool | None


@dataclass(frozen=True, slots=True)
class Mark:
    """The wearer pressed the button."""

    sequence: int
    counter: int
    text: str


@dataclass(frozen=True, slots=True)
class Pace:
    """The front end saw a pacemaker pulse."""

    sequence: int
    counter: int


DeviceMessage = Hello | Data | Status | Mark | Pace


@dataclass(frozen=True, slots=True)
class Command:
    """Host to device: IDENTIFY (send HELLO), START or STOP streaming."""

    type: MessageType


_HELLO = struct.Struct("<BHBIIIBB")  # type sequence version boot rate_num rate_den flags n_leads
_LEAD = struct.Struct("<fi")  # counts_per_mv baseline
_DATA = struct.Struct("<BHIQBBBB")  # type sequence counter device_us leads_off n_leads n width
_STATUS = struct.Struct("<BHIBB")  # type sequence counter battery contact
_SHORT = struct.Struct("<BHI")  # type sequence counter

_FLAG_LEADOFF_SENSOR = 0x01
_CONTACT_TO_BYTE = {None: 0, False: 1, True: 2}
_BYTE_TO_CONTACT = {byte: contact for contact, byte in _CONTACT_TO_BYTE.items()}
_INT16_WIDTH = 2
_INT24_WIDTH = 3


def encode(message: DeviceMessage | Command) -> bytes:
    """The frame body of `message`."""
    match message:
        case Command(kind):
            return bytes([kind])
        case Hello():
            return _encode_hello(message)
        case Data():
            return _encode_data(message)
        case Status(sequence, counter, battery, contact):
            level = BATTERY_UNKNOWN if battery is None else battery
            return _STATUS.pack(
                MessageType.STATUS, sequence, counter, level, _CONTACT_TO_BYTE[contact]
            )
        case Mark(sequence, counter, text):
            return _SHORT.pack(MessageType.MARK, sequence, counter) + _encode_text(text)
        case Pace(sequence, counter):
            return _SHORT.pack(MessageType.PACE, sequence, counter)


def decode(body: bytes) -> DeviceMessage:
    """The device message in `body`. Raises ProtocolError for anything this version has not."""
    decoder = _DECODERS.get(body[0])
    if decoder is None:
        raise ProtocolError(f"message type 0x{body[0]:02x} is not known to protocol version 1")
    try:
        return decoder(body)
    except (struct.error, IndexError, UnicodeDecodeError, ValueError) as error:
        name = MessageType(body[0]).name
        raise ProtocolError(f"{name} message of {len(body)} bytes is not valid: {error}") from error


def decode_command(body: bytes) -> Command:
    """The host command in `body` (what a device, or the simulator, receives)."""
    if len(body) == 1 and body[0] in (MessageType.IDENTIFY, MessageType.START, MessageType.STOP):
        return Command(MessageType(body[0]))
    raise ProtocolError(f"no host command: {body[:8].hex()}")


def _encode_text(text: str) -> bytes:
    raw = text.encode()
    if len(raw) > 255:
        raise ValueError(f"text of {len(raw)} bytes does not fit behind a length byte")
    return bytes([len(raw)]) + raw


def _encode_hello(hello: Hello) -> bytes:
    head = _HELLO.pack(
        MessageType.HELLO,
        hello.sequence,
        PROTOCOL_VERSION,
        hello.boot,
        hello.rate_hz.numerator,
        hello.rate_hz.denominator,
        _FLAG_LEADOFF_SENSOR if hello.has_leadoff_sensor else 0,
        len(hello.leads),
    )
    texts = b"".join(map(_encode_text, (hello.model, hello.firmware, hello.serial)))
    leads = b"".join(
        _LEAD.pack(lead.counts_per_mv, lead.baseline) + _encode_text(lead.name)
        for lead in hello.leads
    )
    return head + texts + leads


def _encode_data(data: Data) -> bytes:
    n_samples, n_leads = data.counts.shape
    fits_16 = n_samples == 0 or (data.counts.min() >= -0x8000 and data.counts.max() <= 0x7FFF)
    width = _INT16_WIDTH if fits_16 else _INT24_WIDTH
    head = _DATA.pack(
        MessageType.DATA,
        data.sequence,
        data.counter,
        data.device_us,
        data.leads_off,
        n_leads,
        n_samples,
        width,
    )
    if width == _INT16_WIDTH:
        return head + data.counts.astype("<i2").tobytes()
    as_bytes = np.ascontiguousarray(data.counts, dtype="<i4").view(np.uint8)
    return head + as_bytes.reshape(-1, 4)[:, :_INT24_WIDTH].tobytes()


class _Texts:
    """Reads length-prefixed strings and fixed structs one after another, bounded by the body."""

    def __init__(self, body: bytes, position: int) -> None:
        self._body = body
        self._position = position

    def text(self) -> str:
        start = self._position + 1
        end = start + self._body[self._position]
        if end > len(self._body):
            raise ValueError("a string runs past the end")
        self._position = end
        return self._body[start:end].decode()

    def lead(self) -> Lead:
        counts_per_mv, baseline = _LEAD.unpack_from(self._body, self._position)
        self._position += _LEAD.size
        if not counts_per_mv > 0:
            raise ValueError(f"{counts_per_mv} counts per mV")
        return Lead(self.text(), counts_per_mv, baseline)

    def end(self) -> None:
        if self._position != len(self._body):
            raise ValueError(f"{len(self._body) - self._position} bytes too many")


def _decode_hello(body: bytes) -> Hello:
    _, sequence, version, boot, numerator, denominator, flags, n_leads = _HELLO.unpack_from(body)
    if version != PROTOCOL_VERSION:
        raise ValueError(f"protocol version {version}, expected {PROTOCOL_VERSION}")
    if not 1 <= n_leads <= MAX_LEADS:
        raise ValueError(f"{n_leads} leads, expected 1 to {MAX_LEADS}")
    if not numerator or not denominator:
        raise ValueError("sampling rate is zero")
    reader = _Texts(body, _HELLO.size)
    model, firmware, serial = reader.text(), reader.text(), reader.text()
    leads = tuple(reader.lead() for _ in range(n_leads))
    reader.end()
    return Hello(
        sequence=sequence,
        boot=boot,
        rate_hz=Fraction(numerator, denominator),
        model=model,
        firmware=firmware,
        serial=serial,
        leads=leads,
        has_leadoff_sensor=bool(flags & _FLAG_LEADOFF_SENSOR),
    )


def _decode_data(body: bytes) -> Data:
    _, sequence, counter, device_us, leads_off, n_leads, n, width = _DATA.unpack_from(body)
    payload = body[_DATA.size :]
    if not 1 <= n_leads <= MAX_LEADS or width not in (_INT16_WIDTH, _INT24_WIDTH):
        raise ValueError(f"{n_leads} leads of {width} bytes")
    if len(payload) != n * n_leads * width:
        raise ValueError(f"{len(payload)} bytes of samples, expected {n * n_leads * width}")
    if width == _INT16_WIDTH:
        counts = np.frombuffer(payload, dtype="<i2").astype(np.int32)
    else:
        padded = np.zeros((n * n_leads, 4), dtype=np.uint8)
        padded[:, 1:] = np.frombuffer(payload, dtype=np.uint8).reshape(-1, _INT24_WIDTH)
        # The sample sits in the upper three bytes; the shift brings its sign down with it.
        counts = padded.view("<i4")[:, 0] >> 8
    return Data(sequence, counter, device_us, leads_off, counts.reshape(n, n_leads))


def _decode_status(body: bytes) -> Status:
    _, sequence, counter, battery, contact = _STATUS.unpack(body)
    if contact not in _BYTE_TO_CONTACT or (battery > 100 and battery != BATTERY_UNKNOWN):
        raise ValueError(f"battery {battery}, contact {contact}")
    level = None if battery == BATTERY_UNKNOWN else battery
    return Status(sequence, counter, level, _BYTE_TO_CONTACT[contact])


def _decode_mark(body: bytes) -> Mark:
    _, sequence, counter = _SHORT.unpack_from(body)
    reader = _Texts(body, _SHORT.size)
    text = reader.text()
    reader.end()
    return Mark(sequence, counter, text)


def _decode_pace(body: bytes) -> Pace:
    _, sequence, counter = _SHORT.unpack(body)
    return Pace(sequence, counter)


_DECODERS: Final[dict[int, Callable[[bytes], DeviceMessage]]] = {
    MessageType.HELLO: _decode_hello,
    MessageType.DATA: _decode_data,
    MessageType.STATUS: _decode_status,
    MessageType.MARK: _decode_mark,
    MessageType.PACE: _decode_pace,
}
