"""Jobs: in order, once, until a deadline, and on from where they stood."""

import json
import subprocess
import sys
import time

import click
import pytest

from model_build.code_digest import closure, digest_of
from model_build.command_options import Duration
from model_build.errors import JobError, StoppedError
from model_build.jobs.job import Job
from model_build.jobs.runner import run_all
from model_build.stopping import check_stop, stop_when

TASKS = "tests.model_build.job_tasks"


class Notes:
    def __init__(self):
        self.lines = []

    def started(self, job):
        self.lines.append(f"{job.name} started")

    def told(self, job, note, share):
        self.lines.append(f"{job.name} {note} {share:.2f}")

    def ended(self, job, how):
        self.lines.append(f"{job.name} {how}")


def comes(path, within_s):
    """Whether the file is there before that is over."""
    deadline = time.monotonic() + within_s
    while not path.is_file() and time.monotonic() < deadline:
        time.sleep(0.05)
    return path.is_file()


def leave(root, name, *needs):
    arguments = {"word": name, "read": list(needs)}
    return Job(name, root / name, f"{TASKS}:leave", arguments, needs)


def test_jobs_wait_for_what_they_need_and_run_once(tmp_path):
    jobs = [leave(tmp_path, "b", "a"), leave(tmp_path, "a")]
    notes, ended = Notes(), []
    run_all(jobs, 0, None, notes, lambda job: ended.append(job.name))
    assert ended == ["a", "b"]
    assert notes.lines[:3] == ["a started", "a leaving 0.50", "a done"]
    assert json.loads((tmp_path / "b" / "done.json").read_text())["name"] == "b"
    run_all(jobs, 0, None, again := Notes())
    assert again.lines == []


def test_a_circle_is_refused(tmp_path):
    jobs = [leave(tmp_path, "a", "b"), leave(tmp_path, "b", "a")]
    with pytest.raises(JobError, match="circle"):
        run_all(jobs, 0, None, Notes())


def test_a_stopped_job_goes_on_from_where_it_stood(tmp_path):
    job = Job("count", tmp_path / "count", f"{TASKS}:three_epochs")
    notes = Notes()
    with stop_when((job.folder / "epochs").is_file), pytest.raises(StoppedError):
        run_all([job], 0, None, notes)
    assert notes.lines == ["count started", "count epoch 0.33", "count stopped"]
    assert not job.is_done
    run_all([job], 0, None, Notes())
    assert (job.folder / "epochs").read_text() == "xxx"
    assert job.is_done


def test_wishes_to_stop_are_nested():
    with stop_when(lambda: True), stop_when(lambda: False), pytest.raises(StoppedError):
        check_stop()
    check_stop()


def test_processes_report_leave_logs_and_fail_apart(tmp_path):
    failing = Job("bad", tmp_path / "bad", f"{TASKS}:fail")
    jobs = [failing, leave(tmp_path, "good"), leave(tmp_path, "after", "bad")]
    notes = Notes()
    with pytest.raises(JobError, match=r"bad: .*log\.txt"):
        run_all(jobs, 2, None, notes)
    assert "on purpose" in failing.log.read_text()
    assert {"good leaving 0.50", "good done", "bad failed"} <= set(notes.lines)
    assert "after started" not in notes.lines


def test_a_deadline_stops_a_process_and_the_next_call_ends_it(tmp_path):
    job = Job("long", tmp_path / "long", f"{TASKS}:endless_at_first")
    notes = Notes()
    with pytest.raises(StoppedError, match="1 of 1 jobs"):
        run_all([job], 1, time.monotonic() - 1.0, notes)
    assert notes.lines == []
    with pytest.raises(StoppedError):
        run_all([job], 1, time.monotonic() + 1.0, notes)
    assert notes.lines == ["long started", "long stopped"]
    run_all([job], 1, None, Notes())
    assert job.is_done


def test_a_process_stops_by_itself_when_who_started_it_was_killed(tmp_path):
    job = Job("endless", tmp_path / "endless", f"{TASKS}:endless_at_first")
    starter = f"""
from pathlib import Path
from model_build.jobs.job import Job
from model_build.jobs.runner import run_all
from tests.model_build.test_jobs import Notes
run_all([Job("endless", Path({str(job.folder)!r}), {job.task!r})], 1, None, Notes())
"""
    with subprocess.Popen([sys.executable, "-c", starter]) as killed:
        assert comes(job.folder / "begun", 60)
        killed.kill()
    assert comes(job.folder / "spent.json", 30)
    assert not job.is_done


def test_the_digest_of_code_follows_imports_and_overlooks_words(tmp_path, monkeypatch):
    names = closure(["model_build.training.loop"])
    assert "model_build.training.segments" in names
    assert "edge_runtime.engine" not in names
    package = tmp_path / "model_build"
    package.mkdir()
    (package / "one.py").write_text('"""Words."""\nfrom model_build.two import x\n')
    (package / "two.py").write_text("x = 1  # a number\n")
    monkeypatch.setattr("model_build.code_digest._ROOT", tmp_path)

    def fresh():
        from model_build import code_digest

        for cached in (code_digest._tree, code_digest._imports, code_digest._meaning):
            cached.cache_clear()
        return digest_of(["model_build.one"])

    before = fresh()
    (package / "one.py").write_text('"""Other words."""\n\nfrom model_build.two import x\n')
    (package / "two.py").write_text("x = 1\n")
    assert fresh() == before
    (package / "two.py").write_text("x = 2\n")
    assert fresh() != before
    monkeypatch.undo()
    fresh_again = closure(["model_build.training.loop"])
    assert fresh_again == names


@pytest.mark.parametrize(("text", "seconds"), [("2.5h", 9000.0), ("40m", 2400.0), ("90s", 90.0)])
def test_spans_are_read(text, seconds):
    assert Duration().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "2", "h", "-1m", "nanh", "infs"])
def test_other_spans_are_refused(text):
    with pytest.raises(click.BadParameter):
        Duration().convert(text, None, None)
