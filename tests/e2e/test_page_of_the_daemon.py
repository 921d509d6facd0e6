"""The whole daemon with its page: real processes, a simulated sensor, HTTP, the command socket."""

import json
import signal
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from edge_runtime.cli import main
from firmware_bridge.errors import UsageError
from firmware_bridge.simulator.recording import demo_recording
from tests.e2e.processes import rows, running
from tests.free_port import free_port


@pytest.fixture(scope="session")
def _demo() -> None:
    try:
        demo_recording()
    except UsageError as missing:
        pytest.skip(str(missing))


def live_frames(port: int, n: int) -> list[dict[str, Any]]:
    frames = []
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/live", timeout=20) as live:
        while len(frames) < n:
            line = live.readline()
            if line.startswith(b"data: "):
                frames.append(json.loads(line.removeprefix(b"data: ")))
    return frames


@pytest.mark.usefixtures("_demo")
def test_a_page_a_mark_and_a_clean_end_with_a_reader_still_there(tmp_path: Path) -> None:
    port, store = free_port(), tmp_path / "store"
    arguments = ("demo", "--page", str(port), "--json", "--store", store)
    at_store = ["--set", f"store.directory={store}"]
    with running("edge_runtime", *arguments, cwd=tmp_path) as demo:
        demo.wait_for("beat_classified", n=3)
        frames = live_frames(port, 15)
        assert frames[0]["alarms"] == []
        ends = [f["sources"][0]["samples"]["first"] for f in frames if f["sources"][0]["samples"]]
        assert ends == sorted(ends)
        assert len(ends) > 5

        marked = CliRunner().invoke(main, ["mark", "demo", "dizzy", *at_store])
        assert marked.exit_code == 0, marked.output
        demo.wait_for("user_marked")
        asked = CliRunner().invoke(main, ["status", "--json", *at_store])
        (source,) = json.loads(asked.stdout)["sources"]
        assert (source["source"], source["availability"]) == ("demo", "online")

        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/live", timeout=20) as live:
            live.readline()
            demo.send(signal.SIGINT)
            assert demo.finish() == 0
    assert demo.errors == ""
    assert rows(store, "SELECT payload FROM event WHERE type = 'user_marked'")[0][0]

    gone = CliRunner().invoke(main, ["status", *at_store])
    assert gone.exit_code == 1
    assert "no daemon answers" in gone.output
