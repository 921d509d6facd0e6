"""The service as systemd sees it, judged by systemd's own tool."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "deploy" / "systemd" / "ecg-edge.service"
PROGRAM = "/opt/ecg-edge/bin/edge-runtime"
MOST_EXPOSED = 2.5

pytestmark = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="needs systemd-analyze (Debian: systemd)"
)


def systemd_analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *map(str, arguments)], capture_output=True, text=True, check=False
    )


def as_installed(folder: Path) -> Path:
    """The unit with a program that exists, as `verify` looks for it."""
    text = UNIT.read_text()
    assert text.count(PROGRAM) == 1
    unit = folder / UNIT.name
    unit.write_text(text.replace(PROGRAM, sys.executable))
    return unit


def test_verify_has_nothing_to_say(tmp_path: Path) -> None:
    done = systemd_analyze("verify", "--man=no", as_installed(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_verify_would_say_something(tmp_path: Path) -> None:
    unit = as_installed(tmp_path)
    unit.write_text(unit.read_text().replace("WatchdogSec=", "WatchdogSecs="))
    assert "WatchdogSecs" in systemd_analyze("verify", "--man=no", unit).stderr


def test_it_is_sandboxed(tmp_path: Path) -> None:
    threshold = f"--threshold={10 * MOST_EXPOSED:.0f}"  # in tenths
    done = systemd_analyze("security", "--offline=true", threshold, as_installed(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
