"""From `[[source]]` to drivers."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edge_runtime import assembly
from edge_runtime.config import structure
from edge_runtime.errors import ConfigError
from edge_runtime.update.choice import chosen_set
from firmware_bridge.links.ble import BleSensor
from firmware_bridge.links.serial import SerialSensor

STRAP = {"name": "chest", "driver": "ble", "port": "C4:A1:B2:C3:D4:E5"}
SENSOR = {"name": "wrist", "port": "/dev/ttyUSB0"}


def test_each_source_has_a_driver_of_its_kind(tmp_path: Path) -> None:
    config = structure({"source": [STRAP, SENSOR], "store": {"directory": str(tmp_path)}})
    parts = assembly.build(config, chosen_set(config), ())
    assert parts.store is not None
    parts.store.close()
    assert isinstance(parts.drivers["chest"](), BleSensor)
    assert isinstance(parts.drivers["wrist"](), SerialSensor)


@pytest.mark.parametrize(
    ("source", "module", "extra"),
    [
        (STRAP, "firmware_bridge.links.bleak_radio", "ble"),
        (SENSOR, "firmware_bridge.links.serial", "serial"),
    ],
)
def test_an_extra_that_is_missing_is_named_before_anything_is_opened(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: dict[str, str],
    module: str,
    extra: str,
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    config = structure({"source": [source], "store": {"directory": str(tmp_path / "store")}})
    with pytest.raises(ConfigError, match=rf"missing; pip install 'ecg-edge\[{extra}\]'"):
        assembly.build(config, chosen_set(config), ())
    assert not (tmp_path / "store").exists()


def test_a_session_knows_which_rhythms_were_looked_for(tmp_path: Path) -> None:
    config = structure({"source": [SENSOR], "store": {"directory": str(tmp_path)}})
    shipped = chosen_set(config).bundles
    assert assembly.provenance(config, shipped).rhythms == ("AFIB",)
    assert assembly.provenance(config, replace(shipped, rhythm=None)).rhythms == ()
    safe = assembly.provenance(config, None)
    assert (safe.rhythms, safe.bundle_set) == ((), "")
