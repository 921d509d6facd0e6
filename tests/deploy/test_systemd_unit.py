"""The services as systemd sees them, judged by systemd's own tool."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[2] / "deploy" / "systemd"
SERVICES = ("ecg-edge.service", "ecg-edge-update.service", "ecg-edge-release-update.service")
PROGRAM = re.compile("(?<=^ExecStart=)/usr/(?:bin/edge-runtime|lib/ecg-edge/launch)", re.MULTILINE)
MOST_EXPOSED = 2.5

pytestmark = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="needs systemd-analyze (Debian: systemd)"
)


def systemd_analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *map(str, arguments)], capture_output=True, text=True, check=False
    )


def as_installed(folder: Path, name: str = SERVICES[0]) -> Path:
    """The unit with a program that exists, as `verify` looks for it."""
    text = (UNITS / name).read_text()
    unit = folder / name
    text, replaced = PROGRAM.subn(sys.executable, text)
    assert replaced == 1
    unit.write_text(text)
    return unit


@pytest.mark.parametrize("name", SERVICES)
def test_verify_has_nothing_to_say(name: str, tmp_path: Path) -> None:
    done = systemd_analyze("verify", "--man=no", as_installed(tmp_path, name))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_verify_would_say_something(tmp_path: Path) -> None:
    unit = as_installed(tmp_path)
    unit.write_text(unit.read_text().replace("WatchdogSec=", "WatchdogSecs="))
    assert "WatchdogSecs" in systemd_analyze("verify", "--man=no", unit).stderr


@pytest.mark.parametrize("name", SERVICES[1:])
def test_the_timer_has_a_service(name: str, tmp_path: Path) -> None:
    as_installed(tmp_path, name)
    timer = (tmp_path / name).with_suffix(".timer")
    timer.write_text((UNITS / timer.name).read_text())
    done = systemd_analyze("verify", "--man=no", timer)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", SERVICES)
def test_it_is_sandboxed(name: str, tmp_path: Path) -> None:
    threshold = f"--threshold={10 * MOST_EXPOSED:.0f}"  # in tenths
    done = systemd_analyze("security", "--offline=true", threshold, as_installed(tmp_path, name))
    assert done.returncode == 0, done.stdout + done.stderr
