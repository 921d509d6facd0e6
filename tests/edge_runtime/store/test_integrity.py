"""What can break in a store is found, and repaired without throwing anything away."""

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.cli import doctor
from edge_runtime.errors import StoreError, StoreInUseError
from edge_runtime.store.database import FILE_NAME
from edge_runtime.store.integrity import database_faults, faults
from edge_runtime.store.reading import events_of, read_only, session_names
from edge_runtime.store.repair import repair
from edge_runtime.store.store import Store
from firmware_bridge.records import read_counts, verify_record
from tests.edge_runtime.cli.running import edge_runtime
from tests.edge_runtime.store.making import PROVENANCE, Recording, beat, noise

N_BEATS = 3000


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    run = Recording(tmp_path_factory.mktemp("sound") / "store")
    run.samples(noise(1, 1000))
    run.gap(300)
    run.samples(noise(2, 1000))
    for number in range(N_BEATS):
        run.events(*beat(80 * number))
    run.store.close()
    return run


@pytest.fixture
def store(sound: Recording, tmp_path: Path) -> Path:
    directory = tmp_path / "store"
    shutil.copytree(sound.directory, directory)
    return directory


def found(directory: Path, deep: bool = True) -> list[str]:
    return [fault.words for fault in faults(directory, deep=deep)]


def folder(directory: Path, run: Recording) -> Path:
    return directory / "raw" / run.session.id


def lost(directory: Path) -> list[str]:
    return sorted(file.name for file in (directory / "lost+found").rglob("*") if file.is_file())


def test_a_sound_store_has_no_fault_and_needs_no_repair(store: Path) -> None:
    assert found(store) == []
    assert list(repair(store)) == []
    assert found(store) == []


def test_what_is_being_recorded_is_no_fault(store: Path) -> None:
    run = Recording(store)
    run.samples(noise(3, 500))
    run.store.sync()
    assert found(store) == []
    with pytest.raises(StoreInUseError):
        list(repair(store))
    run.store.close()
    assert found(store) == []


def without(name: str) -> Callable[[Path], None]:
    return lambda raw: (raw / name).unlink()


def cut(raw: Path) -> None:
    with (raw / "ecg_000002.dat").open("r+b") as file:
        file.truncate(2003)


@pytest.mark.parametrize(
    ("damage", "words", "left"),
    [
        (without("ecg_000001.dat"), "is not there", 1000),
        (without("ecg_000002.hea"), "has no header", 2000),
        (without("ecg.hea"), "ecg.hea", 2000),
        (cut, "2003 bytes of 4000", 1500),
    ],
)
def test_files_that_were_lost_or_cut(
    store: Path, sound: Recording, damage: Callable[[Path], None], words: str, left: int
) -> None:
    raw = folder(store, sound)
    damage(raw)
    assert any(words in one for one in found(store, deep=False))
    list(repair(store))
    assert found(store) == []
    verify_record(raw / "ecg")
    whole = np.concatenate(list(sound.counts.values()))
    counts = read_counts(raw / "ecg")
    rows = {tuple(row) for row in whole.tolist()}
    assert sum(tuple(row) in rows for row in counts.tolist()) >= left


def test_a_flipped_bit_is_found_by_its_checksum_and_left_as_it_is(
    store: Path, sound: Recording
) -> None:
    file = folder(store, sound) / "ecg_000001.dat"
    content = bytearray(file.read_bytes())
    content[500] ^= 4
    file.write_bytes(content)
    assert found(store, deep=False) == []
    (told,) = found(store)
    assert "checksum" in told
    list(repair(store))
    assert file.read_bytes() == bytes(content)
    assert len(found(store)) == 1


def test_a_file_that_nothing_knows_is_put_aside(store: Path, sound: Recording) -> None:
    raw = folder(store, sound)
    shutil.copy(raw / "ecg_000001.dat", raw / "ecg_000009.dat")
    assert "no row of the database knows it" in found(store, deep=False)[0]
    (told,) = repair(store)
    assert "ecg_000009.dat: moved to" in told
    assert lost(store) == ["ecg_000009.dat"]
    assert found(store) == []


def spoil(file: Path, at: float, n_bytes: int = 2048) -> None:
    """Overwrite a part in the middle of a file."""
    with file.open("r+b") as out:
        out.seek(int(file.stat().st_size * at) // 1024 * 1024)
        out.write(b"\xa5" * n_bytes)


@pytest.mark.parametrize("at", [0.3, 0.5, 0.7, 0.9])
def test_a_database_with_a_hole_gives_back_the_rows_around_it(
    store: Path, sound: Recording, at: float
) -> None:
    with closing(read_only(sound.directory)) as connection:
        before = {one.number for one in events_of(connection, sound.session.id)}
    spoil(store / FILE_NAME, at)
    assert FILE_NAME in found(store)[0]
    told = list(repair(store))
    assert "rows were saved" in told[0]
    assert FILE_NAME in lost(store)
    assert list(database_faults(store)) == []
    with closing(read_only(store)) as connection:
        assert session_names(connection) == [sound.session.id]
        after = {one.number for one in events_of(connection, sound.session.id)}
    assert after <= before
    # A page of rows is 1 kB; one that points to such pages takes some 30 of these with it.
    assert len(after) > 0.8 * len(before)


def test_what_is_no_database_at_all_makes_room_and_the_signal_stays(
    store: Path, sound: Recording
) -> None:
    (store / FILE_NAME).write_bytes(b"no database" * 1000)
    list(repair(store))
    assert found(store) == []
    assert FILE_NAME in lost(store)
    assert {"ecg_000001.dat", "ecg_000002.dat"} <= set(lost(store))
    run = Recording(store)
    run.samples(noise(1, 100))
    run.store.close()
    assert found(store) == []


def test_no_store_is_no_fault_of_a_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store here"):
        found(tmp_path)


def test_doctor_finds_and_repairs(
    store: Path, sound: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "_EXAMINATIONS", ())  # the others take their time
    (folder(store, sound) / "ecg_000001.dat").unlink()
    at_store = ("--set", f"store.directory={store}")
    sick = edge_runtime("doctor", *at_store)
    assert sick.exit_code == 1
    assert "--repair" in sick.output
    healed = edge_runtime("doctor", "--repair", *at_store)
    assert healed.exit_code == 0, healed.output
    assert "0 of 1000 samples are there" in healed.stderr
    assert "repair" in edge_runtime("audit", *at_store).stdout


def test_a_repair_survives_a_store_that_was_cut_off(store: Path) -> None:
    run = Recording(store)
    run.samples(noise(5, 700))
    run.store.sync()
    crashed = store.with_name("crashed")
    shutil.copytree(store, crashed)
    run.store.close()
    list(repair(crashed))
    assert found(crashed) == []
    Store(crashed, PROVENANCE, {}).close()
