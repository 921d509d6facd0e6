"""The programs as processes of their own."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PYTHON_OPTIONS = ("-W", "error::ResourceWarning")


class Program:
    """`python -m MODULE ARGUMENTS`, its standard output read line by line."""

    def __init__(self, module: str, *arguments: str | Path, cwd: Path) -> None:
        self.lines: list[str] = []
        self._changed = threading.Condition()
        environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, *PYTHON_OPTIONS, "-m", module, *map(str, arguments)],
            cwd=cwd,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.errors = ""
        self._readers = [
            threading.Thread(target=self._read_output),
            threading.Thread(target=self._read_errors),
        ]
        for reader in self._readers:
            reader.start()

    def wait_for(self, word: str, n: int = 1, timeout_s: float = 60) -> None:
        """Until `n` lines of standard output hold `word`."""
        with self._changed:
            come = self._changed.wait_for(
                lambda: (
                    sum(word in line for line in self.lines) >= n or self.process.poll() is not None
                ),
                timeout_s,
            )
        assert come, f"no {word!r} within {timeout_s} s: {self.lines[-3:]} {self.errors}"
        assert sum(word in line for line in self.lines) >= n, self.errors

    def wait_until(self, holds: Callable[[], bool], timeout_s: float = 60) -> None:
        """Until something outside the program has become so, while it runs."""
        until = time.monotonic() + timeout_s
        while not holds():
            assert time.monotonic() < until, f"not within {timeout_s} s: {self.errors}"
            assert self.process.poll() is None, self.errors
            with self._changed:
                self._changed.wait(0.05)

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def finish(self, timeout_s: float = 60) -> int:
        """The exit status, once it has ended."""
        status = self.process.wait(timeout_s)
        for reader in self._readers:
            reader.join(timeout_s)
        return status

    def events(self) -> list[dict[str, Any]]:
        """Published events out of JSON lines."""
        decoded = [json.loads(line) for line in self.lines]
        return [line for line in decoded if "event" in line]

    def _read_output(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            for line in stream:
                with self._changed:
                    self.lines.append(line)
                    self._changed.notify_all()

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as stream:
            self.errors = stream.read()
        with self._changed:
            self._changed.notify_all()


@contextmanager
def running(module: str, *arguments: str | Path, cwd: Path) -> Iterator[Program]:
    """A program that is killed at the end if it still runs."""
    program = Program(module, *arguments, cwd=cwd)
    try:
        yield program
    finally:
        if program.process.poll() is None:
            program.process.kill()
        program.finish()


def rows(store: Path, query: str) -> list[tuple[Any, ...]]:
    """What the store's database answers."""
    connection = sqlite3.connect(store / "events.sqlite3")
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def raw_record(store: Path, session: str) -> str:
    """The path of a session's raw ECG, as WFDB names records."""
    return str(store / "raw" / session / "ecg")
