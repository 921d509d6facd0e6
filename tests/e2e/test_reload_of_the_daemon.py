"""Another configuration for the real daemon: by the command, and by SIGHUP."""

import signal
from pathlib import Path

from tests.e2e.processes import rows, running
from tests.edge_runtime.cli.running import edge_runtime
from tests.free_port import free_port
from tests.records_on_disk import write_record
from tests.synthetic import ecg, steady

RATE = 500


def test_limits_by_command_and_a_source_by_sighup(tmp_path: Path) -> None:
    record = write_record(tmp_path / "patient", ecg(steady(100, 0.6, 299), 300, RATE), RATE)
    store, file = tmp_path / "store", tmp_path / "config.toml"
    common = f"""
        [store]
        directory = "{store}"
        [web]
        enabled = true
        port = {free_port()}
        [[source]]
        name = "chest"
        port = "{tmp_path / "sensor"}"
        """
    stricter = "[rules.tachycardia]\nabove_bpm = 85\n"
    file.write_text(common)
    simulate = ("simulate", "--link", "sensor", "--record", record, "--scenario", "none", "--json")
    reload = ("reload", "--set", f"store.directory={store}")
    with running("firmware_bridge", *simulate, cwd=tmp_path) as sensor:
        sensor.wait_for("title")
        with running("edge_runtime", "run", "--json", "--config", file, cwd=tmp_path) as daemon:
            daemon.wait_for("beat_classified", 3)
            file.write_text(stricter + common)
            done = edge_runtime(*reload)
            assert (done.exit_code, done.stdout) == (
                0,
                "rules.tachycardia.above_bpm none -> 85 (at once)\n",
            )
            daemon.wait_for("rules_changed")
            file.write_text(stricter + common.replace("[store]", "[stoer]"))
            refused = edge_runtime(*reload)
            assert refused.exit_code == 1
            assert "stoer: unknown key; did you mean 'store'?" in refused.stderr
            file.write_text(stricter + common + 'subject = "p-17"\n')
            daemon.send(signal.SIGHUP)
            daemon.wait_for("source_opened", 2)
            daemon.send(signal.SIGTERM)
            assert daemon.finish(20) == 0
    assert "the configuration loaded before stays in force" in daemon.errors
    assert "source.chest.subject changed" in daemon.errors
    assert "p-17" not in daemon.errors
    assert rows(store, "SELECT end_reason FROM session ORDER BY id") == [
        ("the configuration changed",),
        ("stopped",),
    ]
