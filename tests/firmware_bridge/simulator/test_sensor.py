"""The simulated sensor: what it answers, and that its frames are a function of time alone."""

from collections.abc import Iterable

import numpy as np
import pytest

from firmware_bridge import protocol
from firmware_bridge.framing import FrameReader, encode_frame
from firmware_bridge.protocol import Command, Data, DeviceMessage, Hello, MessageType, Status
from firmware_bridge.simulator.sensor import SAMPLES_PER_FRAME, SimulatedSensor
from tests.firmware_bridge.simulated import MODULUS, numbered

RATE = 500


def command(kind: MessageType) -> bytes:
    return encode_frame(protocol.encode(Command(kind)))


def messages(frames: Iterable[bytes]) -> list[DeviceMessage]:
    bodies = FrameReader().feed(b"".join(frames))
    return [protocol.decode(body) for body in bodies if isinstance(body, bytes)]


def started() -> SimulatedSensor:
    sensor = SimulatedSensor(numbered())
    sensor.receive(command(MessageType.START))
    return sensor


def data(sensor: SimulatedSensor, elapsed_s: float) -> list[Data]:
    return [m for m in messages(sensor.frames_until(elapsed_s)) if isinstance(m, Data)]


def test_it_is_silent_until_started_and_after_stop() -> None:
    sensor = SimulatedSensor(numbered())
    assert sensor.frames_until(1.0) == []
    (hello,) = messages(sensor.receive(command(MessageType.IDENTIFY)))
    assert isinstance(hello, Hello)
    assert (hello.rate_hz, hello.boot) == (RATE, 1)
    assert sensor.frames_until(2.0) == []
    assert isinstance(messages(sensor.receive(command(MessageType.START)))[0], Hello)
    assert data(sensor, 2.1)[0].counter == 2 * RATE
    assert sensor.receive(command(MessageType.STOP)) == []
    assert sensor.frames_until(3.0) == []


def test_nonsense_from_the_host_is_ignored() -> None:
    sensor = SimulatedSensor(numbered())
    assert sensor.receive(b"\x00hello\x00" + encode_frame(b"\xff") + b"\x00\x01") == []
    assert not sensor.streaming


@pytest.mark.parametrize("steps", [[3.0], [*np.arange(0.013, 3.0, 0.013).tolist(), 3.0]])
def test_every_sample_is_sent_once_whatever_the_steps(steps: list[float]) -> None:
    sensor = started()
    sent = [packet for step in steps for packet in data(sensor, step)]
    assert [packet.counter for packet in sent] == list(range(0, 3 * RATE, SAMPLES_PER_FRAME))
    counts = np.concatenate([packet.counts[:, 0] for packet in sent])
    np.testing.assert_array_equal(counts, np.arange(3 * RATE))
    assert sent[100].device_us == 100 * SAMPLES_PER_FRAME * 2000


def test_the_recording_begins_again_at_its_end_and_the_counter_goes_on() -> None:
    sensor = started()
    last = data(sensor, (MODULUS + 100) / RATE)[-1]
    assert last.counter == MODULUS + 100 - SAMPLES_PER_FRAME
    assert last.counts[0, 0] == 100 - SAMPLES_PER_FRAME


def test_it_says_who_it_is_and_how_it_is_again_and_again() -> None:
    sent = messages(started().frames_until(21.0))
    assert sum(isinstance(m, Hello) for m in sent) == 5
    assert sum(isinstance(m, Status) for m in sent) == 3
    sequences = [m.sequence for m in sent]
    assert sequences == list(range(1, len(sent) + 1))  # 0 answered START


def test_a_clock_that_is_fast_sends_more_samples_a_second() -> None:
    sensor = SimulatedSensor(numbered(), clock_error_ppm=20_000)
    sensor.receive(command(MessageType.START))
    assert data(sensor, 10.0)[-1].counter == 10 * RATE * 1.02 - SAMPLES_PER_FRAME
