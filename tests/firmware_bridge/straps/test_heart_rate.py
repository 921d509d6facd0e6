"""Heart Rate Measurement, as the Bluetooth specification and Polar's tests have it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.errors import ProtocolError
from firmware_bridge.straps.heart_rate import HeartRate, decode_battery, decode_measurement


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("00ff", HeartRate(255, None, None, ())),
        ("007f", HeartRate(127, None, None, ())),
        ("018080", HeartRate(32896, None, None, ())),
        ("017f7f", HeartRate(32639, None, None, ())),
        ("0600", HeartRate(0, True, None, ())),
        ("0400", HeartRate(0, False, None, ())),
        ("0200", HeartRate(0, None, None, ())),
        ("0000", HeartRate(0, None, None, ())),
        ("090000ffff", HeartRate(0, None, 65535, ())),
        ("08007f80", HeartRate(0, None, 32895, ())),
        ("1000ffff", HeartRate(0, None, None, (65535,))),
        ("110000ffff7f80", HeartRate(0, None, None, (65535, 32895))),
        ("10000000", HeartRate(0, None, None, (0,))),
        ("104b3303", HeartRate(75, None, None, (819,))),
    ],
)
def test_measurements(value: str, expected: HeartRate) -> None:
    assert decode_measurement(bytes.fromhex(value)) == expected


def test_intervals_in_seconds() -> None:
    rate = decode_measurement(bytes.fromhex("110000ffff7f80"))
    assert [round(rr * 1000) for rr in rate.rr_s] == [63999, 32124]
    assert decode_measurement(bytes.fromhex("10000000")).rr_s == ()


def test_battery() -> None:
    assert decode_battery(b"\x64") == 100
    assert decode_battery(b"\x65") is None
    assert decode_battery(b"") is None


@given(st.binary(max_size=40))
def test_noise_is_refused_or_read(data: bytes) -> None:
    try:
        rate = decode_measurement(data)
    except ProtocolError:
        return
    assert all(rr > 0 for rr in rate.rr_s)
