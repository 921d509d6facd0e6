"""Each parser fed with made-up frames: whole, byte by byte, many at once."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS, pieces, run


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=40)
@given(data=st.binary(max_size=400))
def test_many_at_once(name: str, data: bytes) -> None:
    run(TARGETS[name], data, 10)


@pytest.mark.parametrize("name", [name for name, target in TARGETS.items() if target.is_stream])
@settings(max_examples=10)
@given(data=st.binary(max_size=150), noise=st.binary(max_size=20))
def test_byte_by_byte(name: str, data: bytes, noise: bytes) -> None:
    target = TARGETS[name]
    feed = target.start()
    for byte in noise + b"".join(map(target.frame, pieces(data, 10))):
        feed(bytes([byte]))


@pytest.mark.parametrize("name", TARGETS)
def test_random_bytes_without_any_frame(name: str) -> None:
    source = random.Random(3)
    feed = TARGETS[name].start()
    for _ in range(50):
        feed(source.randbytes(source.randrange(1, 600)))
