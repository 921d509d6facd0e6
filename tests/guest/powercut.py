"""`make test-powercut`: a computer loses its power while it records, migrates, or changes models or
releases.

    python -m tests.guest.powercut [--points 50] [--kind KIND]... [--work DIR]

A guest is frozen right before it begins. Each point lets it go on from there, cuts it off at a
random moment (QEMU is killed; what it had not flushed is lost, in the guest's memory and in the
disk's) and looks at the disk. Results are appended to WORK/powercut.jsonl; a table at the end.
"""

import argparse
import json
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

from rich.console import Console
from rich.table import Table

from edge_runtime.store.database import FILE_NAME
from edge_runtime.store.integrity import database_faults
from edge_runtime.store.integrity import faults as store_faults
from edge_runtime.store.reading import events_of, read_only, session_names
from edge_runtime.store.store import Store
from edge_runtime.update.shelf import Shelf
from firmware_bridge.records import read_counts
from tests.edge_runtime.store.making import PROVENANCE
from tests.edge_runtime.store.test_kill import assert_kept, told
from tests.edge_runtime.store.test_migrations import old_store
from tests.edge_runtime.update.killing import begun
from tests.edge_runtime.update.on_shelf import arrive
from tests.guest import releases
from tests.guest.image import (
    DATA,
    PYTHON,
    ROOT,
    SOURCE,
    Say,
    System,
    data_disk,
    demand_tools,
    overlay,
    read_disk,
    system,
)
from tests.guest.inside import DURABILITY_S, KINDS
from tests.guest.machine import Guest, guest

LONGEST_S = {"recording": 8.0, "recovery": 6.0, "migration": 2.0, "models": 4.0, "releases": 11.0}
"""A point lies between nothing and this after the guest goes on."""
SLACK_S = 0.5
"""For the processor that the guest shares."""
_BOOT_S = 180.0
_VERSIONS = {"0.3.0", "0.4.0", "0.5.0"}


@dataclass(frozen=True, slots=True)
class Point:
    """What came of one cut, `after_s` from the beginning. `found`: in a word what there was
    afterwards; `lost_s`: of a recording, how long before the cut what is kept ends."""

    kind: str
    number: int
    after_s: float
    found: str
    lost_s: float | None = None


class Bench:
    """A kind's frozen guest, and its disks as they were then."""

    def __init__(self, kind: str, work: Path, made: System, content: Path) -> None:
        self.kind, self.made = kind, made
        self.folder = work / kind
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self._frozen = [self.folder / "root.frozen", self.folder / "data.frozen"]
        overlay(self._frozen[0], made.disk)
        data_disk(self._frozen[1], content)
        script = (
            f"set -e; mount -t proc proc /proc; mount /dev/vdb {DATA}; cd {SOURCE}; stty -echo; "
        )
        script += f"exec env PYTHONPATH={SOURCE} OMP_NUM_THREADS=1 {PYTHON} -m tests.guest.inside"
        command = f'init=/bin/sh -- -c "{script} {kind} 2>&1"'
        with guest(self.folder, made, self._frozen, command) as running:
            running.wait_for("ready", _BOOT_S)
            running.freeze()

    def cut(self, after_s: float) -> tuple[list[str], Path]:
        """What the guest said, and the folder that its data disk holds afterwards."""
        disks = [self.folder / "root.qcow2", self.folder / "data.qcow2"]
        for disk, frozen in zip(disks, self._frozen, strict=True):
            shutil.copy(frozen, disk)
        with guest(self.folder, self.made, disks, frozen=True) as running:
            running.say("go")
            said = list(_first_and_then(running, after_s)) + running.cut()
        after = self.folder / "after"
        shutil.rmtree(after, ignore_errors=True)
        read_disk(disks[1], after)
        return said, after


def _first_and_then(running: Guest, after_s: float) -> list[str]:
    """Its first line, however long that takes, and what it says for so long after."""
    said: list[str] = []
    for line in running.lines(_BOOT_S):
        said.append(line)
        break
    return [*said, *running.lines(after_s)]


def judged(kind: str, said: list[str], folder: Path) -> tuple[str, float | None]:
    """What is there after a cut. Raises AssertionError where something is that must not be."""
    match kind:
        case "recording" | "recovery":
            return _recording(said, folder / "store")
        case "migration":
            return _migration(said, folder / "store")
        case "models":
            return _models(said, folder / "shelf")
        case _:
            return releases.judge(said, folder), None


