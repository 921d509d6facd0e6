"""Settings that people change: what is told of them, what is refused, where a change goes."""

from pathlib import Path

import pytest

from edge_runtime import config, saved_settings
from edge_runtime.config_effects import Effect
from edge_runtime.errors import ConfigError
from edge_runtime.setting_desk import SECTIONS, Setting, SettingDesk

BY_HAND = """
[store]
directory = "{store}"
[[source]]
name = "chest"
port = "/dev/chest"
[rules.pause]
over_s = 2.5
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "config.toml"
    file.write_text(BY_HAND.format(store=tmp_path / "store"))
    return file


@pytest.fixture
def desk(file: Path) -> SettingDesk:
    return SettingDesk(lambda saved: config.load(file, ("alarms.pause_s=60",), saved))


def by_key(desk: SettingDesk) -> dict[str, Setting]:
    return {one.key: one for one in desk.listed()}


def test_each_key_is_told_as_a_form_needs_it(desk: SettingDesk) -> None:
    told = by_key(desk)
    pause = told["rules.pause.over_s"]
    assert (pause.kind, pause.value, pause.default, pause.low, pause.high) == (
        "number", 2.5, 2.0, 1.5, 3.5,
    )  # fmt: skip
    assert (pause.origin, pause.effect) == ("file", Effect.LIVE)
    assert told["alarms.pause_s"].origin == "command line"
    mains = told["signal.mains_hz"]
    assert (mains.kind, mains.choices, mains.effect) == ("choice", (0, 50, 60), Effect.SOURCE)
    fast = told["rules.tachycardia.above_bpm"]
    assert (fast.kind, fast.may_be_empty, fast.value) == ("number", True, None)
    assert told["rules.couplet.enabled"].kind == "switch"
    assert told["rules.extreme_bradycardia.beats"].kind == "whole"


def test_what_holds_secrets_or_the_way_in_is_not_among_them(desk: SettingDesk) -> None:
    assert {one.key.partition(".")[0] for one in desk.listed()} == set(SECTIONS)
    assert not set(SECTIONS) & {"web", "mqtt", "webhook", "phone", "source", "store", "bundles"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rules.pause.over_s": 99}, "rules.pause.over_s: 99 is outside 1.5 to 3.5"),
        ({"rules.pause.over_s": "long"}, "not a number"),
        ({"rules.profile": "sofa"}, "not one of 'bed', 'active'"),
        ({"web.host": "0.0.0.0"}, "web.host: cannot be changed here"),
        ({"rules": 1}, "rules: cannot be changed here"),
        ({"alarms.pause_s": 30}, "on the command line"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_and_nothing_is_written(
    desk: SettingDesk, tmp_path: Path, changes: dict[str, int | str], words: str
) -> None:
    for act in (desk.tried, desk.save):
        with pytest.raises(ConfigError, match=words):
            act(changes)
    assert not (tmp_path / "store" / saved_settings.FILE_NAME).exists()


def test_a_change_lies_over_the_file_and_can_be_taken_back(
    desk: SettingDesk, file: Path, tmp_path: Path
) -> None:
    text = file.read_text()
    assert desk.tried({"rules.pause.over_s": 3.0}).rules.pause.over_s == 3.0
    assert desk.reread().rules.pause.over_s == 2.5
    desk.save({"signal.mains_hz": 60})
    take_back = desk.save({"rules.pause.over_s": 3.0, "rules.tachycardia.above_bpm": 130})
    told = by_key(desk)
    assert (told["rules.pause.over_s"].value, told["rules.pause.over_s"].origin) == (3.0, "saved")
    take_back()
    assert saved_settings.read(tmp_path / "store") == {"signal": {"mains_hz": 60}}
    assert file.read_text() == text


def test_none_lets_go_of_what_was_saved_and_leaves_no_empty_tables(
    desk: SettingDesk, tmp_path: Path
) -> None:
    desk.save({"rules.pause.over_s": 3.0})
    desk.save({"rules.pause.over_s": None})
    assert saved_settings.read(tmp_path / "store") == {}
    assert desk.reread().rules.pause.over_s == 2.5
