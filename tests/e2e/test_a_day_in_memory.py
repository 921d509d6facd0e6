"""A day of replay takes no more memory at its end than at its beginning."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.benchmarks.replay import write_recording

GROWS_MB = 5.0
_SETTLED_S = 8.0
"""Models loaded, buffers filled: about three hours of the day."""


def rss_mb(process: "subprocess.Popen[bytes]") -> float:
    """What of its memory is resident; 0 when it has ended."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    kilobytes = next((line.split()[1] for line in lines if line.startswith("VmRSS:")), "0")
    return int(kilobytes) / 1024


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_day_of_replay_grows_by_less_than_5_mb(tmp_path: Path) -> None:
    record = write_recording(tmp_path, hours=24)
    command = [sys.executable, "-m", "edge_runtime", "replay", record, "--channel", "0"]
    seen = []
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        time.sleep(_SETTLED_S)
        while process.poll() is None:
            seen.append(rss_mb(process))
            time.sleep(0.5)
    assert process.returncode == 0
    seen = [one for one in seen if one]
    assert len(seen) > 20, "it was over before it could be looked at"
    print(f"\n{seen[0]:.1f} MB in the beginning, {max(seen):.1f} MB at most")
    assert max(seen) - seen[0] < GROWS_MB
