"""`edge-runtime sound`: hear the three alarm sounds, or write them to a file."""

import subprocess
import tempfile
from pathlib import Path

import click
import numpy as np

from edge_runtime.cli.failing import exit_status
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.events import Priority
from edge_runtime.sinks.bursts import RATE_HZ, samples, write_wav


@click.command("sound")
@click.option("--device", default="default", show_default=True, help="ALSA device (aplay -L).")
@click.option(
    "--to",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a WAV file instead of playing.",
)
def command(device: str, file: Path | None) -> None:
    """Play the bursts of low, medium and high priority, a second apart.

    A test of what the wearer would hear. Exit status 1 where it cannot be played.
    """
    gap = np.zeros(RATE_HZ, np.int16)
    sound = np.concatenate(
        [part for priority in reversed(Priority) for part in (samples(priority), gap)]
    )
    with exit_status():
        if file is not None:
            try:
                write_wav(file, sound)
            except OSError as error:
                raise EdgeRuntimeError(f"{file}: cannot be written: {error}") from error
            return
        with tempfile.TemporaryDirectory() as folder:
            whole = Path(folder) / "alarms.wav"
            write_wav(whole, sound)
            _play(device, whole)


def _play(device: str, file: Path) -> None:
    command = ["aplay", "-q", "-D", device, str(file)]
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EdgeRuntimeError(f"alarms cannot be heard: {error}") from error
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        raise EdgeRuntimeError(f"alarms cannot be heard: {words[-1] if words else 'aplay failed'}")
