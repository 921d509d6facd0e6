"""The simulated sensor's own frames through the session and the engine, as fast as they come."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from edge_runtime.engine import Engine
from edge_runtime.events import AlarmCleared, AlarmRaised, BeatDetected, Event
from edge_runtime.inference.bundle import load_bundle_set
from firmware_bridge.session import SensorSession
from firmware_bridge.simulator.recording import demo_recording, resampled
from firmware_bridge.simulator.scenarios import SCENARIOS, Play
from firmware_bridge.simulator.sensor import SimulatedSensor
from firmware_bridge.stream import StreamItem, StreamOpened

RATE = 500


def played(scenario: str) -> Play:
    play = SCENARIOS[scenario](demo_recording())
    return replace(play, recording=resampled(play.recording, Fraction(RATE)))


def items(play: Play, seconds: int) -> Iterator[StreamItem]:
    sensor, session = SimulatedSensor(play.recording), SensorSession("simulated")
    sensor.streaming = True
    for tenth in range(1, 10 * seconds + 1):
        data = b"".join(sensor.frames_until(tenth / 10))
        yield from session.feed(data, tenth * 100_000_000)


def events_of(play: Play, seconds: int) -> list[Event]:
    stream = items(play, seconds)
    opened = next(stream)
    assert isinstance(opened, StreamOpened)
    engine = Engine.of_bundles(opened, load_bundle_set())
    return [event for item in stream for event in engine.feed(item)]


def test_the_tour_brings_its_two_alarms_where_they_belong() -> None:
    play = played("tour")
    ((off_at, on_at, _),) = play.recording.leads_off
    events = events_of(play, 95)
    raised = [e for e in events if isinstance(e, AlarmRaised)]
    (lead_off,) = [e for e in raised if e.rule == "lead_off"]
    assert (lead_off.at, lead_off.decided) == (off_at, off_at)
    cleared = {e.alarm: e for e in events if isinstance(e, AlarmCleared)}
    assert cleared[lead_off.alarm].at == on_at
    # Nothing can be seen while the electrode is off, so nothing is missing there.
    between = [e.rule for e in raised if off_at - RATE <= e.decided < on_at + 3 * RATE]
    assert between == ["lead_off"]
    (asystole,) = [e for e in raised if e.rule == "asystole"]
    stop = 75 * RATE
    assert stop - RATE < asystole.at < stop + 0.2 * RATE
    assert 4.0 <= (asystole.decided - asystole.at) / RATE <= 4.7


def test_beats_are_found_again_after_the_electrode_is_back() -> None:
    play = played("leadoff")
    ((_, on_at, _),) = play.recording.leads_off
    beats = [e for e in events_of(play, 60) if isinstance(e, BeatDetected) and e.at > on_at]
    assert beats[0].at < on_at + RATE
    assert 60 <= (beats[-1].heart_rate_bpm or 0) <= 150
