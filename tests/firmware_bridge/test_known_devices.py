"""The file of paired straps."""

from pathlib import Path

import pytest

from firmware_bridge.errors import RecordError, UsageError
from firmware_bridge.known_devices import KnownDevice, forget, read_known, remember

H10 = KnownDevice("chest", "C4:A1:B2:C3:D4:E5", "polar", "A1B2", "H10")
OTHER = KnownDevice('odd "name"\\', "C4:00", "heart-rate", "", "Größe 1 \U0001fac0\x7f")


def test_what_is_remembered_is_read_back_and_forgotten(tmp_path: Path) -> None:
    file = tmp_path / "state" / "devices.toml"
    assert read_known(file) == []
    remember(file, H10)
    remember(file, OTHER)
    assert read_known(file) == [H10, OTHER]
    assert forget(file, "chest") == H10
    assert read_known(file) == [OTHER]
    with pytest.raises(UsageError, match="no device 'chest'"):
        forget(file, "chest")


def test_a_new_strap_takes_the_place_of_one_with_its_name_or_address(tmp_path: Path) -> None:
    file = tmp_path / "devices.toml"
    remember(file, H10)
    renamed = KnownDevice("mine", H10.address, "polar")
    remember(file, renamed)
    assert read_known(file) == [renamed]
    replaced = KnownDevice("mine", "C4:77", "polar")
    remember(file, replaced)
    assert read_known(file) == [replaced]


@pytest.mark.parametrize("text", ["device = 5", "[[device]]\nname = 1", "= nonsense"])
def test_a_file_that_is_none_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "devices.toml"
    file.write_text(text)
    with pytest.raises(UsageError, match=r"devices\.toml"):
        read_known(file)


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises((RecordError, UsageError), match="file"):
        remember(tmp_path / "file" / "devices.toml", H10)
