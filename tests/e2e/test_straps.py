"""From an emulated strap to the daemon's events, through unmodified bleak: whole programs."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from firmware_bridge.errors import UsageError
from firmware_bridge.simulator.ble.private_bus import ENVIRONMENT, private_bus
from firmware_bridge.simulator.recording import demo_recording
from tests.e2e.processes import Program, raw_record, rows, running
from tests.firmware_bridge.simulator.on_the_air import heart, needs_dbus
from tests.free_port import free_port
from tests.records_on_disk import write_record

pytestmark = needs_dbus

ADDRESS = "C4:A1:B2:C3:D4:E5"
PATIENCE_S = 40


@pytest.fixture(autouse=True)
def _bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with private_bus() as address:
        monkeypatch.setenv(ENVIRONMENT, address)
        yield


@pytest.fixture
def record(tmp_path: Path) -> Path:
    recording = heart()
    return write_record(tmp_path / "heart", recording.millivolts, recording.rate_hz)


@contextmanager
def emulated(device: str, record: Path, *options: str) -> Iterator[Program]:
    """A strap on the bus of the test, advertising."""
    arguments = ["simulate", "--device", device, "--bus", os.environ[ENVIRONMENT], "--json"]
    playing = ["--record", str(record), "--scenario", "none"]
    with running("firmware_bridge", *arguments, *playing, *options, cwd=record.parent) as strap:
        strap.wait_for("addresses", timeout_s=PATIENCE_S)
        yield strap


def ask(module: str, *arguments: str | Path, cwd: Path) -> tuple[int, list[str], str]:
    """Exit status, standard output and standard error of a command."""
    with running(module, *arguments, cwd=cwd) as program:
        status = program.finish(PATIENCE_S)
    return status, program.lines, program.errors


def of(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event["event"] for event in events if event["event"]["type"] == kind]


def test_pairing_is_all_the_configuration_that_a_run_needs(tmp_path: Path, record: Path) -> None:
    store = ("--set", f"store.directory={tmp_path / 'store'}")
    # The second time is for a machine that is too busy to have connected before the first.
    away = ("--unplug", "9:3", "--unplug", "35:3")
    with emulated("h10", record, *away) as strap:
        pair = ("pair", "--for", "1", "--json")
        status, lines, errors = ask("edge_runtime", *pair, *store, cwd=tmp_path)
        assert status == 0, errors
        paired = json.loads(lines[0])
        assert (paired["address"], paired["serial"]) == (ADDRESS, "A1B2C3D4")
        assert paired["family"] == "polar"
        _, lines, _ = ask("edge_runtime", "devices", *store, cwd=tmp_path)
        assert lines == ["strap  C4:A1:B2:C3:D4:E5  H10  A1B2C3D4\n"]

        with running("edge_runtime", "run", "--json", *store, cwd=tmp_path) as daemon:
            daemon.wait_for("gap_recorded", timeout_s=PATIENCE_S)
            # While the daemon has the strap nobody else may take it away.
            status, _, errors = ask("firmware_bridge", "info", ADDRESS, cwd=tmp_path)
            assert status == 1
            assert "is held by `edge-runtime run` (process" in errors
            daemon.wait_for("beat_classified", n=4, timeout_s=PATIENCE_S)
            daemon.send(signal.SIGTERM)
            assert daemon.finish(PATIENCE_S) == 0, daemon.errors
        strap.send(signal.SIGTERM)
        assert strap.finish(PATIENCE_S) == 0, strap.errors

    events = daemon.events()
    assert of(events, "source_opened")[0]["model"] == "H10"
    assert [change["up"] for change in of(events, "link_state_changed")][:2] == [False, True]
    gap = of(events, "gap_recorded")[0]
    assert gap["n_missing"] / 130 == pytest.approx(4, abs=2)
    assert of(events, "beat_detected")
    assert of(events, "device_reported")[0]["battery_percent"] == 87
    # Received is delivered plus marked gap, on the disk as well.
    ((session, end),) = rows(tmp_path / "store", "SELECT name, end_reason FROM session")
    assert end == "stopped"
    header = Path(raw_record(tmp_path / "store", session) + ".hea").read_text().split()
    assert int(header[3]) > gap["at"] + gap["n_missing"]


def test_a_killed_and_restarted_bluetoothd_costs_a_gap_and_no_session(
    tmp_path: Path, record: Path
) -> None:
    source = ("port=" + ADDRESS, "driver=ble", "name=chest")
    settings = [word for text in source for word in ("--set", f"source.0.{text}")]
    store = ("--set", f"store.directory={tmp_path / 'store'}")
    with (
        emulated("h10", record) as strap,
        running("edge_runtime", "run", "--json", *settings, *store, cwd=tmp_path) as daemon,
    ):
        daemon.wait_for("beat_detected", n=3, timeout_s=PATIENCE_S)
        strap.send(signal.SIGKILL)
        daemon.wait_for("link_state_changed", timeout_s=PATIENCE_S)
        with emulated("h10", record):
            daemon.wait_for("link_state_changed", n=2, timeout_s=PATIENCE_S)
            daemon.wait_for("gap_recorded", timeout_s=PATIENCE_S)
            daemon.send(signal.SIGTERM)
            assert daemon.finish(PATIENCE_S) == 0, daemon.errors
    events = daemon.events()
    assert len({event["session"] for event in events}) == 1
    assert not of(events, "gap_recorded")[0]["exact"]


@pytest.mark.slow
def test_while_the_daemon_runs_its_radio_does_what_commands_ask(
    tmp_path: Path, record: Path
) -> None:
    store, other = tmp_path / "store", "C4:A1:B2:C3:D4:F5"
    settings = ("--set", f"store.directory={store}", "--set", "web.enabled=true")
    settings += ("--set", f"web.port={free_port()}")
    here = ("--daemon", store)
    with emulated("h10", record, "--count", "2"):
        status, _, errors = ask("edge_runtime", "pair", ADDRESS, *settings, cwd=tmp_path)
        assert status == 0, errors
        with running("edge_runtime", "run", "--json", *settings, cwd=tmp_path) as daemon:
            daemon.wait_for("beat_detected", timeout_s=PATIENCE_S)
            _, lines, errors = ask("firmware_bridge", "scan", *here, cwd=tmp_path)
            assert [line[:17] for line in lines] == [other]
            assert f"{ADDRESS} is read by the daemon as strap" in errors
            _, lines, errors = ask(
                "firmware_bridge", "info", ADDRESS, "--json", *here, cwd=tmp_path
            )
            assert json.loads(lines[0])["battery_percent"] == 87, errors
            copy = ("capture", ADDRESS, tmp_path / "copy", "--for", "3", "--json")
            _, lines, errors = ask("firmware_bridge", *copy, *here, cwd=tmp_path)
            assert json.loads(lines[0])["n_samples"] == 390, errors

            pair = ("pair", other, "--name", "second", "--json")
            status, lines, errors = ask("edge_runtime", *pair, *settings, cwd=tmp_path)
            assert status == 0, errors
            assert json.loads(lines[0])["serial"] == "A1B2C3D4-2"
            daemon.wait_for('"source":"second"', n=3, timeout_s=PATIENCE_S)
            forget = ("devices", "--forget", "second")
            assert ask("edge_runtime", *forget, *settings, cwd=tmp_path)[0] == 0
            _, lines, errors = ask("firmware_bridge", "scan", *here, cwd=tmp_path)
            assert [line[:17] for line in lines] == [other], errors
            daemon.send(signal.SIGTERM)
            assert daemon.finish(PATIENCE_S) == 0, daemon.errors


@pytest.mark.slow
def test_a_strap_without_ecg_is_monitored_by_its_intervals(tmp_path: Path, record: Path) -> None:
    with emulated("strap", record):
        _, lines, _ = ask("firmware_bridge", "scan", "--for", "1", cwd=tmp_path)
        assert lines[0].startswith("C4:A1:B2:C3:D4:E7")
        known = ("--file", tmp_path / "known.toml")
        status, _, errors = ask(
            "firmware_bridge", "pair", "C4:A1:B2:C3:D4:E7", *known, cwd=tmp_path
        )
        assert status == 0, errors
        _, lines, _ = ask("firmware_bridge", "list", "--json", *known, cwd=tmp_path)
        assert json.loads(lines[0])[0]["family"] == "heart-rate"
        settings = ["--set", "source.0.port=C4:A1:B2:C3:D4:E7", "--set", "source.0.driver=ble"]
        store = ("--set", f"store.directory={tmp_path / 'store'}")
        with running("edge_runtime", "run", "--json", *settings, *store, cwd=tmp_path) as daemon:
            daemon.wait_for("beat_detected", n=5, timeout_s=PATIENCE_S)
            daemon.send(signal.SIGTERM)
            assert daemon.finish(PATIENCE_S) == 0, daemon.errors
    beats = of(daemon.events(), "beat_detected")
    assert beats[-1]["heart_rate_bpm"] == pytest.approx(75, abs=2)


@pytest.mark.parametrize(
    ("device", "model"),
    [("h10", "H10"), pytest.param("ble-sensor", "simulated sensor", marks=pytest.mark.slow)],
)
def test_the_demonstration_runs_over_bluetooth(device: str, model: str, tmp_path: Path) -> None:
    try:
        demo_recording()
    except UsageError as missing:
        pytest.skip(str(missing))
    arguments = ("demo", "--device", device, "--json", "--store", "store")
    with running("edge_runtime", *arguments, cwd=tmp_path) as demo:
        demo.wait_for("beat_detected", timeout_s=PATIENCE_S)
        demo.send(signal.SIGTERM)
        assert demo.finish(PATIENCE_S) == 0, demo.errors
    assert of(demo.events(), "source_opened")[0]["model"] == model
