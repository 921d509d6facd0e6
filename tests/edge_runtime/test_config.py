"""The configuration: layers, origins, and every mistake at once in words that help."""

import shlex
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import click
import pytest

from edge_runtime import config, config_docs
from edge_runtime.config import Config, explain, load, structure
from edge_runtime.errors import ConfigError
from edge_runtime.rules.bounds import bounds
from edge_runtime.rules.settings import RuleSettings
from firmware_bridge.cli import simulate
from firmware_bridge.driver_names import OWN_NAMES
from firmware_bridge.known_devices import KnownDevice, remember

CHEST = {"name": "chest", "port": "/dev/ttyUSB0"}


def problems(table: dict[str, Any]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        structure(table)
    return str(caught.value).splitlines()


def written(folder: Path, text: str) -> Path:
    file = folder / "config.toml"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.fixture(autouse=True)
def _no_system_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(config, "SYSTEM_FILE", tmp_path / "absent.toml")


def test_nothing_set_is_the_default() -> None:
    loaded, layers = load(None)
    assert loaded == Config()
    assert layers == ()
    assert all(origin == "default" for _, _, origin in config.explain(loaded, layers))


def test_every_problem_is_listed_with_its_path() -> None:
    table = {
        "bundels": {},
        "signal": {"mains_hz": 55, "ring_minutes": "ten"},
        "source": [{"name": "a", "prot": "/dev/x", "baud": "fast"}, 5],
        "store": {"durability_s": 0.1, "raw": 1, "durabilty": 3},
        "rules": {"asystole": {"after_s": 99, "never": 1}, "pause": {"enabled": "yes"}},
    }
    assert problems(table) == [
        "bundels: unknown key; did you mean 'bundles'?",
        "rules.asystole.after_s: 99 is outside 3 to 10",
        "rules.asystole.never: unknown key; known are after_s, first_beat_s, restart_gap_s",
        "rules.pause.enabled: 'yes' is not true or false",
        "signal.mains_hz: 55 is not one of 0, 50, 60",
        "signal.ring_minutes: 'ten' is not a number",
        "source.0.baud: 'fast' is not a whole number",
        "source.0.port: missing",
        "source.0.prot: unknown key; did you mean 'port'?",
        "source.1: 5 is not a table of settings",
        "store.durability_s: 0.1 is outside 0.5 to 60",
        "store.durabilty: unknown key; did you mean 'durability_s'?",
        "store.raw: 1 is not true or false",
    ]


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"signal": 5}, "signal: 5 is not a table of settings"),
        ({"source": 5}, "source: 5 is not a list; in a file each element begins with [[...]]"),
        ({"source": [{**CHEST, "name": ""}]}, "source.0: name is empty"),
        (
            {"source": [{**CHEST, "driver": "usb"}]},
            f"source.0.driver: 'usb' is not one of {', '.join(map(repr, OWN_NAMES))}",
        ),
        ({"source": [CHEST, CHEST]}, "configuration: two sources have the same name 'chest'"),
        ({"source": [{**CHEST, "baud": True}]}, "source.0.baud: True is not a whole number"),
        ({"source": [{**CHEST, "baud": 9600.5}]}, "source.0.baud: 9600.5 is not a whole number"),
        (
            {"source": [{**CHEST, "lead": 1.5}]},
            "source.0.lead: 1.5 is not a string or a whole number",
        ),
        ({"signal": {"mains_hz": False}}, "signal.mains_hz: False is not one of 0, 50, 60"),
        ({"store": {"directory": ""}}, "store.directory: '' is not a path"),
        (
            {"store": {"durability_s": float("nan")}},
            "store.durability_s: nan is outside 0.5 to 60",
        ),
        (
            {"signal": {"ring_minutes": float("inf")}},
            "signal.ring_minutes: inf is outside 1 to 120",
        ),
    ],
)
def test_one_mistake_is_one_line(table: dict[str, Any], problem: str) -> None:
    assert problems(table) == [problem]


