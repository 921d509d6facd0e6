"""Wearers and deletions while the whole daemon runs: asked over its command socket."""

import json
from pathlib import Path

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


@pytest.mark.usefixtures("_demo")
def test_another_wearer_and_the_end_of_the_first_one_s_session(tmp_path: Path) -> None:
    store = tmp_path / "store"
    at_store = ("--set", f"store.directory={store}")
    chest = ("--set", "source.0.name=demo", "--set", "source.0.port=/dev/x", *at_store)
    arguments = ("demo", "--page", str(free_port()), "--json", "--store", store)
    with running("edge_runtime", *arguments, cwd=tmp_path) as demo:
        demo.wait_for("beat_classified", n=3)
        changed = CliRunner().invoke(main, ["wearer", "set", "demo", "P-2", *chest])
        assert changed.exit_code == 0, changed.output
        demo.wait_for("source_opened", n=2)
        heard = sum("beat_classified" in line for line in demo.lines)
        demo.wait_for("beat_classified", n=heard + 1)  # by then the session's row is on disk
        first, second = rows(store, "SELECT name, end_reason FROM session ORDER BY id")
        assert (first[1], second[1]) == ("another wearer", None)
        refused = CliRunner().invoke(main, ["sessions", "delete", second[0], "--yes", *at_store])
        assert (refused.exit_code, "still running" in refused.stderr) == (1, True)
        gone = CliRunner().invoke(
            main, ["sessions", "delete", first[0], "--yes", "--json", *at_store]
        )
        assert gone.exit_code == 0, gone.output
        assert json.loads(gone.stdout) == {"session": first[0], "backups": []}
        assert not (store / "raw" / first[0]).exists()
        demo.wait_for("beat_classified", n=heard + 3)
    query = "SELECT session.name, label FROM session JOIN subject ON subject.id = subject"
    assert rows(store, query) == [(second[0], "P-2")]
    assert store.stat().st_mode & 0o777 == 0o700
