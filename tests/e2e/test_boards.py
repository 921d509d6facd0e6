"""From an emulated board on a port to the daemon's events: whole programs."""

import json
from pathlib import Path

from tests.e2e.processes import running

PATIENCE_S = 40


def test_the_daemon_monitors_a_board_of_another_maker(tmp_path: Path) -> None:
    port = tmp_path / "board"
    simulate = ("simulate", "--device", "cyton", "--link", str(port), "--scenario", "none")
    source = ("--set", f"source.0.port={port}", "--set", "source.0.driver=cyton")
    store = ("--set", f"store.directory={tmp_path / 'store'}")
    with running("firmware_bridge", *simulate, "--json", cwd=tmp_path) as board:
        board.wait_for("title", timeout_s=PATIENCE_S)
        with running("edge_runtime", "run", "--json", *source, *store, cwd=tmp_path) as daemon:
            daemon.wait_for("beat_classified", n=3, timeout_s=PATIENCE_S)
    events = [json.loads(line)["event"] for line in daemon.lines]
    (opened,) = [event for event in events if event["type"] == "source_opened"]
    assert opened["model"] == "OpenBCI Cyton"
    assert len(opened["leads"]) == 8
