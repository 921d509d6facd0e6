"""A simulated sensor through session and engine without waiting: time is what the frames say."""

from collections.abc import Iterator
from fractions import Fraction

from edge_runtime.engine import Engine
from edge_runtime.events import Event
from edge_runtime.inference.bundle import load_bundle_set
from firmware_bridge import protocol
from firmware_bridge.conformance import StreamCheck
from firmware_bridge.framing import encode_frame
from firmware_bridge.session import SensorSession
from firmware_bridge.simulator import play_on_pty
from firmware_bridge.simulator.faults import Faults, FaultyLine
from firmware_bridge.simulator.scenarios import Play
from firmware_bridge.simulator.sensor import SimulatedSensor
from firmware_bridge.stream import StreamItem, StreamOpened

_STEP_S = 0.02
_SILENCE_EVERY = 12


def scenario(name: str, faults: Faults | None = None) -> Play:
    """The demonstration recording with an edit, at 500 Hz."""
    return play_on_pty.choose(None, name, Fraction(500), 1, faults or Faults())


def stream(played: Play, duration_s: float, host_rate: float = 1.0) -> Iterator[StreamItem]:
    """What a driver yields of `duration_s` of `played`; the host's clock runs `host_rate` times
    as fast as the sensor's."""
    sensor, session = SimulatedSensor(played.recording), SensorSession("demo")
    line = FaultyLine(played.faults, seed=1)
    start = encode_frame(protocol.encode(protocol.Command(protocol.MessageType.START)))
    waiting = b"".join(sensor.receive(start))
    was_plugged = True
    for step in range(1, round(duration_s / _STEP_S) + 1):
        now_s = step * _STEP_S
        host_ns = round(now_s * host_rate * 1e9)
        frames = b"".join(map(line.carry, sensor.frames_until(now_s)))
        if played.faults.is_unplugged(now_s):
            if was_plugged:
                yield from session.link_lost(host_ns, "unplugged")
            elif step % _SILENCE_EVERY == 0:
                yield from session.silence(host_ns)
            was_plugged = False
            continue
        was_plugged = True
        yield from session.feed(waiting + frames, host_ns)
        waiting = b""


def events(items: Iterator[StreamItem]) -> list[Event]:
    """What an engine of the shipped bundle set says, with the stream contract checked."""
    check = StreamCheck()
    opened = next(items)
    assert isinstance(opened, StreamOpened)
    check.see(opened)
    engine = Engine.of_bundles(opened, load_bundle_set())
    said = engine.feed(opened)
    for item in items:
        check.see(item)
        said += engine.feed(item)
    return said + engine.finish()
