"""`sessions`, `review`, `wearer` and `audit`, where no daemon runs, and where one does."""

import json
from pathlib import Path

import pytest

from edge_runtime.alarms.desk import AlarmDesk
from edge_runtime.events import UserMarked
from edge_runtime.store.backups import remember_backup
from tests.edge_runtime.cli.running import edge_runtime, json_lines
from tests.edge_runtime.store.making import Recording, alarm, beat, noise


@pytest.fixture
def run(tmp_path: Path) -> Recording:
    made = Recording(tmp_path)
    made.samples(noise(1, 500))
    made.events(*beat(100), alarm(200), UserMarked(at=300, decided=300, text="dizzy"))
    return made


def at(run: Recording) -> tuple[str, str]:
    return ("--set", f"store.directory={run.directory}")


def acts(run: Recording) -> list[str]:
    return [one["act"] for one in json_lines(edge_runtime("audit", "--json", *at(run)).stdout)]


def test_sessions_are_listed_and_shown(run: Recording) -> None:
    name = run.session.id
    assert "running" in edge_runtime("sessions", "list", *at(run)).stdout
    run.store.close()
    (row,) = json.loads(edge_runtime("sessions", "list", "--json", *at(run)).stdout)["sessions"]
    assert (row["session"], row["wearer"], row["end_reason"]) == (name, "wearer 7", "stopped")
    shown = json.loads(edge_runtime("sessions", "show", name, "--json", *at(run)).stdout)
    assert (shown["beats"], shown["rules"]) == (1, {"asystole": 1})
    words = edge_runtime("sessions", "show", name, *at(run)).stdout
    assert "dizzy" in words
    assert "1 asystole" in words
    missing = edge_runtime("sessions", "show", "x", *at(run))
    assert (missing.exit_code, "no session 'x'" in missing.stderr) == (1, True)
    assert acts(run) == ["view", "view"]


def test_a_session_is_deleted_with_its_latched_alarm_and_backups_are_named(run: Recording) -> None:
    name = run.session.id
    state = run.directory / "alarms.json"
    desk = AlarmDesk(state_file=state)
    desk.see("chest", None, [run.session.publish(alarm(200))])
    desk.tick()
    run.store.close()
    assert name in state.read_text()
    remember_backup(run.directory, Path("/media/stick"), [name])
    done = edge_runtime("sessions", "delete", name, "--yes", *at(run))
    assert done.exit_code == 0, done.output
    assert "the backup in /media/stick still holds it" in done.stdout
    assert name not in state.read_text()
    assert edge_runtime("sessions", "list", *at(run)).stdout == ""
    assert acts(run) == ["delete"]


def test_nothing_is_deleted_without_a_yes(run: Recording) -> None:
    run.store.close()
    asked = edge_runtime("sessions", "delete", run.session.id, *at(run))
    assert asked.exit_code == 1
    assert run.session.id in edge_runtime("sessions", "list", *at(run)).stdout


def test_a_daemon_that_cannot_be_asked_is_named(run: Recording) -> None:
    for command in (
        ("sessions", "delete", run.session.id, "--yes"),
        ("review", run.session.id, "false", "--alarm", "1"),
    ):
        refused = edge_runtime(*command, *at(run))
        assert refused.exit_code == 1
        assert "web.enabled = true" in refused.stderr
    run.store.close()


def test_an_opinion_from_the_command_line(run: Recording) -> None:
    run.store.close()
    name = run.session.id
    done = edge_runtime("review", name, "false", "--alarm", "1", "--comment", "touched", *at(run))
    assert done.exit_code == 0, done.output
    edge_runtime("review", name, "reclassified", "--beat", "100", "--as", "V", *at(run))
    found = json.loads(edge_runtime("review", name, "--json", *at(run)).stdout)["reviews"]
    assert [(one["subject"], one["verdict"], one["label"]) for one in found] == [
        ("alarm", "false", None),
        ("beat", "reclassified", "V"),
    ]
    assert "touched" in edge_runtime("review", name, *at(run)).stdout
    for wrong in (("false",), ("false", "--alarm", "1", "--beat", "1"), ("false", "--as", "V")):
        assert edge_runtime("review", name, *wrong, *at(run)).exit_code == 2
    assert acts(run) == ["review", "review"]


def test_the_wearer_of_the_next_session_and_who_that_is(run: Recording) -> None:
    run.store.close()
    chest = ("--set", "source.0.name=chest", "--set", "source.0.port=/dev/x", *at(run))
    assert edge_runtime("wearer", "set", "chest", "P-2", *chest).exit_code == 0
    assert edge_runtime("wearer", "set", "wrist", "P-2", *chest).exit_code == 2
    named = edge_runtime("wearer", "identify", "P-2", "--name", "Ada L", *chest)
    assert named.exit_code == 0, named.output
    told = json.loads(edge_runtime("wearer", "list", "--json", *chest).stdout)
    assert told == {"sources": {"chest": "P-2"}, "identified": ["P-2"]}
    assert edge_runtime("wearer", "who", "P-2", *chest).stdout == "Ada L\n"
    assert edge_runtime("wearer", "forget", "P-2", *chest).exit_code == 0
    assert edge_runtime("wearer", "who", "P-2", *chest).exit_code == 1
    log = (run.directory / "audit.jsonl").read_text()
    assert acts(run)[:3] == ["wearer", "identify", "view identity"]
    assert "Ada" not in log
    assert "P-2" not in log


def test_an_export_is_written_down_and_a_changed_log_shows(run: Recording) -> None:
    run.store.close()
    output = run.directory / "out.csv"
    arguments = ("sessions", "export", run.session.id, output, "--format", "csv")
    assert edge_runtime(*arguments, *at(run)).exit_code == 0
    edge_runtime(*arguments, *at(run))
    assert "export session=" in edge_runtime("audit", *at(run)).stdout
    log = run.directory / "audit.jsonl"
    log.write_text(log.read_text().replace("csv", "pdf", 1))
    told = edge_runtime("audit", *at(run))
    assert (told.exit_code, "before line 2" in told.stderr) == (1, True)
