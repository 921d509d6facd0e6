"""Messages to bytes and back, and the golden frames of docs/wire-protocol.md."""

import contextlib
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge import protocol
from firmware_bridge.errors import ProtocolError
from firmware_bridge.framing import FrameReader, encode_frame
from firmware_bridge.protocol import Command, Data, Hello, Lead, Mark, MessageType, Pace, Status

DOCS = Path(__file__).parents[2] / "docs" / "wire-protocol.md"

HELLO = Hello(
    sequence=0,
    boot=7,
    rate_hz=Fraction(500),
    model="edge-1",
    firmware="1.2.0",
    serial="A42",
    leads=(Lead("I", 1000.0, 0), Lead("II", 1000.0, -5)),
    has_leadoff_sensor=True,
)
DATA_16 = Data(1, 10, 20_000, 0, np.array([[1, -2], [300, -32768]], np.int32))
DATA_24 = Data(2, 12, 24_000, 0b10, np.array([[70_000, -8_388_608]], np.int32))
GOLDEN = {
    "HELLO": HELLO,
    "DATA, 16 bit": DATA_16,
    "DATA, 24 bit": DATA_24,
    "STATUS": Status(3, 13, 87, True),
    "MARK": Mark(4, 13, "dizzy"),
    "PACE": Pace(5, 14),
    "IDENTIFY": Command(MessageType.IDENTIFY),
    "START": Command(MessageType.START),
    "STOP": Command(MessageType.STOP),
}


def same(a: object, b: object) -> bool:
    if isinstance(a, Data) and isinstance(b, Data):
        fields = ("sequence", "counter", "device_us", "leads_off")
        return all(getattr(a, f) == getattr(b, f) for f in fields) and np.array_equal(
            a.counts, b.counts
        )
    return a == b


def documented_frames() -> dict[str, bytes]:
    rows = re.findall(r"^\| (\w[^|`]*?) \| `([0-9a-f ]+)` \|", DOCS.read_text(), re.MULTILINE)
    return {name: bytes.fromhex(text) for name, text in rows}


@pytest.mark.parametrize("name", GOLDEN)
def test_the_documented_frame_is_what_we_send(name: str) -> None:
    assert encode_frame(protocol.encode(GOLDEN[name])).hex(" ") == documented_frames()[name].hex(
        " "
    )


@pytest.mark.parametrize("name", GOLDEN)
def test_the_documented_frame_reads_as_its_message(name: str) -> None:
    (body,) = FrameReader().feed(documented_frames()[name])
    assert isinstance(body, bytes)
    message = GOLDEN[name]
    read = protocol.decode_command if isinstance(message, Command) else protocol.decode
    assert same(read(body), message)


samples = st.integers(-(2**23), 2**23 - 1)
data_messages = st.builds(
    lambda seq, counter, us, off, n_leads, rows: Data(
        seq, counter, us, off, np.array([row[:n_leads] for row in rows], np.int32)
    ),
    st.integers(0, 0xFFFF),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**64 - 1),
    st.integers(0, 255),
    st.integers(1, 8),
    st.lists(st.lists(samples, min_size=8, max_size=8), min_size=1, max_size=40),
)


@given(data_messages)
def test_data_round_trip(data: Data) -> None:
    assert same(protocol.decode(protocol.encode(data)), data)


@given(st.binary(min_size=1, max_size=300))
def test_random_bodies_are_messages_or_protocol_errors(body: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        protocol.decode(body)


@given(st.sampled_from([HELLO, DATA_16, DATA_24, *list(GOLDEN.values())[3:6]]), st.data())
def test_a_truncated_message_is_refused(
    message: protocol.DeviceMessage, data: st.DataObject
) -> None:
    body = protocol.encode(message)
    length = data.draw(st.integers(1, len(body) - 1))
    with pytest.raises(ProtocolError):
        protocol.decode(body[:length])


def test_an_unknown_version_is_refused_by_name() -> None:
    body = bytearray(protocol.encode(HELLO))
    body[3] = 9
    with pytest.raises(ProtocolError, match="version 9"):
        protocol.decode(bytes(body))


@pytest.mark.parametrize("body", [b"\x55", b"\x81\x00", b"\x02"])
def test_what_is_no_host_command_is_refused(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        protocol.decode_command(body)
