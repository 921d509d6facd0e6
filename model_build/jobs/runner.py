"""Runs a graph of jobs: a few processes at a time, one thread each, until a deadline.

A deadline, or more than `TURN_S` at a stretch, asks a job to stop where everything is saved. A job
whose turn is over goes to the end of the queue and goes on from there; after a deadline nothing
starts any more, and the same call later finds what is done.
"""

import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, Final, Protocol

from model_build.errors import JobError, StoppedError
from model_build.jobs.job import Job
from model_build.jobs.worker import STOPPED
from model_build.stopping import check_stop, stop_when

TURN_S: Final = 45 * 60.0
"""Jobs are cut so that none needs longer."""
_LOOK_EVERY_S: Final = 0.5
_SETTINGS: Final = {"OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONUNBUFFERED": "1"}


class Watch(Protocol):
    """Somebody who is shown what happens."""

    def started(self, job: Job) -> None:
        """A process works on it from now on."""

    def told(self, job: Job, note: str, share: float) -> None:
        """What it says of its progress."""

    def ended(self, job: Job, how: str) -> None:
        """`how`: "done", "stopped" or "failed"."""


@dataclass(slots=True)
class _Turn:
    job: Job
    process: subprocess.Popen[bytes]
    log: IO[bytes]
    began: float
    asked: bool = False
    text: bytes = b""

    def ask_to_stop(self) -> None:
        if not self.asked:
            self.asked = True
            self.process.terminate()


@dataclass(slots=True)
class _State:
    waiting: list[Job]
    running: list[_Turn] = field(default_factory=list)
    failed: list[Job] = field(default_factory=list)


def run_all(
    jobs: Sequence[Job],
    at_most: int,
    deadline: float | None,
    watch: Watch,
    done: Callable[[Job], None] = lambda _: None,
) -> None:
    """Run what is not done: `at_most` processes at a time, or for 0 all in this process.

    `deadline` is a time of `time.monotonic`; `done` hears of each job that ends. Raises
    `StoppedError` where the deadline left something undone, and what failed in this process as it
    is; for processes `JobError` at the end (what needs a failed job was not tried).
    """
    if at_most == 0:
        _run_here(jobs, deadline, watch, done)
    else:
        _run_processes(jobs, at_most, deadline, watch, done)


def _run_here(
    jobs: Sequence[Job], deadline: float | None, watch: Watch, done: Callable[[Job], None]
) -> None:
    with stop_when(lambda: deadline is not None and time.monotonic() > deadline):
        for job in _in_order(jobs):
            check_stop()
            job.folder.mkdir(parents=True, exist_ok=True)
            watch.started(job)
            began = time.monotonic()
            how = "failed"
            try:
                job.call(lambda note, share, job=job: watch.told(job, note, share))  # type: ignore[misc]
                how = "done"
            except StoppedError:
                how = "stopped"
                raise
            finally:
                job.add_spent(time.monotonic() - began)
                watch.ended(job, how)
            job.finish()
            done(job)


def _in_order(jobs: Sequence[Job]) -> list[Job]:
    """Jobs that are not done, each after what it needs. Raises `JobError` on a circle."""
    names = {job.name: job for job in jobs}
    order: list[Job] = []
    while len(order) < len(jobs):
        placed = {job.name for job in order}
        ready = [
            job
            for job in jobs
            if job.name not in placed and all(n in placed or n not in names for n in job.needs)
        ]
        if not ready:
            raise JobError("jobs need one another in a circle")
        order += ready
    return [job for job in order if not job.is_done]


def _run_processes(
    jobs: Sequence[Job],
    at_most: int,
    deadline: float | None,
    watch: Watch,
    done: Callable[[Job], None],
) -> None:
    state = _State(_in_order(jobs))
    selector = selectors.DefaultSelector()
    try:
        while state.running or _startable(state, jobs, deadline):
            while len(state.running) < at_most and (ready := _startable(state, jobs, deadline)):
                state.waiting.remove(ready)
                state.running.append(_start(ready, selector))
                watch.started(ready)
            _hear(selector, watch)
            for turn in list(state.running):
                late = deadline is not None and time.monotonic() > deadline
                if late or time.monotonic() - turn.began > TURN_S:
                    turn.ask_to_stop()
                if turn.process.poll() is not None:
                    state.running.remove(turn)
                    _settle(turn, state, selector, watch, done)
    finally:
        for turn in state.running:
            turn.ask_to_stop()
        for turn in state.running:
            turn.process.wait()
            turn.log.close()
        selector.close()
    if state.failed:
        logs = "; ".join(f"{job.name}: {job.log}" for job in state.failed)
        raise JobError(
            f"{len(state.failed)} of {len(jobs)} jobs failed, their logs say why: {logs}"
        )
    if state.waiting:
        raise StoppedError(
            f"time is up with {len(state.waiting)} of {len(jobs)} jobs to do; what is done is "
            "saved, the same command goes on from there"
        )


def _startable(state: _State, jobs: Sequence[Job], deadline: float | None) -> Job | None:
    if deadline is not None and time.monotonic() > deadline:
        return None
    open_names = {job.name for job in jobs if not job.is_done}
    return next((job for job in state.waiting if not open_names & set(job.needs)), None)


def _start(job: Job, selector: selectors.BaseSelector) -> _Turn:
    job.folder.mkdir(parents=True, exist_ok=True)
    (job.folder / "job.json").write_text(json.dumps(job.as_json()))
    log = job.log.open("ab")
    process = subprocess.Popen(
        [sys.executable, "-m", "model_build.jobs.worker", str(job.folder)],
        stdout=subprocess.PIPE,
        stderr=log,
        env={**os.environ, **_SETTINGS},
    )
    assert process.stdout is not None
    turn = _Turn(job, process, log, time.monotonic())
    selector.register(process.stdout, selectors.EVENT_READ, turn)
    return turn


def _hear(selector: selectors.BaseSelector, watch: Watch) -> None:
    """Wait a moment for somebody to say something or to end."""
    for key, _ in selector.select(_LOOK_EVERY_S):
        turn: _Turn = key.data
        pipe: Any = key.fileobj
        heard = os.read(pipe.fileno(), 1 << 16)
        if not heard:
            selector.unregister(pipe)
            turn.process.wait()
            continue
        *lines, turn.text = (turn.text + heard).split(b"\n")
        for line in lines:
            # Libraries print there too.
            if line.startswith(b"["):
                note, share = json.loads(line)
                watch.told(turn.job, note, share)


def _settle(
    turn: _Turn,
    state: _State,
    selector: selectors.BaseSelector,
    watch: Watch,
    done: Callable[[Job], None],
) -> None:
    turn.log.close()
    pipe = turn.process.stdout
    assert pipe is not None
    if pipe in {key.fileobj for key in selector.get_map().values()}:
        selector.unregister(pipe)
    pipe.close()
    match turn.process.returncode:
        case 0:
            watch.ended(turn.job, "done")
            done(turn.job)
        case code if code == STOPPED:
            watch.ended(turn.job, "stopped")
            state.waiting.append(turn.job)
        case _:
            watch.ended(turn.job, "failed")
            state.failed.append(turn.job)
