"""Whatever a link does: what was received is delivered, and the rest is a marked gap.

The own protocol over both its links. Each sample carries its number, so that one that is shifted,
invented or lost shows.
"""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_bridge.conformance import check_stream
from firmware_bridge.session import SensorSession
from firmware_bridge.simulator.faults import Faults, FaultyLine
from firmware_bridge.simulator.sensor import SimulatedSensor
from firmware_bridge.straps.own_service import notifications
from firmware_bridge.stream import Gap, SampleChunk, StreamItem
from tests.firmware_bridge.simulated import misplaced, missing, numbered, of

RECORDING = numbered(("I", "II"))
RATE = 500
SPAN_S = 4
ROOM = 100
_NS = 1_000_000_000

chances = st.sampled_from([0.0, 0.05, 0.3])
faults = st.builds(
    Faults, drop=chances, duplicate=chances, bit_flip=chances, reorder=st.sampled_from([0.0, 0.1])
)
breaks = st.lists(st.integers(2, SPAN_S * 10 - 10), max_size=3, unique=True)


def played(
    over: str, line: FaultyLine, seconds: int, lost_at: list[int], reboots_at: list[int]
) -> list[StreamItem]:
    """Items of a sensor over a bad link, which is lost for 0.3 s now and then; a reboot's HELLO
    gets through."""
    session = SensorSession("chest")
    sensor, boot, zero = SimulatedSensor(RECORDING, 1), 1, 0
    items = session.feed(b"".join(sensor.receive(START)), 0)
    down_until = 0
    for tenth in range(1, seconds * 10):
        host_ns = tenth * _NS // 10
        frames = sensor.frames_until((tenth - zero) / 10)
        if tenth in reboots_at:
            boot, zero = boot + 1, tenth
            sensor = SimulatedSensor(RECORDING, boot)
            line.begin_anew()  # what it had not sent yet is forgotten
            items += session.feed(b"".join(sensor.receive(START)), host_ns)
            continue
        if tenth in lost_at:
            down_until = tenth + 3
            items += session.link_lost(host_ns, "lost")
            line.begin_anew()
        if tenth < down_until:
            continue
        pieces = frames if over == "serial" else list(notifications(frames, ROOM))
        for piece in pieces:
            items += session.feed(line.carry(piece), host_ns)
    # The end of the line is good, so that what was lost before is known to be.
    last = b"".join(sensor.frames_until((seconds * 10 - zero) / 10 + 0.1))
    return items + session.feed(b"\0" + last, seconds * _NS)


START = bytes.fromhex("04823a5000")


@settings(deadline=None, max_examples=25)
@given(st.sampled_from(["serial", "bluetooth"]), faults, breaks, breaks, st.integers(0, 10_000))
def test_received_is_delivered_and_the_rest_is_a_marked_gap(
    over: str, faults: Faults, lost_at: list[int], reboots_at: list[int], seed: int
) -> None:
    if over == "bluetooth":
        faults = replace(faults, bit_flip=0.0)  # the link layer checks its bits
    items = played(over, FaultyLine(faults, seed), SPAN_S, lost_at, reboots_at)
    check_stream(items)
    chunks = of(items, SampleChunk)
    delivered = sum(len(chunk.samples) for chunk in chunks)
    assert delivered + missing(items) == (chunks[-1].end if chunks else 0)
    # Between two reboots every sample is where its number says.
    for stretch in _stretches(items):
        assert misplaced(stretch) == 0
    if not reboots_at:
        assert all(gap.exact for gap in of(items, Gap))


def _stretches(items: list[StreamItem]) -> list[list[StreamItem]]:
    stretches: list[list[StreamItem]] = [[]]
    for item in items:
        if isinstance(item, Gap) and not item.exact:
            stretches.append([])
        stretches[-1].append(item)
    return stretches