def test_a_file_that_is_no_toml_is_named_with_the_line(tmp_path: Path) -> None:
    file = written(tmp_path, "[signal\nmains_hz = 50\n")
    with pytest.raises(ConfigError, match=r"config\.toml: not valid TOML: .*line 1"):
        load(file)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="absent: no such file"):
        load(tmp_path / "absent")
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path)
    latin = tmp_path / "latin.toml"
    latin.write_bytes(b'subject = "J\xfcrgen"')
    with pytest.raises(ConfigError, match="cannot be read"):
        load(latin)


def test_later_layers_win_and_the_origin_is_told(tmp_path: Path) -> None:
    file = written(tmp_path, '[store]\ndirectory = "/data"\ndurability_s = 7\n')
    loaded, layers = load(file, ["store.durability_s=2", "signal.mains_hz=60"])
    assert loaded.store.directory == Path("/data")
    assert loaded.store.durability_s == 2
    origins = {key: origin for key, _, origin in config.explain(loaded, layers)}
    assert origins["store.directory"] == str(file)
    assert origins["store.durability_s"] == "--set store.durability_s=2"
    assert origins["signal.mains_hz"] == "--set signal.mains_hz=60"
    assert origins["store.raw"] == "default"


def test_the_system_file_is_read_where_no_other_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = tmp_path / "system.toml"
    system.write_text("[signal]\nmains_hz = 60\n")
    monkeypatch.setattr(config, "SYSTEM_FILE", system)
    assert load(None)[0].signal.mains_hz == 60
    assert load(written(tmp_path, ""))[0].signal.mains_hz == 50


def test_the_example_of_the_simulator_s_help_is_a_configuration() -> None:
    context = click.Context(simulate, info_name="simulate")
    example, board = [line for line in simulate.get_help(context).splitlines() if "--set" in line]
    words = shlex.split(example)
    assert words[:3] == ["edge-runtime", "run", "--set"]
    (source,) = load(None, words[3:])[0].source
    assert (source.name, source.port) == ("sensor", "/tmp/sensor")
    (source,) = load(None, shlex.split(board)[3::2])[0].source
    assert (source.driver, source.port) == ("cyton", "/tmp/board")


def test_two_sources_without_names_are_refused() -> None:
    assert problems({"source": [{"port": "/dev/a"}, {"port": "/dev/b"}]}) == [
        "configuration: two sources have the same name 'sensor'"
    ]


