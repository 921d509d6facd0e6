"""The scripted daemon as a test drives it."""

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from time import monotonic, sleep

from tests.free_port import free_port

_ROOT = Path(__file__).parents[2]
_UP_WITHIN_S = 60.0


class ScriptedDaemon:
    """`tests.browser.scripted` on one port, which outlives a restart."""

    def __init__(self) -> None:
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}/"
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.browser.scripted", str(self._port)],
            cwd=_ROOT,
            env=os.environ | {"PYTHONPATH": str(_ROOT), "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        until_s = monotonic() + _UP_WITHIN_S
        while True:
            try:
                urllib.request.urlopen(f"{self.url}api/v1/who", timeout=1).close()
            except OSError:
                assert monotonic() < until_s, "the scripted daemon does not come up"
                sleep(0.05)  # a process that starts has no fake clock
            else:
                return

    def ask(self, line: str) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def answer(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.kill()
        self._process.wait(10)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process = None