def _recording(said: list[str], directory: Path) -> tuple[str, float | None]:
    puts = [(int(index), float(at_s)) for index, at_s in _puts(said)]
    last_s = puts[-1][1] if puts else 0.0
    life = told(said, last_s, DURABILITY_S, SLACK_S)
    Store(directory, PROVENANCE, {}).close()
    assert [fault.words for fault in store_faults(directory, deep=True)] == []
    if not life.session:
        return "nothing begun", None
    if life.session not in _sessions(directory):
        assert not max(life.last_event, life.synced, life.put_in_time)
        return "nothing promised yet", None
    assert_kept(directory, life)
    record = directory / "raw" / life.session / "ecg"
    kept = len(read_counts(record)) if record.with_suffix(".hea").exists() else 0
    beyond = [at_s for index, at_s in puts if index > kept]
    return "whole", round(last_s - beyond[0], 3) if beyond else 0.0


def _puts(said: list[str]) -> Iterator[list[str]]:
    """Index behind each piece that was handed over, and when."""
    for line in said:
        match line.split():
            case ["put", *put]:
                yield put
            case _:
                pass


def _sessions(directory: Path) -> list[str]:
    with closing(read_only(directory)) as connection:
        return session_names(connection)


def _migration(said: list[str], directory: Path) -> tuple[str, float | None]:
    with tempfile.TemporaryDirectory() as folder:
        published = old_store(Path(folder) / "old", 1)
    # Not read-only: what the cut left half written is first taken back.
    with closing(sqlite3.connect(directory / FILE_NAME)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
    Store(directory, PROVENANCE, {}).close()
    assert [fault.words for fault in database_faults(directory)] == []
    with closing(read_only(directory)) as connection:
        (name,) = session_names(connection)
        assert list(events_of(connection, name)) == published
        (newest,) = connection.execute("PRAGMA user_version").fetchone()
    assert "done" not in said or version == newest
    return ("old" if version == 1 else "new" if version == newest else "between"), None


def _models(said: list[str], folder: Path) -> tuple[str, float | None]:
    shelf = Shelf(folder)
    runs = begun(shelf)
    assert runs in _VERSIONS
    assert "done" not in said or runs == "0.4.0"
    shutil.rmtree(shelf.folder / "incoming", ignore_errors=True)
    arrive(shelf, "0.6.0")
    assert begun(shelf) == "0.6.0"  # the next update goes through
    return f"{runs} runs", None


def content_of(kind: str, work: Path, earlier: Path | None) -> Path:
    """The folder that the data disk begins with."""
    folder = work / "content"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    if kind == "migration":
        old_store(folder / "store", 1)
    if kind == "recovery" and earlier is not None:
        shutil.copytree(earlier / "store", folder / "store")
    if kind == "releases":
        releases.make(folder)
    return folder


def table(results: Path) -> Table:
    """How often what was found, by kind."""
    points = [Point(**json.loads(line)) for line in results.read_text().splitlines()]
    shown = Table(title="the power of a whole computer cut")
    for column in ("while", "points", "found", "lost at most"):
        shown.add_column(column)
    for kind in KINDS:
        of_kind = [point for point in points if point.kind == kind]
        found = sorted({point.found for point in of_kind})
        counts = ", ".join(f"{sum(p.found == one for p in of_kind)} {one}" for one in found)
        lost = [point.lost_s for point in of_kind if point.lost_s is not None]
        if of_kind:
            shown.add_row(kind, str(len(of_kind)), counts, f"{max(lost):.2f} s" if lost else "-")
    return shown


def main() -> None:
    """Cut, look, tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=50, help="of each kind")
    parser.add_argument("--kind", choices=KINDS, action="append")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "guest")
    parser.add_argument("--seed", type=int, default=None)
    given = parser.parse_args()
    demand_tools()
    say, work = Say(), given.work.absolute()
    results = work / "powercut.jsonl"
    made = system(work, say)
    chance = Random(given.seed if given.seed is not None else int.from_bytes(os.urandom(4)))
    for kind in given.kind or KINDS:
        earlier = work / "recording" / "after" if kind == "recovery" else None
        say(f"{kind}: booting")
        bench = Bench(kind, work, made, content_of(kind, work, earlier))
        for number in range(given.points):
            after_s = chance.uniform(0.0, LONGEST_S[kind])
            said, after = bench.cut(after_s)
            untouched = bench.folder / "untouched"
            shutil.rmtree(untouched, ignore_errors=True)
            shutil.copytree(after, untouched, symlinks=True)
            found, lost_s = judged(kind, said, after)
            shutil.rmtree(after)
            untouched.rename(after)  # as the cut left it, for the next kind to recover from
            point = Point(kind, number, round(after_s, 3), found, lost_s)
            with results.open("a", encoding="utf-8") as ledger:
                ledger.write(json.dumps(asdict(point)) + "\n")
            say(f"{kind} {number + 1}/{given.points}: after {after_s:.2f} s: {found}")
    Console().print(table(results))


if __name__ == "__main__":
    main()