def test_a_setting_changes_one_element_of_a_list(tmp_path: Path) -> None:
    file = written(tmp_path, '[[source]]\nname = "chest"\nport = "/dev/a"\nbaud = 115200\n')
    settings = ["source.0.port=/dev/b", "source.1.name=wrist", "source.1.port=/dev/c"]
    loaded, layers = load(file, settings)
    chest, wrist = loaded.source
    assert (chest.name, chest.port, chest.baud) == ("chest", "/dev/b", 115200)
    assert (wrist.name, wrist.port) == ("wrist", "/dev/c")
    origins = {key: origin for key, _, origin in config.explain(loaded, layers)}
    assert origins["source.0.name"] == str(file)
    assert origins["source.0.port"] == "--set source.0.port=/dev/b"
    assert origins["source.1.baud"] == "default"


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        (["x"], "--set 'x': expected KEY=VALUE, as in store.durability_s=2"),
        (["=5"], "--set '=5': expected KEY=VALUE, as in store.durability_s=2"),
        (["source.3.name=a"], "source.3: no such element; the next one is 0"),
        (["signal.0=5"], "signal: [5] is not a table of settings"),
        (["source=5", "source.0.name=x"], "source.0.port: missing"),
        (["store.durabilty_s=1"], "store.durabilty_s: unknown key; did you mean 'durability_s'?"),
        (
            ["a..b=3"],
            ("a: unknown key; known are " + ", ".join(one.name for one in fields(Config))),
        ),
        (["store.raw=yes"], "store.raw: 'yes' is not true or false"),
    ],
)
def test_a_wrong_setting_is_refused(settings: list[str], problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(None, settings)
    assert str(caught.value) == problem


@pytest.mark.parametrize(
    ("text", "value"), [("0", 0), ("auto", "auto"), ('"0"', "0"), ("MLII", "MLII"), ("V 5", "V 5")]
)
def test_values_need_no_quotes_in_a_shell(text: str, value: str | int) -> None:
    settings = ["source.0.name=a", "source.0.port=/dev/x", f"source.0.lead={text}"]
    assert load(None, settings)[0].source[0].lead == value


def test_a_home_directory_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    assert load(None, ["store.directory=~/ecg"])[0].store.directory == Path("/home/someone/ecg")


def rule_tables() -> list[tuple[str, Any]]:
    kinds = get_type_hints(RuleSettings)
    return [(name, kind) for name, kind in kinds.items() if is_dataclass(kind)]


@pytest.mark.parametrize(("name", "kind"), rule_tables())
def test_every_bound_of_every_rule_can_be_set_and_is_kept(name: str, kind: Any) -> None:
    for setting in fields(kind):
        limits = bounds(setting)
        if limits is None:
            assert setting.name in ("enabled", "policy")
            continue
        for value in limits:
            whole = int(value) if get_type_hints(kind)[setting.name] is int else value
            rules = structure({"rules": {name: {setting.name: whole}}}).rules
            assert getattr(getattr(rules, name), setting.name) == value
        low, high = limits
        for value in (low - 1, high + 1):
            expected = f"rules.{name}.{setting.name}: {value:g} is outside {low:g} to {high:g}"
            whole = int(value) if get_type_hints(kind)[setting.name] is int else value
            assert problems({"rules": {name: {setting.name: whole}}}) == [expected]


def test_every_option_is_documented() -> None:
    page = Path(__file__).parents[2] / "docs" / "configuration.md"
    assert page.read_text(encoding="utf-8") == config_docs.reference(), (
        "run: python -m edge_runtime.config_docs > docs/configuration.md"
    )
    webhook = {"name": "a", "url": "https://a/", "secret_file": "a"}
    phone = {"name": "a", "url_file": "a"}
    every_table = structure({"source": [CHEST], "webhook": [webhook], "phone": [phone]})
    for key, _, _ in config.explain(every_table, ()):
        assert f"| `{key.rpartition('.')[2]}` |" in page.read_text(encoding="utf-8")


def test_paired_straps_are_sources_behind_those_written_by_hand(tmp_path: Path) -> None:
    store = tmp_path / "store"
    written_by_hand = '[[source]]\nname = "wrist"\nport = "/dev/a"\n[store]\ndirectory = "{}"\n'
    file = written(tmp_path, written_by_hand.format(store))
    remember(store / "devices.toml", KnownDevice("chest", "C4:A1", "polar", "A1B2", "H10"))
    remember(store / "devices.toml", KnownDevice("other", "C4:A2", "heart-rate"))
    config, layers = load(file, ["source.1.name=waist", "source.1.port=/dev/b"])
    wrist, waist, chest, other = config.source
    assert (waist.name, waist.port) == ("waist", "/dev/b")
    assert (wrist.name, wrist.driver) == ("wrist", "serial")
    assert (chest.name, chest.driver, chest.port) == ("chest", "ble", "C4:A1")
    assert (chest.family, chest.serial) == ("polar", "A1B2")
    assert other.serial is None
    origins = {key: origin for key, _, origin in explain(config, layers)}
    assert origins["source.0.port"] == str(file)
    assert origins["source.1.port"] == "--set source.1.port=/dev/b"
    assert origins["source.2.port"] == str(store / "devices.toml")


def test_a_strap_configured_by_hand_is_not_taken_twice(tmp_path: Path) -> None:
    remember(tmp_path / "devices.toml", KnownDevice("chest", "C4:A1", "polar"))
    settings = [f"store.directory={tmp_path}"]
    file = written(tmp_path, '[[source]]\nname = "mine"\nport = "C4:A1"\ndriver = "ble"\n')
    assert [source.name for source in load(file, settings)[0].source] == ["mine"]
    (tmp_path / "devices.toml").write_text("nonsense")
    with pytest.raises(ConfigError, match=r"devices\.toml"):
        load(file, settings)
