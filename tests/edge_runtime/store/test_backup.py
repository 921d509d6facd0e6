"""A backup beside a store that is being written, and the way back."""

import json
import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.errors import StoreError
from edge_runtime.store.backup import back_up, checked, restore
from edge_runtime.store.backups import backups_with
from edge_runtime.store.database import FILE_NAME
from edge_runtime.store.integrity import faults
from edge_runtime.store.reading import events_of, read_only, session_names
from edge_runtime.store.store import Store
from firmware_bridge.records import read_counts
from tests.edge_runtime.cli.running import edge_runtime
from tests.edge_runtime.store.making import RATE, Recording, alarm, beat, noise
from tests.edge_runtime.store.test_removal import finish

HOUR = 3600 * RATE


def recorded(directory: Path, store: Store | None = None) -> Recording:
    run = Recording(directory, store=store, begun=False) if store else Recording(directory)
    if store:
        store.begin(run.session)
    run.samples(noise(1, 1000))
    run.gap(300)
    run.samples(noise(2, 1000))
    run.events(*beat(100), alarm(300))
    run.store.sync()
    return run


def events(directory: Path, session: str) -> list[object]:
    with closing(read_only(directory)) as connection:
        return list(events_of(connection, session))


def test_a_store_comes_back_as_it_was(tmp_path: Path) -> None:
    run = recorded(tmp_path / "store")
    run.store.close()
    strips = tmp_path / "store" / "strips" / run.session.id
    strips.mkdir(parents=True)
    (strips / "alarm_000001.dat").write_bytes(b"strip")
    made = back_up(tmp_path / "store", tmp_path / "backup")
    assert made.sessions == [run.session.id]
    assert backups_with(tmp_path / "store", run.session.id) == [str(tmp_path / "backup")]
    assert (tmp_path / "backup").stat().st_mode & 0o777 == 0o700
    restore(tmp_path / "backup", tmp_path / "again")
    assert list(faults(tmp_path / "again", deep=False)) == []
    before, after = (events(tmp_path / name, run.session.id) for name in ("store", "again"))
    assert before == after
    assert len(after) == 3
    for name in ("raw", "strips"):
        here, there = tmp_path / "store" / name, tmp_path / "again" / name
        files = sorted(file.relative_to(here) for file in here.rglob("*") if file.is_file())
        assert files
        assert all((here / one).read_bytes() == (there / one).read_bytes() for one in files)


def test_a_session_that_runs_is_backed_up_as_far_as_it_had_come(tmp_path: Path) -> None:
    run = recorded(tmp_path / "store")
    back_up(tmp_path / "store", tmp_path / "backup")
    run.samples(noise(3, 1000))
    run.events(*beat(2000))
    run.store.close()
    restore(tmp_path / "backup", tmp_path / "again")
    assert list(faults(tmp_path / "again", deep=True)) == []
    assert len(events(tmp_path / "again", run.session.id)) == 3
    counts = read_counts(tmp_path / "again" / "raw" / run.session.id / "ecg")
    assert np.array_equal(counts, read_counts(run.record)[: len(counts)])
    assert len(counts) >= 2300


def test_backups_are_whole_while_sessions_come_and_go(tmp_path: Path) -> None:
    directory = tmp_path / "store"
    kept = recorded(directory)
    kept.store.end(kept.session.id, "unplugged")
    stop = threading.Event()

    def live() -> None:
        while not stop.is_set():
            run = recorded(directory, kept.store)
            kept.store.end(run.session.id, "unplugged")
            kept.store.mark_for_removal(run.session.id)
            finish(kept.store)

    living = threading.Thread(target=live)
    living.start()
    try:
        for number in range(4):
            back_up(directory, tmp_path / f"backup{number}")
    finally:
        stop.set()
        living.join()
    kept.store.close()
    for number in range(4):
        restored = tmp_path / f"again{number}"
        restore(tmp_path / f"backup{number}", restored)
        assert list(faults(restored, deep=True)) == []
        with closing(read_only(restored)) as connection:
            assert kept.session.id in session_names(connection)


def test_what_is_going_out_is_in_no_new_backup(tmp_path: Path) -> None:
    run = recorded(tmp_path / "store")
    run.store.end(run.session.id, "unplugged")
    run.store.mark_for_removal(run.session.id)
    made = back_up(tmp_path / "store", tmp_path / "backup")
    run.store.close()
    assert made.sessions == []
    content = b"".join(
        one.read_bytes() for one in (tmp_path / "backup").rglob("*") if one.is_file()
    )
    assert run.session.id.encode() not in content


def test_a_backup_with_a_flipped_bit_or_a_missing_file_is_refused(tmp_path: Path) -> None:
    run = recorded(tmp_path / "store")
    run.store.close()
    back_up(tmp_path / "store", tmp_path / "backup")
    file = tmp_path / "backup" / "raw" / run.session.id / "ecg_000001.dat"
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.write_bytes(content)
    with pytest.raises(StoreError, match="not as it was backed up"):
        restore(tmp_path / "backup", tmp_path / "again")
    assert not (tmp_path / "again" / FILE_NAME).exists()
    file.unlink()
    with pytest.raises(StoreError, match="is missing"):
        checked(tmp_path / "backup")
    with pytest.raises(StoreError, match="no whole backup"):
        checked(tmp_path)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    run = recorded(tmp_path / "store")
    run.store.close()
    back_up(tmp_path / "store", tmp_path / "backup")
    with pytest.raises(StoreError, match="is there already"):
        back_up(tmp_path / "store", tmp_path / "backup")
    with pytest.raises(StoreError, match="is there already"):
        restore(tmp_path / "backup", tmp_path / "store")


def test_a_list_that_points_outside_is_refused(tmp_path: Path) -> None:
    run = recorded(tmp_path / "store")
    run.store.close()
    back_up(tmp_path / "store", tmp_path / "backup")
    file = tmp_path / "backup" / "backup.json"
    listed = json.loads(file.read_text())
    listed["files"]["../store/lock"] = "0" * 64
    file.write_text(json.dumps(listed))
    with pytest.raises(StoreError, match="not as it was"):
        restore(tmp_path / "backup", tmp_path / "again")


def test_the_commands(tmp_path: Path) -> None:
    run = recorded(tmp_path / "store")
    run.store.close()
    here = ("--set", f"store.directory={tmp_path / 'store'}")
    there = ("--set", f"store.directory={tmp_path / 'again'}")
    made = edge_runtime("backup", tmp_path / "backup", "--json", *here)
    assert made.exit_code == 0, made.output
    assert json.loads(made.stdout)["sessions"] == [run.session.id]
    assert edge_runtime("restore", tmp_path / "backup", "--check", *there).exit_code == 0
    assert not (tmp_path / "again").exists()
    assert edge_runtime("restore", tmp_path / "backup", *there).exit_code == 0
    assert run.session.id in edge_runtime("sessions", "list", *there).stdout
    gone = edge_runtime("sessions", "delete", run.session.id, "--yes", *here)
    assert f"the backup in {tmp_path / 'backup'} still holds it" in gone.stdout
    assert "backup" in edge_runtime("audit", *here).stdout
