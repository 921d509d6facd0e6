"""Progress of jobs: bars on a terminal, and a line on the log for each beginning and end."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import Progress, TaskID

from model_build.command_options import progress
from model_build.jobs.job import Job

_log = logging.getLogger(__name__)
_STEPS = 1000


class Display:
    """A bar for all jobs, and one for each that runs."""

    def __init__(self, shown: Progress, title: str, total: int, done: int) -> None:
        self._shown = shown
        self._whole = shown.add_task(title, total=total, completed=done, note="")
        self._bars: dict[str, TaskID] = {}

    def started(self, job: Job) -> None:
        """A process works on it from now on."""
        _log.info("%s began", job.name)
        self._bars[job.name] = self._shown.add_task(job.name, total=_STEPS, note="")

    def told(self, job: Job, note: str, share: float) -> None:
        """What it says of its progress."""
        self._shown.update(self._bars[job.name], completed=round(share * _STEPS), note=note)

    def ended(self, job: Job, how: str) -> None:
        """Its bar goes; the whole grows if it is done."""
        _log.info("%s %s after %.0f s in all", job.name, how, job.spent_s())
        self._shown.remove_task(self._bars.pop(job.name))
        if how == "done":
            self._shown.advance(self._whole)


@contextmanager
def display(title: str, total: int, done: int) -> Iterator[Display]:
    """Bars on standard error while inside."""
    with progress() as shown:
        yield Display(shown, title, total, done)
