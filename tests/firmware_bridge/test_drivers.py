"""The package of docs/drivers.md, as it stands there, installed and run."""

import asyncio
import re
import sys
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from edge_runtime.config import structure
from firmware_bridge import driver_names
from firmware_bridge.cli import main
from firmware_bridge.conformance import check_stream
from firmware_bridge.drivers import DriverRequest, driver_maker
from firmware_bridge.errors import UsageError
from firmware_bridge.simulator.faults import Faults
from firmware_bridge.stream import Gap, SampleChunk, StreamItem
from tests.firmware_bridge.simulated import device_at, of

PAGE = Path(__file__).parents[2] / "docs" / "drivers.md"
(EXAMPLE,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
(POINTS,) = re.findall(r"\[project.entry-points.*\n((?: {4}.*\n)+)", PAGE.read_text("utf-8"))


class Tick:
    """A board that the project does not know: sample k is k microvolts."""

    def __init__(self) -> None:
        self.sent = 0

    def receive(self, data: bytes) -> list[bytes]:
        del data
        return []

    def frames_until(self, elapsed_s: float) -> list[bytes]:
        first, self.sent = self.sent, int(elapsed_s * 200)
        return [b"%d,%d\r\n" % (k % 1000, k) for k in range(first, self.sent)]


@pytest.fixture
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The package on the path, with the entry point of the page."""
    site = tmp_path / "site"
    metadata = site / "ecg_tick-1.0.dist-info"
    metadata.mkdir(parents=True)
    (site / "ecg_tick.py").write_text(EXAMPLE, encoding="utf-8")
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: ecg-tick\nVersion: 1.0\n")
    points = POINTS.replace('"', "")
    broken = "broken = no_such_module:driver\n"
    (metadata / "entry_points.txt").write_text(f"[{driver_names.GROUP}]\n{points}{broken}")
    monkeypatch.syspath_prepend(site)
    yield
    sys.modules.pop("ecg_tick", None)


def test_the_example_is_short() -> None:
    assert len(EXAMPLE.splitlines()) <= 100


@pytest.mark.usefixtures("_installed")
def test_the_example_passes_the_conformance_check(tmp_path: Path) -> None:
    async def play() -> list[StreamItem]:
        items: list[StreamItem] = []
        driver = driver_maker("tick")(DriverRequest("chest", str(tmp_path / "port")))
        async with aclosing(driver.stream()) as stream:  # type: ignore[type-var]
            async for item in stream:
                items.append(item)
                if isinstance(item, SampleChunk) and item.end > 2000:
                    return items
        return items

    with device_at(tmp_path / "port", Tick(), Faults(drop=0.02), speed=8.0):
        items = asyncio.run(play())
    check_stream(items)
    assert of(items, Gap)
    chunks = of(items, SampleChunk)
    first = round(float(chunks[0].samples[0, 0]) * 1000)
    for chunk in chunks:
        numbers = np.round(chunk.samples[:, 0] * 1000).astype(int)
        assert (numbers == first + np.arange(chunk.first, chunk.end)).all()


@pytest.mark.usefixtures("_installed")
def test_a_configuration_and_the_commands_take_it_by_its_name(tmp_path: Path) -> None:
    (source,) = structure({"source": [{"port": "/dev/x", "driver": "tick"}]}).source
    assert source.driver == "tick"
    with device_at(tmp_path / "port", Tick()):
        result = CliRunner().invoke(main, ["info", str(tmp_path / "port"), "--driver", "tick"])
    assert result.exit_code == 0, result.output
    assert "Tick" in result.output


@pytest.mark.usefixtures("_installed")
def test_a_package_that_does_not_load_is_named() -> None:
    with pytest.raises(UsageError, match="driver broken: no_such_module:driver does not load"):
        driver_maker("broken")
