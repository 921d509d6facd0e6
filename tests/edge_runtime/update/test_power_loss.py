"""The power goes at any sync of an update: a whole set runs, and the next update goes through."""

import tempfile
from pathlib import Path
from random import Random

import pytest

from edge_runtime.update.shelf import Shelf
from tests.edge_runtime.update.killing import begun, life
from tests.edge_runtime.update.on_shelf import arrive, keep
from tests.edge_runtime.update.power_loss import Disk

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where a sync costs nothing, if there is such a place: these tests keep their own account."""


def cut(at: int, seed: int) -> str:
    """The version that runs after a power cut at that sync; empty: no cut came before the end."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        state = Path(folder) / "state"
        keep(Shelf(state), "8.3.0")
        disk = Disk(state, at)
        with disk.in_use():
            life(Shelf(state))
        disk.after(Path(folder) / "copy", Random(seed))
        found = Shelf(Path(folder) / "copy")
        runs = begun(found)
        if (left := found.folder / "incoming").is_dir():
            left.rename(left.with_name("of-before"))
        arrive(found, "8.6.0")
        assert begun(found) == "8.6.0"
        return runs if disk.was_cut else ""


@pytest.mark.parametrize("seed", range(4))
def test_a_few_cuts(seed: int) -> None:
    assert cut(Random(seed).randrange(40), seed) in {"8.3.0", "8.4.0", "8.5.0"}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_cut(capsys: pytest.CaptureFixture[str]) -> None:
    ran: list[str] = []
    for at in range(500):
        found = [cut(at, seed) for seed in range(5)]
        if not all(found):
            break
        ran += found
    assert len(ran) >= 100
    assert set(ran) <= {"8.3.0", "8.4.0", "8.5.0"}
    counts = {version: ran.count(version) for version in sorted(set(ran))}
    with capsys.disabled():
        print(f"\n{len(ran)} power cuts at {len(ran) // 5} syncs; what ran then: {counts}")
