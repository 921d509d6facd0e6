"""The C encoder for firmware authors, against Python's decoder and encoder, in both directions."""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge import protocol
from firmware_bridge.framing import FrameReader, encode_frame
from firmware_bridge.protocol import Command, Data, Hello, Lead, Mark, MessageType, Pace, Status
from tests.firmware_bridge.test_protocol import GOLDEN, data_messages, documented_frames, same

HERE = Path(__file__).parent
SOURCES = Path(protocol.__file__).parent / "c"
COMPILER = shutil.which("cc")
STRICT = (
    *("-std=c99", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"),
    *("-Wundef", "-Wstrict-prototypes", f"-I{SOURCES}"),
)
CAPACITY = 1032

pytestmark = pytest.mark.skipif(
    COMPILER is None and os.environ.get("CI") != "true", reason="there is no C compiler"
)


def compiled(target: Path, *arguments: str | Path) -> Path:
    assert COMPILER is not None
    command = [COMPILER, *STRICT, *map(str, arguments), str(SOURCES / "ecg_wire.c")]
    done = subprocess.run(
        [*command, "-o", str(target)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return target


class CLead(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("counts_per_mv", ctypes.c_float),
        ("baseline", ctypes.c_int32),
    )


class CSensor(ctypes.Structure):
    _fields_ = (
        ("model", ctypes.c_char_p),
        ("firmware", ctypes.c_char_p),
        ("serial", ctypes.c_char_p),
        ("boot", ctypes.c_uint32),
        ("rate_numerator", ctypes.c_uint32),
        ("rate_denominator", ctypes.c_uint32),
        ("has_leadoff_sensor", ctypes.c_bool),
        ("n_leads", ctypes.c_uint8),
        ("leads", ctypes.POINTER(CLead)),
    )


class CReceiver(ctypes.Structure):
    _fields_ = (("bytes", ctypes.c_uint8 * 4), ("n", ctypes.c_uint8))


Encode = Callable[[protocol.DeviceMessage], bytes]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    shared = tmp_path_factory.mktemp("c") / "ecg_wire.so"
    return ctypes.CDLL(str(compiled(shared, "-shared", "-fPIC")))


@pytest.fixture(scope="module")
def encode(library: ctypes.CDLL) -> Encode:
    """The frame of a message, written by C."""

    def write(message: protocol.DeviceMessage) -> bytes:
        frame = ctypes.create_string_buffer(CAPACITY)
        capacity = ctypes.c_size_t(CAPACITY)
        sequence = ctypes.c_uint16(message.sequence)
        n = getattr(library, f"ecg_wire_{type(message).__name__.lower()}")(
            frame, capacity, sequence, *_arguments(message)
        )
        return frame.raw[:n]

    return write


def _arguments(message: protocol.DeviceMessage) -> tuple[object, ...]:
    match message:
        case Hello():
            return (ctypes.byref(_sensor(message)),)
        case Data():
            counts = np.ascontiguousarray(message.counts, np.int32)
            return (
                ctypes.c_uint32(message.counter),
                ctypes.c_uint64(message.device_us),
                ctypes.c_uint8(message.leads_off),
                counts.ctypes.data_as(ctypes.POINTER(ctypes.c_int32)),
                ctypes.c_uint8(counts.shape[1]),
                ctypes.c_uint8(counts.shape[0]),
            )
        case Status(_, counter, battery, contact):
            level = protocol.BATTERY_UNKNOWN if battery is None else battery
            word = {None: 0, False: 1, True: 2}[contact]
            return ctypes.c_uint32(counter), ctypes.c_uint8(level), ctypes.c_int(word)
        case Mark(_, counter, text):
            return ctypes.c_uint32(counter), ctypes.c_char_p(text.encode())
        case Pace(_, counter):
            return (ctypes.c_uint32(counter),)


def _sensor(hello: Hello) -> CSensor:
    leads = [CLead(x.name.encode(), x.counts_per_mv, x.baseline) for x in hello.leads]
    return CSensor(
        hello.model.encode(),
        hello.firmware.encode(),
        hello.serial.encode(),
        hello.boot,
        hello.rate_hz.numerator,
        hello.rate_hz.denominator,
        hello.has_leadoff_sensor,
        len(leads),
        (CLead * max(1, len(leads)))(*leads),
    )


def read(frame: bytes) -> protocol.DeviceMessage:
    (body,) = FrameReader().feed(frame)
    assert isinstance(body, bytes)
    return protocol.decode(body)


texts = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=60)
counters = st.integers(0, 2**32 - 1)
sequences = st.integers(0, 0xFFFF)
leads = st.builds(
    Lead,
    texts,
    st.floats(2**-100, 2**100, width=32),
    st.integers(-(2**31), 2**31 - 1),
)
hellos = st.builds(
    Hello,
    sequences,
    counters,
    st.builds(Fraction, st.integers(1, 2**32 - 1), st.integers(1, 2**32 - 1)),
    texts,
    texts,
    texts,
    st.lists(leads, min_size=1, max_size=2).map(tuple),
    st.booleans(),
)
others = st.one_of(
    st.builds(
        Status, sequences, counters, st.none() | st.integers(0, 100), st.none() | st.booleans()
    ),
    st.builds(Mark, sequences, counters, texts),
    st.builds(Pace, sequences, counters),
)


@pytest.mark.parametrize("name", [n for n, m in GOLDEN.items() if not isinstance(m, Command)])
def test_c_writes_the_documented_frames(encode: Encode, name: str) -> None:
    message = GOLDEN[name]
    assert not isinstance(message, Command)
    assert encode(message).hex(" ") == documented_frames()[name].hex(" ")


@settings(max_examples=50)
@given(message=hellos | data_messages | others)
def test_c_writes_what_python_writes_and_python_reads_it(
    encode: Encode, message: protocol.DeviceMessage
) -> None:
    frame = encode(message)
    assert frame == encode_frame(protocol.encode(message))
    assert same(read(frame), message)


@given(st.lists(st.sampled_from([0, 1, 0x0100, 0x7FFF]), min_size=1, max_size=255))
def test_runs_of_every_length_are_framed_alike(encode: Encode, column: list[int]) -> None:
    """COBS has its corners where 254 bytes without a zero meet a zero or the end."""
    data = Data(0x0101, 0x01010101, 0x0101010101010101, 1, np.array(column, np.int32)[:, None])
    assert encode(data) == encode_frame(protocol.encode(data))


def test_counts_beyond_24_bits_are_saturated(encode: Encode) -> None:
    counts = np.array([[2**31 - 1, -(2**31), 5]], np.int32)
    data = read(encode(Data(0, 0, 0, 0, counts)))
    assert isinstance(data, Data)
    assert data.counts.tolist() == [[2**23 - 1, -(2**23), 5]]


@pytest.mark.parametrize(
    "message",
    [
        Data(0, 0, 0, 0, np.zeros((255, 8), np.int32)),
        Data(0, 0, 0, 0, np.zeros((1, 9), np.int32)),
        Status(0, 0, 101, None),
        Mark(0, 0, "x" * 256),
        Hello(0, 0, Fraction(500), "m", "f", "s", (), False),
        Hello(0, 0, Fraction(500), "m", "f", "s", (Lead("I", 0.0, 0),), False),
    ],
)
def test_what_no_frame_may_say_is_refused(encode: Encode, message: protocol.DeviceMessage) -> None:
    assert encode(message) == b""


@given(st.lists(st.sampled_from(["IDENTIFY", "START", "STOP"]) | st.binary(max_size=12)))
def test_commands_are_heard_between_whatever_else(
    library: ctypes.CDLL, said: list[str | bytes]
) -> None:
    receiver = CReceiver()
    sent = [
        encode_frame(protocol.encode(Command(MessageType[one])))
        if isinstance(one, str)
        else one
        # A zero ends the noise, as it ends any frame.
        + b"\0"
        for one in said
    ]
    heard = [
        command
        for byte in b"".join(sent)
        if (command := library.ecg_wire_receive(ctypes.byref(receiver), ctypes.c_uint8(byte)))
    ]
    assert heard == [MessageType[one] for one in said if isinstance(one, str)]


def test_sanitizers_find_nothing(tmp_path: Path) -> None:
    flags = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    try:
        program = compiled(tmp_path / "exercise", *flags, HERE / "exercise.c")
    except AssertionError as error:
        if "sanitize" in str(error) or "asan" in str(error):
            pytest.skip("this compiler has no sanitizers")
        raise
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    kinds = [type(read(bytes.fromhex(line))).__name__ for line in done.stdout.split()]
    assert kinds == ["Hello", "Data", "Data", "Status", "Mark", "Pace"]


def test_it_needs_nothing_of_the_c_library_but_memcpy(tmp_path: Path) -> None:
    unit = compiled(tmp_path / "ecg_wire.o", "-c", "-Os", "-fno-stack-protector")
    tool = shutil.which("nm")
    if tool is None:
        pytest.skip("there is no nm")
    listed = subprocess.run([tool, "-u", unit], capture_output=True, text=True, check=True).stdout
    needed = {line.split()[-1] for line in listed.splitlines()} - {"_GLOBAL_OFFSET_TABLE_"}
    assert needed <= {"memcpy", "memset"}  # memset: compilers clear a structure with it


def test_the_smp_server_bears_noise_and_loses_no_message(tmp_path: Path) -> None:
    sanitized = ("-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
    sources = (HERE / "exercise_smp.c", SOURCES / "ecg_smp.c", SOURCES / "ecg_smp_serial.c")
    program = compiled(tmp_path / "exercise_smp", *sanitized, *sources)
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
