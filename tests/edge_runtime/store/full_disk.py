"""A program on a small disk: records more than it holds, while another program fills it up.

`python -m tests.edge_runtime.store.full_disk DIRECTORY COPY` prints what happened as one JSON
object, and leaves a copy of the store where there is room.
"""

import errno
import json
import shutil
import sys
from pathlib import Path

from edge_runtime.errors import StoreError
from edge_runtime.store.retention import RetentionSettings
from edge_runtime.store.store import Store
from tests.edge_runtime.store.making import (
    PROVENANCE,
    RATE,
    START_NS,
    Hand,
    Recording,
    beat,
    noise,
)

MINUTES = 24 * 60
FILLED_AT, FREED_AT = 10 * 60, 12 * 60


def fill(file: Path) -> None:
    """Take what is left, to the last byte."""
    with file.open("wb", buffering=0) as out:
        for n_bytes in (1 << 16, 1 << 10, 1):
            try:
                while True:
                    out.write(bytes(n_bytes))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise


def main(directory: Path, copy: Path) -> None:
    """Record a day, a minute at a time."""
    clock = Hand()
    store = Store(
        directory / "store",
        PROVENANCE,
        {},
        retention=RetentionSettings(least_free_gb=0.003),
        now_s=clock,
        utc_ns=lambda: START_NS + int(clock.now_s * 1e9),
    )
    run = Recording(directory / "store", store=store, begun=False)
    store.begin(run.session)
    told: dict[str, int] = {}
    least_free = 1 << 40
    other = directory / "of another program"
    for minute in range(MINUTES):
        if minute == FILLED_AT:
            fill(other)
        if minute == FREED_AT:
            other.unlink()
        run.samples(noise(minute, 60 * RATE))
        run.counts.clear()
        least_free = min(least_free, shutil.disk_usage(directory).free)
        for half in range(2):
            clock.now_s += 30
            published = [run.session.publish(one) for one in beat(minute * 2 + half)]
            store.record_events(published)
            try:
                store.tick()
            except StoreError as error:
                what = str(error).partition(": ")[2].partition(";")[0]
                told[what] = told.get(what, 0) + 1
    store.close()
    shutil.copytree(directory / "store", copy)
    answer = {"told": told, "n_samples": run.end, "session": run.session.id, "free": least_free}
    sys.stdout.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
