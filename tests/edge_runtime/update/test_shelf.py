"""Which set runs, through every change."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge_runtime.errors import BundleError, UpdateError
from edge_runtime.update.shelf import MOST_STARTS, SHIPPED, Shelf
from tests.edge_runtime.update.on_shelf import arrive, keep, link, on_disk

ROOT = Path(__file__).parents[3]
NOBODY = 65_534


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "state")


def test_without_an_update_the_shipped_set_runs_and_nothing_is_written(shelf: Shelf) -> None:
    assert shelf.begin()[0] == SHIPPED
    assert not shelf.folder.exists()


def test_a_set_is_staged_tried_and_confirmed(shelf: Shelf) -> None:
    new = arrive(shelf, "8.3.0")
    assert shelf.open_current()[0] == SHIPPED
    assert shelf.switch() == new
    set_id, bundles = shelf.open_current()
    assert (set_id, bundles.version, shelf.origin(new)) == (new, "8.3.0", "signed")
    assert shelf.state().trial is not None
    assert link(shelf) == new
    shelf.confirm()
    assert shelf.state().trial is None
    assert shelf.state().previous == SHIPPED


def test_the_last_two_are_kept(shelf: Shelf) -> None:
    keep(shelf, "8.3.0")
    second, third = keep(shelf, "8.4.0"), keep(shelf, "8.5.0")
    assert on_disk(shelf) == [second, third]
    assert shelf.state().previous == second


def test_a_rejected_set_gives_way_to_the_one_before(shelf: Shelf) -> None:
    first = keep(shelf, "8.3.0")
    second = arrive(shelf, "8.4.0")
    shelf.switch()
    shelf.reject(second, "too slow")
    assert shelf.open_current()[0] == first == link(shelf)
    assert list(shelf.state().rejected.values()) == ["too slow"]
    assert on_disk(shelf) == [first]
    shelf.forget_rejections()
    assert shelf.state().rejected == {}


def test_a_daemon_that_does_not_stay_up_gives_the_set_up(shelf: Shelf) -> None:
    new = arrive(shelf, "8.3.0")
    for _ in range(MOST_STARTS):
        assert shelf.begin()[0] == new
    assert shelf.begin()[0] == SHIPPED
    assert "did not stay up in 3 starts" in next(iter(shelf.state().rejected.values()))


def test_a_start_that_ended_in_order_counts_for_nothing(shelf: Shelf) -> None:
    new = arrive(shelf, "8.3.0")
    for _ in range(3 * MOST_STARTS):
        assert shelf.begin()[0] == new
        shelf.forgive_start()


def test_rollback_and_back_again(shelf: Shelf) -> None:
    first, second = keep(shelf, "8.3.0"), keep(shelf, "8.4.0")
    shelf.stage(first, trial=False)
    shelf.switch()
    assert shelf.open_current()[0] == first
    assert shelf.state().trial is None
    assert shelf.state().previous == second
    shelf.stage(second)
    shelf.switch()
    assert shelf.state().trial is not None


def test_rollback_during_a_trial(shelf: Shelf) -> None:
    first = keep(shelf, "8.3.0")
    arrive(shelf, "8.4.0")
    shelf.switch()
    shelf.stage(first, trial=False)
    shelf.switch()
    assert (shelf.state().current, shelf.state().trial) == (first, None)
    assert shelf.state().previous == SHIPPED


def test_a_damaged_set_is_not_run(shelf: Shelf) -> None:
    first, second = keep(shelf, "8.3.0"), keep(shelf, "8.4.0")
    (shelf.place(second) / "beats" / "encoder.tflite").write_bytes(b"gone")
    assert shelf.open_current()[0] == first
    assert shelf.begin()[0] == first
    (shelf.place(first) / "set.toml").unlink()
    assert shelf.begin()[0] == SHIPPED
    assert shelf.state().sets == {}


def test_a_state_file_that_the_disk_has_lost_is_no_brick(shelf: Shelf) -> None:
    keep(shelf, "8.3.0")
    (shelf.folder / "state.json").write_bytes(b"\x00" * 40)
    assert shelf.begin()[0] == SHIPPED
    assert link(shelf) is None


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


def as_root(code: str) -> str:
    """What a program says that root starts."""
    imports = (
        "import os; from pathlib import Path; from edge_runtime.update.shelf import Shelf; "
        "from edge_runtime.update.owner import become_owner; "
    )
    command = [sys.executable, "-c", imports + code]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()


@needs_root
def test_a_stranger_who_may_not_look_gets_the_shipped_set(shelf: Shelf) -> None:
    keep(shelf, "8.3.0")
    shelf.folder.chmod(0o700)
    look = f"print(Shelf(Path({str(shelf.folder.parent)!r})).state().current)"
    assert as_root(f"os.setuid({NOBODY}); {look}") == SHIPPED


@needs_root
def test_root_leaves_what_the_daemon_can_change(tmp_path: Path) -> None:
    os.chown(tmp_path, NOBODY, NOBODY)
    who = "print(os.geteuid(), os.getegid(), os.getgroups())"
    assert as_root(f"become_owner(Path({str(tmp_path)!r})); {who}") == f"{NOBODY} {NOBODY} []"
    assert as_root(f"become_owner(Path({str(tmp_path / 'none')!r})); {who}").startswith("0 0")


def test_what_is_not_there_cannot_be_staged(shelf: Shelf) -> None:
    keep(shelf, "8.3.0")
    with pytest.raises(UpdateError, match="there is no set other here; there are shipped, default"):
        shelf.stage("other")
    with pytest.raises(BundleError):
        shelf.add(shelf.folder / "none", "signed")


def test_a_shelf_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("in the way")
    with pytest.raises(UpdateError):
        Shelf(tmp_path).forget_rejections()
