"""A running daemon takes a new release, tries it on what its sensor sends, and keeps it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner

pytest.importorskip("tuf", reason="the extra `update` is not installed")

from edge_runtime.cli import main
from edge_runtime.inference.bundle import load_bundle_set
from edge_runtime.update.shelf import Shelf
from tests.e2e.processes import ROOT, rows, running
from tests.edge_runtime.update.publisher import Publisher
from tests.free_port import free_port
from tests.records_on_disk import write_record
from tests.synthetic import ecg, steady

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
RATE = 500
KILLS = 20


@pytest.fixture
def publisher(tmp_path: Path) -> Publisher:
    made = Publisher(tmp_path / "publisher")
    made.publish("9.3.0")
    return made


@pytest.fixture
def settings(publisher: Publisher, tmp_path: Path) -> list[str]:
    root = tmp_path / "root.json"
    root.write_bytes(publisher.first_root)
    told = {
        "store.directory": tmp_path / "store",
        "update.repository": publisher.url,
        "update.root": root,
        "update.trial_minutes": 1,
    }
    return [word for key, value in told.items() for word in ("--set", f"{key}={value}")]


def until(told: str, settings: Sequence[str], within_s: float) -> dict[str, Any]:
    """The daemon's status, once its models are as `told`."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        asked = CliRunner().invoke(main, ["status", "--json", *settings])
        if asked.exit_code == 0:
            status: dict[str, Any] = json.loads(asked.stdout)
            models = status["models"]
            trial = "on trial" if models["on_trial"] else "confirmed"
            if f"{models['version']} {trial}" == told:
                return status
        time.sleep(0.5)
    raise AssertionError(f"not {told} within {within_s:.0f} s: {asked.output}")


def test_a_release_is_taken_tried_and_confirmed(settings: list[str], tmp_path: Path) -> None:
    record = write_record(tmp_path / "patient", ecg(steady(72, 0.6, 599), 600, RATE), RATE)
    link, store = tmp_path / "sensor", tmp_path / "store"
    sensor = ["simulate", "--link", link, "--record", record, "--json"]
    own = ["--set", "source.0.name=chest", "--set", f"source.0.port={link}"]
    own += ["--set", "web.enabled=true", "--set", f"web.port={free_port()}", *settings]
    with running("firmware_bridge", *sensor, cwd=tmp_path) as simulated:
        simulated.wait_for("link")
        with running("edge_runtime", "run", "--json", *own, cwd=tmp_path) as daemon:
            daemon.wait_for("beat_classified", n=5)
            updated = CliRunner().invoke(main, ["update", *settings])
            assert updated.exit_code == 0, updated.output
            until("9.3.0 on trial", settings, 180)
            status = until("9.3.0 confirmed", settings, 400)
            assert status["models"]["origin"] == "signed"
            daemon.send(signal.SIGTERM)
            assert daemon.finish() == 0
        simulated.send(signal.SIGTERM)
        simulated.finish()
    query = "SELECT bundle_set, started_utc_ns, ended_utc_ns, end_reason FROM session ORDER BY id"
    first, second = rows(store, query)
    assert first[0] == load_bundle_set().fingerprint != second[0]
    assert "instead of shipped" in first[3]
    gap_s = (second[1] - first[2]) / 1e9
    print(f"\nbetween the sessions: {gap_s:.2f} s")
    assert gap_s < 10
    assert Shelf(store).state().trial is None


def killed_updates(settings: list[str], folder: Path) -> Iterator[tuple[str, bool]]:
    """Updates killed at random moments: the version that a daemon then runs, and was it killed."""
    chance, usual_s = Random(7), None
    command = [sys.executable, "-m", "edge_runtime", "update", *settings]
    for number in range(KILLS + 1):
        began_s = time.monotonic()
        with subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as update:
            try:
                update.wait(None if usual_s is None else chance.uniform(0.3, 1.3) * usual_s)
            except subprocess.TimeoutExpired:
                update.kill()
        if usual_s is None:
            usual_s = time.monotonic() - began_s
            assert update.returncode == 0
        else:
            shelf = Shelf(folder / "store")
            set_id, bundles = shelf.begin()
            assert shelf.state().current == set_id
            yield bundles.version, update.returncode == -signal.SIGKILL
        if number % 2 or Shelf(folder / "store").state().sets:
            # Otherwise the next one goes on where this one was.
            shutil.rmtree(folder / "store", ignore_errors=True)


def test_updates_killed_at_random_moments(settings: list[str], tmp_path: Path) -> None:
    found = list(killed_updates(settings, tmp_path))
    assert {version for version, _ in found} <= {load_bundle_set().version, "9.3.0"}
    killed = [version for version, cut in found if cut]
    assert len(killed) >= KILLS // 4
    old = sum(version != "9.3.0" for version in killed)
    print(f"\n{len(killed)} of {len(found)} killed: {old} old set, {len(killed) - old} new set")
