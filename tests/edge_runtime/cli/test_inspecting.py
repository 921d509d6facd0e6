"""`check`, `config` and `doctor`: what they say of good and bad input, and their exit status."""

import json
import shutil
from pathlib import Path

import pytest

from edge_runtime.cli import doctor
from edge_runtime.config import SHIPPED_BUNDLES
from edge_runtime.errors import InterpreterError
from tests.edge_runtime.cli.running import edge_runtime
from tests.records_on_disk import write_record
from tests.synthetic import ecg

BAD = ("--set", "signal.mains_hz=55", "--set", "store.durabilty_s=1")
BAD_WORDS = (
    "edge-runtime: signal.mains_hz: 55 is not one of 0, 50, 60\n"
    "edge-runtime: store.durabilty_s: unknown key; did you mean 'durability_s'?\n"
)


@pytest.fixture
def flipped(tmp_path: Path) -> Path:
    """The shipped bundle set with one bit turned in the middle of a graph."""
    folder = tmp_path / "bundles"
    shutil.copytree(SHIPPED_BUNDLES, folder)
    graph = folder / "beats" / "encoder.tflite"
    content = bytearray(graph.read_bytes())
    content[len(content) // 2] ^= 1
    graph.write_bytes(content)
    return folder


@pytest.mark.parametrize("command", ["check", "config", "doctor", "run"])
def test_a_bad_configuration_is_refused_with_all_its_problems(command: str) -> None:
    result = edge_runtime(command, *BAD)
    assert result.exit_code == 2
    assert result.stderr == BAD_WORDS
    assert result.stdout == ""


def test_check_says_what_is_configured(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[[source]]\nname = "chest"\nport = "/dev/ttyUSB0"\n')
    result = edge_runtime("check", "--config", file)
    assert result.exit_code == 0
    assert "configuration: good, 1 source(s)" in result.stdout
    answer = json.loads(edge_runtime("check", "--config", file, "--json").stdout)
    assert answer["ok"] is True
    assert answer["sources"] == ["chest"]
    assert len(answer["fingerprint"]) == 64
    assert answer["bundles"] == ["beats", "delineation", "rhythm"]
    assert answer["rules_not_in_force"] == {}
    assert "pace marks" in answer["rules_on_condition"]["pacer_not_pacing"]


@pytest.mark.parametrize("command", ["check", "replay", "doctor"])
def test_a_flipped_bit_in_the_bundle_set_is_found(
    command: str, flipped: Path, tmp_path: Path
) -> None:
    record = write_record(tmp_path / "rec", ecg([], 2), 500)
    arguments = [record] if command == "replay" else []
    result = edge_runtime(command, *arguments, "--set", f"bundles.directory={flipped}")
    assert result.exit_code == 3
    assert "does not match its hash" in " ".join(result.output.split())


def test_a_bundle_set_that_is_not_there_is_named(tmp_path: Path) -> None:
    result = edge_runtime("check", "--set", f"bundles.directory={tmp_path / 'none'}")
    assert result.exit_code == 3
    assert str(tmp_path / "none") in result.stderr


def test_config_prints_each_value_with_its_origin(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[signal]\nmains_hz = 60\n")
    result = edge_runtime("config", "--config", file, "--set", "store.durability_s=2")
    rows = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines()}
    assert rows["signal.mains_hz"] == ["60", str(file)]
    assert rows["store.durability_s"] == ["2.0", "--set", "store.durability_s=2"]
    assert rows["store.raw"] == ["True", "default"]
    table = json.loads(edge_runtime("config", "--config", file, "--json").stdout)
    assert table["signal.mains_hz"] == {"value": 60, "origin": str(file)}


def findings(*arguments: str | Path, status: int = 0) -> dict[str, tuple[str, str]]:
    result = edge_runtime("doctor", "--json", *arguments)
    assert result.exit_code == status, result.output
    return {f["subject"]: (f["verdict"], f["words"]) for f in json.loads(result.stdout)}


def test_doctor_replays_the_golden_vectors(tmp_path: Path) -> None:
    found = findings("--set", f"store.directory={tmp_path}")
    for subject in ("python", "TFLite runtime", "bundle set", "store"):
        assert found[subject][0] == "good", found[subject]
    tiers = [subject for subject in found if subject.startswith("golden vectors")]
    assert [subject.removeprefix("golden vectors ") for subject in tiers] == [
        "(a)", "(b)", "(c)", "(delineation b)", "(delineation c)", "(rhythm b)",
        "(rhythm c)",
    ]  # fmt: skip
    assert found["sources"][0] == "warning"


def test_doctor_looks_at_the_ports(tmp_path: Path) -> None:
    port = tmp_path / "port"
    port.write_text("")
    settings = [
        f"store.directory={tmp_path}",
        "source.0.name=here",
        f"source.0.port={port}",
        "source.1.name=away",
        "source.1.port=/dev/nothing",
    ]
    found = findings(*(word for setting in settings for word in ("--set", setting)))
    assert found["source here"] == ("good", f"{port} can be opened")
    assert found["source away"] == ("warning", "/dev/nothing is not there now")


def test_doctor_names_a_missing_interpreter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent() -> None:
        raise InterpreterError("no TFLite runtime; pip install 'ecg-edge[litert]'")

    monkeypatch.setattr(doctor, "find_runtime", absent)
    found = findings("--set", f"store.directory={tmp_path}", status=1)
    assert found["TFLite runtime"][0] == "bad"
    assert "pip install" in found["TFLite runtime"][1]


def test_doctor_says_how_to_make_a_store_writable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor.os, "access", lambda _path, _mode: False)
    found = findings("--set", f"store.directory={tmp_path / 'deep' / 'store'}", status=1)
    assert found["store"][0] == "bad"
    assert f"{tmp_path} is not writable for this user; sudo install -d" in found["store"][1]


def test_doctor_is_readable(tmp_path: Path) -> None:
    result = edge_runtime("doctor", "--set", f"store.directory={tmp_path}")
    assert "golden vectors (a)" in result.stdout


def test_run_without_a_source_says_what_to_add() -> None:
    result = edge_runtime("run")
    assert result.exit_code == 2
    assert "add [[source]] with name and port" in result.stderr


def test_run_with_a_store_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = (
        "--set",
        "source.0.name=a",
        "--set",
        "source.0.port=/dev/nothing",
        "--set",
        f"store.directory={tmp_path / 'file' / 'store'}",
    )
    result = edge_runtime("run", *settings)
    assert result.exit_code == 1
    assert "set store.directory" in result.stderr
