"""Alarms that are heard: bursts through ALSA's `aplay` (package alsa-utils).

A program of its own plays each burst, so a sound card that hangs never holds up the daemon. The
first call plays a low burst as a test, whether there is an alarm or not; whatever fails is told
and becomes a technical alarm, and is tried again.
"""

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from edge_runtime.events import Priority
from edge_runtime.sinks.bursts import BURSTS, samples, write_wav

_HANGS_AFTER_S: Final = 5.0
_AGAIN_S: Final = 10.0
"""After a failure the next attempt waits so long."""

Start = Callable[[list[str]], "subprocess.Popen[bytes]"]


def _start(command: list[str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


class AlsaSounder:
    """Plays on `device`, an ALSA name as `aplay -L` lists them. Call `sound` often."""

    def __init__(self, device: str = "default", start: Start = _start) -> None:
        self._device = device
        self._start = start
        self._folder = tempfile.TemporaryDirectory(prefix="ecg-edge-sound-")
        self._playing: subprocess.Popen[bytes] | None = None
        self._what: Priority | None = None
        self._ends_s = 0.0
        self._next_s = 0.0
        self._tested = False
        self._problem: str | None = None

    def sound(self, priority: Priority | None, now_s: float) -> str | None:
        """Bursts of `priority` from now on (None: silence); returns what is wrong, if anything."""
        self._look_after(now_s)
        if self._tested and priority is None:
            self._stop()
            return self._problem
        wanted = priority or Priority.LOW  # the test
        more_urgent = priority is not None and self._what not in {priority, None}
        if more_urgent and self._problem is None:
            self._stop()
            self._next_s = now_s
        if self._playing is None and now_s >= self._next_s:
            self._play(wanted, now_s)
        return self._problem

    def close(self) -> None:
        """Silence; nothing is left behind."""
        self._stop()
        self._folder.cleanup()

    def _play(self, priority: Priority, now_s: float) -> None:
        burst = BURSTS[priority]
        self._what = priority
        self._next_s = now_s + burst.lasts_s + burst.pause_s
        program = shutil.which("aplay")
        if program is None:
            self._fail("aplay is not installed (package alsa-utils)", now_s)
            return
        file = Path(self._folder.name) / f"{priority.value}.wav"
        try:
            if not file.exists():
                write_wav(file, samples(priority))
            self._playing = self._start([program, "-q", "-D", self._device, str(file)])
        except OSError as error:
            self._fail(str(error), now_s)
            return
        self._ends_s = now_s + burst.lasts_s + _HANGS_AFTER_S

    def _look_after(self, now_s: float) -> None:
        """Has the burst ended, and well?"""
        playing = self._playing
        if playing is None:
            return
        status = playing.poll()
        if status is None:
            if now_s > self._ends_s:
                self._stop()
                self._fail("the sound card does not take the sound", now_s)
            return
        words = playing.stderr.read().decode(errors="replace") if playing.stderr else ""
        self._close(playing)
        if status == 0:
            self._tested, self._problem = True, None
        else:
            last = words.strip().splitlines()[-1:] or [f"status {status}"]
            self._fail(last[0], now_s)

    def _fail(self, problem: str, now_s: float) -> None:
        self._problem = f"alarms cannot be heard: {problem}"
        self._next_s = now_s + _AGAIN_S
        self._tested = False

    def _stop(self) -> None:
        self._what = None
        playing = self._playing
        if playing is not None:
            playing.kill()
            playing.wait()
            self._close(playing)

    def _close(self, playing: "subprocess.Popen[bytes]") -> None:
        if playing.stderr:
            playing.stderr.close()
        self._playing = None
