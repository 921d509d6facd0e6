"""The own protocol over notifications: how frames are cut, and what survives what is lost."""

from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.framing import FrameReader, MalformedFrame, encode_frame
from firmware_bridge.straps.own_service import notifications

ROOM = 20
bodies = st.lists(st.binary(min_size=1, max_size=60), max_size=20)


def read(values: list[bytes]) -> list[bytes]:
    reader = FrameReader()
    frames = [frame for value in values for frame in reader.feed(value)]
    return [frame for frame in frames if not isinstance(frame, MalformedFrame)]


@given(bodies)
def test_frames_pass_through_notifications_of_any_room(contents: list[bytes]) -> None:
    values = list(notifications(map(encode_frame, contents), ROOM))
    assert all(0 < len(value) <= ROOM for value in values)
    assert read(values) == contents


def test_short_frames_share_a_notification_and_none_is_cut_that_fits() -> None:
    frames = [encode_frame(bytes([1]) * n) for n in (4, 4, 10, 15)]  # 8, 8, 14, 19 bytes
    assert [len(value) for value in notifications(frames, ROOM)] == [16, 14, 19]


@given(st.lists(st.binary(min_size=1, max_size=16), min_size=3, max_size=20), st.data())
def test_a_lost_notification_costs_the_frames_in_it_only(
    contents: list[bytes], data: st.DataObject
) -> None:
    values = list(notifications(map(encode_frame, contents), ROOM))
    lost = data.draw(st.integers(0, len(values) - 1))
    held = len(read([values[lost]]))
    assert len(read(values[:lost] + values[lost + 1 :])) == len(contents) - held
