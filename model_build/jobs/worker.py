"""The process of one job.

    python -m model_build.jobs.worker FOLDER    (called by `model_build.jobs.runner`)

Standard output is progress, one JSON list `[note, share]` a line; standard error is the log. On
SIGTERM, or when who started it is gone, it stops at the next place where everything is saved. Exit
status: 0 done, 3 stopped.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Final

from model_build.errors import StoppedError
from model_build.jobs.job import Job
from model_build.stopping import stop_when

STOPPED: Final = 3
_TELL_EVERY_S: Final = 0.5


def work(folder: Path) -> int:
    """Run the job of `folder/job.json`; the exit status."""
    entries = json.loads((folder / "job.json").read_text())
    job = Job(entries["name"], folder, entries["task"], entries["arguments"])
    asked: list[int] = []
    parent = os.getppid()
    signal.signal(signal.SIGTERM, lambda number, _: asked.append(number))
    # Ctrl-C goes to the whole group; the runner passes it on as a wish to stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    began = time.monotonic()
    try:
        with stop_when(lambda: bool(asked) or os.getppid() != parent):
            job.call(_Teller())
    except StoppedError:
        job.add_spent(time.monotonic() - began)
        return STOPPED
    job.add_spent(time.monotonic() - began)
    job.finish()
    return 0


class _Teller:
    """Writes progress, not more often than anybody looks."""

    def __init__(self) -> None:
        self._next = 0.0

    def __call__(self, note: str, share: float) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _TELL_EVERY_S
            print(json.dumps([note, round(share, 4)]), flush=True)


if __name__ == "__main__":
    sys.exit(work(Path(sys.argv[1])))
