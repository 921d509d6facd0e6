"""The Holter summary of a day: processor time, and memory beyond that of an empty one."""

import json
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

from rich.table import Table

from edge_runtime.store.holter_reading import stored_holter
from edge_runtime.store.reading import read_only
from edge_runtime.store.store import Store
from tests.edge_runtime.store.making import PROVENANCE, beat, session

BEATS = 108_000
"""75/min."""


def table(folder: Path) -> Table:
    """One row; the summary is made by a process of its own."""
    names = [_stored(folder, n) for n in (0, BEATS)]
    command = [sys.executable, "-m", "tests.benchmarks.holter", str(folder)]
    empty, full = (
        json.loads(subprocess.run([*command, name], capture_output=True, check=True).stdout)
        for name in names
    )
    shown = Table(title="Holter summary of a day")
    for column in ("beats", "processor (s)", "memory beyond (MB)"):
        shown.add_column(column, justify="right")
    more_mb = (full["kb"] - empty["kb"]) / 1024
    shown.add_row(f"{full['beats']:,}", f"{full['s'] - empty['s']:.1f}", f"{more_mb:.1f}")
    return shown


def _stored(folder: Path, n_beats: int) -> str:
    one = session()
    store = Store(folder, PROVENANCE, {})
    store.begin(one)
    for number in range(n_beats):
        store.record_events([one.publish(event) for event in beat(80 * number)])
        if number % 500 == 0:
            store.sync()
    store.close()
    return one.id


def _summarized(folder: Path, name: str) -> None:
    with closing(read_only(folder)) as connection:
        began_s = time.process_time()
        found = stored_holter(connection, name)
        took_s = time.process_time() - began_s
    # Not getrusage: that remembers the process that this one was forked from.
    status = Path("/proc/self/status").read_text()
    most_kb = int(status.partition("VmHWM:")[2].split()[0])
    sys.stdout.write(json.dumps({"s": took_s, "kb": most_kb, "beats": found.figures.beats}))


if __name__ == "__main__":
    _summarized(Path(sys.argv[1]), sys.argv[2])
