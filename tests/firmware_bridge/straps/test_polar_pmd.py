"""PMD frames and answers, byte for byte as Polar's public SDK and its tests have them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.errors import ProtocolError
from firmware_bridge.straps import polar_pmd
from firmware_bridge.straps.polar_pmd import (
    Answer,
    Measurement,
    Setting,
    StoppedByDevice,
    decode_control,
    decode_ecg,
    decode_settings,
)

DECODERS = (
    decode_ecg,
    polar_pmd.decode_acc,
    decode_control,
    decode_settings,
    polar_pmd.decode_features,
)
HEAD = "000094357700000000"  # ECG, stamp 2 s
STAMP_NS = 2_000_000_000


def microvolts(hex_bytes: str) -> list[float]:
    return np.round(decode_ecg(bytes.fromhex(hex_bytes)).millivolts * 1000).tolist()


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ("00 0280ff 028000", [-32766, 32770]),
        ("00 680000", [104]),
        ("01 0280ff 800200", [2, 640]),
        ("02 8080fc ffff03", [32896, 262143]),
        ("03 00120311100400 0280f0111004ff", [201216, -1015806]),
    ],
)
def test_samples_of_each_frame_type(samples: str, expected: list[float]) -> None:
    assert microvolts(HEAD + samples) == expected
    assert decode_ecg(bytes.fromhex(HEAD + samples)).stamp_ns == STAMP_NS


def test_the_stamp_of_the_sdk_s_other_test() -> None:
    frame = decode_ecg(bytes.fromhex("00 386c3172a4d3230d 03 00120311100400"))
    assert frame.stamp_ns == 946833049921875000


def test_contact_and_pace_marks_where_the_type_has_them() -> None:
    assert decode_ecg(bytes.fromhex(HEAD + "00 680000")).contact is None
    assert decode_ecg(bytes.fromhex(HEAD + "01 0280ff 800200")).contact is False
    assert decode_ecg(bytes.fromhex(HEAD + "01 800200 0280ff")).contact is True
    assert decode_ecg(bytes.fromhex(HEAD + "02 8080fc ffff03")).paced == (0,)


def test_commands() -> None:
    chosen = {Setting.RESOLUTION: 14, Setting.RATE: 130}
    assert polar_pmd.start_command(Measurement.ECG, chosen).hex() == "02000001820001010e00"
    assert polar_pmd.settings_command(Measurement.ECG).hex() == "0100"
    assert polar_pmd.stop_command(Measurement.ECG).hex() == "0300"


def test_answers() -> None:
    settings = decode_control(bytes.fromhex("f0010000000001820001010e00"))
    assert isinstance(settings, Answer)
    assert decode_settings(settings.parameters) == {Setting.RATE: (130,), Setting.RESOLUTION: (14,)}
    assert decode_control(bytes.fromhex("f00200000000")) == Answer(2, 0, 0, b"\0")
    assert decode_control(bytes.fromhex("f003000000")) == Answer(3, 0, 0, b"")
    refused = decode_control(bytes.fromhex("f002000a00"))
    assert isinstance(refused, Answer)
    assert "MTU" in refused.reason
    assert decode_control(bytes.fromhex("0100")) == StoppedByDevice((0,))


def test_settings_of_another_measurement() -> None:
    offered = decode_settings(bytes.fromhex("00013400 010110 00 0204f500f401e803d007 040103"))
    assert offered == {
        Setting.RATE: (52,),
        Setting.RESOLUTION: (16,),
        Setting.RANGE: (245, 500, 1000, 2000),
        Setting.CHANNELS: (3,),
    }


def test_features_of_an_h10() -> None:
    features = polar_pmd.decode_features(bytes.fromhex("0f05000000000000000000000000000000"))
    assert features == {Measurement.ECG, Measurement.ACC}
    with pytest.raises(ProtocolError):
        polar_pmd.decode_features(b"\xf0\x05")


ACC_HEAD = "020094357700000000"


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ("00 7f80ff", [[127, -128, -1]]),
        ("01 45ffe4ffb503 45ffe4ffb803", [[-187, -28, 949], [-187, -28, 952]]),
        ("02 ffff7f 000080 010000", [[8388607, -8388608, 1]]),
    ],
)
def test_acceleration_of_each_frame_type(samples: str, expected: list[list[float]]) -> None:
    frame = polar_pmd.decode_acc(bytes.fromhex(ACC_HEAD + samples))
    assert frame.milli_g.tolist() == expected
    assert frame.stamp_ns == STAMP_NS


@pytest.mark.parametrize("samples", ["01 45ffe4ffb5", "81 45ffe4ffb503", "03 45ffe4ff", "01"])
def test_acceleration_that_is_cut_short_or_compressed_is_refused(samples: str) -> None:
    with pytest.raises(ProtocolError):
        polar_pmd.decode_acc(bytes.fromhex(ACC_HEAD + samples))


def test_ecg_and_acceleration_are_not_taken_for_each_other() -> None:
    with pytest.raises(ProtocolError, match="not ACC"):
        polar_pmd.decode_acc(bytes.fromhex(HEAD + "00 680000"))
    with pytest.raises(ProtocolError, match="not ECG"):
        decode_ecg(bytes.fromhex(ACC_HEAD + "01 45ffe4ffb503"))


@given(st.binary(max_size=600))
def test_noise_is_refused_or_read_but_never_more(data: bytes) -> None:
    for decode in DECODERS:
        try:
            decode(data)
        except ProtocolError:
            continue


@given(st.lists(st.integers(-(2**23), 2**23 - 1), min_size=1, max_size=160), st.integers(0, 2**63))
def test_every_frame_of_type_0_is_read_back(values: list[int], stamp_ns: int) -> None:
    body = b"".join(v.to_bytes(3, "little", signed=True) for v in values)
    frame = decode_ecg(b"\0" + stamp_ns.to_bytes(8, "little") + b"\0" + body)
    assert frame.stamp_ns == stamp_ns
    assert np.allclose(frame.millivolts, np.array(values) / 1000, rtol=1e-6)


@pytest.mark.parametrize("cut", range(1, 3))
def test_a_frame_that_is_cut_short_is_refused(cut: int) -> None:
    with pytest.raises(ProtocolError):
        decode_ecg(bytes.fromhex(HEAD + "00 0280ff 028000")[:-cut])
