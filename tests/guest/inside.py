"""What a guest does until its power goes: `python -m tests.guest.inside KIND`, on /data.

It prepares, says `ready`, waits for a line, and begins. What it says then, the host checks the disk
against.
"""

import os
import subprocess
import sys
from pathlib import Path

from edge_runtime.store.store import Store
from edge_runtime.update.shelf import Shelf
from tests.edge_runtime.store import feeder
from tests.edge_runtime.store.making import PROVENANCE
from tests.edge_runtime.update.killing import life
from tests.edge_runtime.update.on_shelf import keep
from tests.guest.image import DATA
from tests.guest.releases import VERSIONS, environment_in

FOLDER = Path(DATA)
DURABILITY_S = 1.0


def _ready() -> None:
    os.sync()
    feeder.say("ready")
    sys.stdin.readline()
    feeder.say("now")


def _record() -> None:
    _ready()
    feeder.main(FOLDER / "store", DURABILITY_S)


def _migrate() -> None:
    _ready()
    Store(FOLDER / "store", PROVENANCE, {})
    feeder.say("done")


def _change_models() -> None:
    shelf = Shelf(FOLDER / "shelf")
    keep(shelf, "0.3.0")
    _ready()
    life(shelf)
    feeder.say("done")


def _change_releases() -> None:
    _tool("adopt", VERSIONS[0])
    _ready()
    for step, version in enumerate(VERSIONS[1:], 1):
        _tool("add", f"{DATA}/packages/{version}.deb")
        feeder.say(f"step {step}")
    _tool("rollback")
    feeder.say(f"step {len(VERSIONS)}")


def _tool(*arguments: str) -> None:
    subprocess.run(
        ["/usr/sbin/ecg-edge-release", *arguments],
        env={**os.environ, **environment_in(DATA)},
        stdout=subprocess.DEVNULL,
        check=True,
    )


KINDS = {
    "recording": _record,
    "recovery": _record,  # on a disk that has lost its power before
    "migration": _migrate,
    "models": _change_models,
    "releases": _change_releases,
}

if __name__ == "__main__":
    KINDS[sys.argv[1]]()
    sys.stdin.read()
