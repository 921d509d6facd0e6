"""What setup saves: a layer over a person's file, and back out of the file as it went in."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime import saved_settings
from edge_runtime.config import explain, load
from edge_runtime.errors import ConfigError

CHEST = {"name": "chest", "port": "/dev/ttyUSB0", "driver": "serial"}
WRIST = {"name": "wrist", "port": "/dev/ttyUSB1", "driver": "ad8232"}
_texts = st.text("aB 0ä€🫀'\"\\\n\t\x00\x1f\x7f#=[]")
_plain = st.one_of(_texts, st.booleans(), st.integers(-(2**63), 2**63 - 1))
_flat = st.dictionaries(st.sampled_from(["one", "two", "three"]), _plain)


def store(folder: Path) -> list[str]:
    return [f"store.directory={folder}"]


@given(
    st.fixed_dictionaries({"source": st.lists(_flat, min_size=1), "signal": _flat, "web": _flat})
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, table: dict[str, Any]
) -> None:
    folder = tmp_path_factory.mktemp("store")
    file = saved_settings.write(folder, table)
    assert saved_settings.read(folder) == table
    assert tomllib.loads(file.read_text(encoding="utf-8")) == table


def test_it_lies_between_the_file_and_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[signal]\nmains_hz = 50\nring_minutes = 5\n")
    saved = saved_settings.write(tmp_path, {"signal": {"mains_hz": 60}, "source": [CHEST]})
    loaded, layers = load(file, store(tmp_path))
    origin = {key: (value, where) for key, value, where in explain(loaded, layers)}
    assert origin["signal.mains_hz"] == (60, str(saved))
    assert origin["signal.ring_minutes"] == (5, str(file))
    assert origin["source.0.name"] == ("chest", str(saved))
    loaded, _ = load(file, [*store(tmp_path), "signal.mains_hz=0"])
    assert loaded.signal.mains_hz == 0


def test_its_sources_come_behind_those_by_hand(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[[source]]\nname = "by-hand"\nport = "/dev/ttyUSB0"\n')
    saved_settings.write(tmp_path, {"source": [CHEST, WRIST]})
    loaded, _ = load(file, store(tmp_path))
    # The chest's port is configured by hand already.
    assert [source.name for source in loaded.source] == ["by-hand", "wrist"]


def test_mistakes_in_it_are_refused_with_their_path(tmp_path: Path) -> None:
    saved_settings.write(tmp_path, {"signal": {"mains": 60}})
    with pytest.raises(ConfigError, match=r"signal\.mains"):
        load(None, store(tmp_path))
    (tmp_path / saved_settings.FILE_NAME).write_text("no toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load(None, store(tmp_path))


def test_none_is_none(tmp_path: Path) -> None:
    assert saved_settings.read(tmp_path / "nowhere") == {}
