"""A publisher, and a device that trusts it."""

from pathlib import Path

import pytest

pytest.importorskip("tuf", reason="the extra `update` is not installed")

from tests.edge_runtime.update.publisher import Device, Publisher


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    made = Publisher(tmp_path / "publisher")
    made.publish("8.3.0")
    return made


@pytest.fixture
def device(publisher: Publisher, tmp_path: Path) -> Device:
    return Device(publisher, tmp_path / "device")
