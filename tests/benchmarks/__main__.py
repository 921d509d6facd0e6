"""`make bench`: speed, memory and bytes, as tables with peers in the same run.

    python -m tests.benchmarks [--hours 24] [--live-s 60]

Prints; asserts nothing: machines are noisy, ratios within one run are what counts.
"""

import argparse
import tempfile
from pathlib import Path

from rich.console import Console

from tests.benchmarks import (
    bluetooth_streams,
    flash_upload,
    holter,
    live,
    many_sources,
    networks,
    replay,
    ring,
    serial_streams,
    store_bytes,
)


def main() -> None:
    """Run every benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=24, help="length of the replayed recording")
    parser.add_argument("--live-s", type=float, default=60, help="length of each live run")
    options = parser.parse_args()
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        console.print(replay.table(Path(folder), options.hours))
        console.print(live.table(Path(folder), options.live_s))
        console.print(serial_streams.table(Path(folder), options.live_s))
        console.print(bluetooth_streams.table(Path(folder), options.live_s))
        console.print(many_sources.table(Path(folder), options.live_s))
        console.print(networks.table())
        console.print(ring.table())
        console.print(store_bytes.table(Path(folder)))
        console.print(holter.table(Path(folder) / "holter"))
        console.print(flash_upload.table(Path(folder)))


main()
