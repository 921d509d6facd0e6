"""Pseudonyms and, apart from them, identities."""

from pathlib import Path

import pytest

from edge_runtime.errors import ConfigError
from edge_runtime.wearers import Identity, Wearers, forget, identify, identities


def test_a_change_holds_over_the_configuration_and_a_restart(tmp_path: Path) -> None:
    configured = {"chest": "P-1", "wrist": None}
    wearers = Wearers(tmp_path, configured)
    assert (wearers.get("chest"), wearers.get("wrist"), wearers.get("x")) == ("P-1", None, None)
    assert not wearers.change("chest", "P-1")
    assert wearers.change("chest", "P-2")
    assert wearers.change("wrist", "P-3")
    again = Wearers(tmp_path, configured)
    assert (again.get("chest"), again.get("wrist")) == ("P-2", "P-3")
    assert again.change("chest", "")
    assert again.get("chest") is None


def test_a_configuration_that_names_another_wearer_later_counts(tmp_path: Path) -> None:
    wearers = Wearers(tmp_path, {"chest": "P-1"})
    wearers.change("chest", "P-2")
    wearers.configure({"chest": "P-3"})
    assert wearers.get("chest") == "P-3"
    assert Wearers(tmp_path, {"chest": "P-3"}).get("chest") == "P-3"
    assert wearers.change("chest", "P-4")
    assert Wearers(tmp_path, {"chest": "P-3"}).get("chest") == "P-4"


@pytest.mark.parametrize("wrong", ["x" * 65, "a\nb", " a"])
def test_what_is_no_pseudonym_is_refused(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(ConfigError, match="printable"):
        Wearers(tmp_path, {}).change("chest", wrong)


def test_identities_lie_apart_for_their_owner_s_eyes_alone(tmp_path: Path) -> None:
    identify(tmp_path, "P-1", Identity(name="Ada", born="1815"))
    assert identities(tmp_path) == {"P-1": Identity(name="Ada", born="1815")}
    assert (tmp_path / "identities.json").stat().st_mode & 0o777 == 0o600
    assert forget(tmp_path, "P-1")
    assert not forget(tmp_path, "P-1")
    assert b"Ada" not in (tmp_path / "identities.json").read_bytes()


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "wearers.json").write_text("[")
    with pytest.raises(ConfigError, match=r"wearers.json: cannot be read"):
        Wearers(tmp_path, {})
