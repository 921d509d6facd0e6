"""Answers of setup to what is saved."""

from pathlib import Path

import pytest

from edge_runtime.config import structure
from edge_runtime.errors import ConfigError
from edge_runtime.setting_up import (
    Answers,
    is_address,
    likely_mains_hz,
    read_answers,
    settings,
    time_zone,
)
from firmware_bridge.driver_names import DriverName

PORT = "/dev/serial/by-id/usb-board"


def test_every_answer_is_a_setting_that_the_configuration_takes() -> None:
    answers = Answers(sensor=PORT, name="chest", mains_hz=60, page="lan")
    loaded = structure(settings({}, answers))
    assert [(s.name, s.port, s.driver) for s in loaded.source] == [("chest", PORT, "serial")]
    assert (loaded.signal.mains_hz, loaded.web.enabled, loaded.web.lan) == (60, True, True)


def test_what_is_not_answered_stays() -> None:
    before = settings({}, Answers(sensor=PORT, name="chest", mains_hz=60, page="here"))
    assert settings(before, Answers()) == before
    after = settings(before, Answers(page="off"))
    assert after["source"] == before["source"]
    assert not structure(after).web.enabled


def test_a_sensor_of_the_same_name_or_port_takes_its_place() -> None:
    before = settings({}, Answers(sensor=PORT, name="chest"))
    other = settings(
        before, Answers(sensor="/dev/ttyACM0", name="chest", driver=DriverName("cyton"))
    )
    assert other["source"] == [{"name": "chest", "port": "/dev/ttyACM0", "driver": "cyton"}]
    renamed = settings(before, Answers(sensor=PORT, name="left"))
    assert [source["name"] for source in renamed["source"]] == ["left"]
    added = settings(before, Answers(sensor="/dev/ttyACM0", name="second"))
    assert [source["name"] for source in added["source"]] == ["chest", "second"]


def test_a_strap_is_remembered_by_pairing_alone() -> None:
    answers = Answers(sensor="24:AC:AC:01:02:03", name="chest")
    assert answers.is_strap
    assert "source" not in settings({}, answers)


def test_none_is_no_sensor_of_that_name() -> None:
    before = settings({}, Answers(sensor=PORT, name="sensor"))
    assert "source" not in settings(before, Answers(sensor="none"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("mains_hz = 55", "mains_hz"),
        ("mains = 50", "did you mean"),
        ('page = "everybody"', "page"),
        ('driver = "cytom"', "cyton"),
        ('name = ""', "empty"),
        ('wearer = " x"', "printable"),
        ("no toml", "cannot be read"),
    ],
)
def test_a_wrong_answers_file_says_what_is_wrong(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "answers.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=words):
        read_answers(file)


@pytest.mark.parametrize(
    ("zone", "hz"),
    [
        ("Europe/Berlin", 50),
        ("America/New_York", 60),
        ("America/Sao_Paulo", 60),
        ("America/Argentina/Buenos_Aires", 50),
        ("Asia/Seoul", 60),
        ("Asia/Shanghai", 50),
        ("", 50),
    ],
)
def test_the_mains_frequency_that_is_likely(zone: str, hz: int) -> None:
    assert likely_mains_hz(zone) == hz


def test_the_time_zone_of_a_machine(tmp_path: Path) -> None:
    zone = tmp_path / "zoneinfo/America/Toronto"
    zone.parent.mkdir(parents=True)
    zone.touch()
    (tmp_path / "localtime").symlink_to(zone)
    assert time_zone(tmp_path / "localtime") == "America/Toronto"
    assert time_zone(tmp_path / "nowhere") == ""


def test_addresses() -> None:
    assert is_address("24:ac:AC:01:02:03")
    for text in ("24:AC:AC:01:02", "24:AC:AC:01:02:0G", "/dev/ttyUSB0", "24:AC:AC:01:02:-3"):
        assert not is_address(text)
