"""A daemon that dies at every start: it ends up recording, says so, and finds its way back."""

import signal
from pathlib import Path

import numpy as np

from tests.e2e.processes import Program, raw_record, rows, running
from tests.firmware_bridge.records.wfdb_witness import ask_wfdb
from tests.records_on_disk import write_record
from tests.synthetic import ecg, steady

RATE = 500


def test_a_crash_loop_ends_in_a_recording(tmp_path: Path) -> None:
    record = write_record(tmp_path / "patient", ecg(steady(72, 0.6, 299), 300, RATE), RATE)
    store, file = tmp_path / "store", tmp_path / "config.toml"
    good = f"""
        [store]
        directory = "{store}"
        durability_s = 0.5
        [safe_mode]
        crashes = 2
        [[source]]
        name = "chest"
        port = "{tmp_path / "sensor"}"
        """
    file.write_text(good + f'[bundles]\ndirectory = "{tmp_path / "damaged"}"\n')
    simulate = ("simulate", "--link", "sensor", "--record", record, "--scenario", "none", "--json")
    run = ("run", "--json", "--unsigned", "--config", file)
    with running("firmware_bridge", *simulate, cwd=tmp_path) as sensor:
        sensor.wait_for("title")
        for _ in range(2):
            with running("edge_runtime", *run, cwd=tmp_path) as daemon:
                assert daemon.finish(30) == 3  # the bundle set is of no use
        with running("edge_runtime", *run, cwd=tmp_path) as daemon:
            daemon.wait_for("recording only")
            _let_it_record(daemon, store)
            file.write_text(good)  # somebody has mended it
            daemon.send(signal.SIGHUP)
            daemon.wait_for("beat_classified", 2)
            daemon.send(signal.SIGTERM)
            assert daemon.finish(20) == 0
    assert "SAFE MODE, NOT MONITORING: the daemon ended 2 times" in daemon.errors
    sessions = rows(store, "SELECT name, bundle_set != '', end_reason FROM session ORDER BY id")
    assert [row[1:] for row in sessions] == [(0, "stopped"), (1, "stopped")]
    read = ask_wfdb("rdrecord", raw_record(store, sessions[0][0]))
    assert read.fs == RATE
    assert np.nanmax(read.p_signal) > 0.5
    assert rows(store, "SELECT count(*) FROM beat WHERE session = 1") == [(0,)]


def _let_it_record(daemon: Program, store: Path) -> None:
    """Until the signal is on disk."""
    (session,) = {event["session"] for event in daemon.events()}
    folder = store / "raw" / session
    daemon.wait_until(lambda: any(file.stat().st_size > 2000 for file in folder.glob("*.dat")))
