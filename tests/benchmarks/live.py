"""The daemon live at 500 Hz: share of one core and resident memory, headless and with views."""

import contextlib
import http.client
import os
import pty
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
from rich.table import Table

from tests.free_port import free_port

_SETTLE_S = 8


def table(folder: Path, seconds: float) -> Table:
    """Headless, with the terminal view, with pages open, and with a broker beside them."""
    shown = Table(title=f"live, one lead at 500 Hz, {seconds:g} s after {_SETTLE_S} s of settling")
    for column in ("daemon", "% of one core", "RSS MB"):
        shown.add_column(column, justify="left" if column == "daemon" else "right")
    for name, view, pages in (
        ("headless (--view log)", "log", 0),
        ("with the terminal view", "terminal", 0),
        ("serving the page to four readers", "log", 4),
    ):
        percent, rss_mb = _measure(folder / f"{view}-{pages}", view, pages, seconds)
        shown.add_row(name, f"{percent:.2f}", f"{rss_mb:.0f}")
    with _broker(folder) as port:
        if port is None:
            shown.add_row("the same, and publishing by MQTT", "no mosquitto here", "")
        else:
            mqtt = (
                "mqtt.enabled=true",
                "mqtt.host=127.0.0.1",
                "mqtt.tls=false",
                f"mqtt.port={port}",
            )
            percent, rss_mb = _measure(folder / "mqtt", "log", 4, seconds, mqtt)
            shown.add_row("the same, and publishing by MQTT", f"{percent:.2f}", f"{rss_mb:.0f}")
    return shown


@contextlib.contextmanager
def _broker(folder: Path) -> Iterator[int | None]:
    """The port of a mosquitto; None where it is not installed."""
    program = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        yield None
        return
    port, file = free_port(), folder / "mosquitto.conf"
    file.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\n", encoding="utf-8")
    quiet = subprocess.DEVNULL
    broker = subprocess.Popen([program, "-c", str(file)], stdout=quiet, stderr=quiet)
    try:
        yield port
    finally:
        broker.terminate()
        broker.wait()


def _measure(
    folder: Path, view: str, pages: int, seconds: float, settings: Sequence[str] = ()
) -> tuple[float, float]:
    folder.mkdir()
    port = free_port()
    link = folder / "sensor"
    simulator = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "firmware_bridge",
            "simulate",
            "--scenario",
            "none",
            "--json",
            "--link",
            str(link),
        ],
        stdout=subprocess.PIPE,
    )
    assert simulator.stdout is not None
    simulator.stdout.readline()
    screen, terminal = pty.openpty()
    daemon = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "edge_runtime",
            "run",
            "--view",
            view,
            "--set",
            "source.0.name=bench",
            "--set",
            f"source.0.port={link}",
            "--set",
            f"store.directory={folder / 'store'}",
            "--set",
            f"web.enabled={'true' if pages else 'false'}",
            "--set",
            f"web.port={port}",
            *(word for setting in settings for word in ("--set", setting)),
        ],
        stdout=terminal,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"TERM": "xterm-256color", "COLUMNS": "130", "LINES": "40"},
    )
    try:
        process = psutil.Process(daemon.pid)
        _drain(screen, _SETTLE_S)
        for _ in range(pages):
            threading.Thread(target=_read_page, args=(port,), daemon=True).start()
        before, started = process.cpu_times(), time.monotonic()
        _drain(screen, seconds)
        after, elapsed = process.cpu_times(), time.monotonic() - started
        used = after.user + after.system - before.user - before.system
        return 100 * used / elapsed, process.memory_info().rss / 2**20
    finally:
        daemon.terminate()
        daemon.wait()
        simulator.terminate()
        simulator.wait()
        os.close(screen)
        os.close(terminal)


def _read_page(port: int) -> None:
    """What an open page reads; ends with the daemon."""
    with (
        contextlib.suppress(OSError, http.client.HTTPException),
        urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/live") as live,
    ):
        while live.readline():
            pass


def _drain(screen: int, seconds: float) -> None:
    """Read what the view draws, so that it never waits for the terminal."""
    os.set_blocking(screen, False)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            os.read(screen, 1 << 20)
        except BlockingIOError:
            time.sleep(0.05)
