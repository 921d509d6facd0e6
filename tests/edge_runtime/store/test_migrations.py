"""Stores of every older version, as that version wrote them, brought to the newest.

`schemas/vN.sql` and `vN.events.jsonl` were written by the program that had schema N; they never
change. A new schema gets a pair of its own.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from edge_runtime.publication import Published
from edge_runtime.store.database import FILE_NAME
from edge_runtime.store.reading import events_of, read_only, session_rows
from edge_runtime.store.schema import MIGRATIONS
from edge_runtime.store.store import Store
from tests.edge_runtime.store.making import PROVENANCE, Recording, beat

SCHEMAS = Path(__file__).parent / "schemas"
VERSIONS = range(1, len(MIGRATIONS) + 1)


def old_store(directory: Path, number: int) -> list[Published]:
    """Make the store of version `number`; its events."""
    directory.mkdir(exist_ok=True)
    with closing(sqlite3.connect(directory / FILE_NAME)) as connection:
        connection.executescript((SCHEMAS / f"v{number}.sql").read_text())
    lines = (SCHEMAS / f"v{number}.events.jsonl").read_bytes().splitlines()
    return [msgspec.json.decode(line, type=Published) for line in lines]


def tables(directory: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(read_only(directory)) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {
            name: connection.execute(f"PRAGMA table_info({name})").fetchall() for (name,) in names
        }


@pytest.mark.parametrize("number", VERSIONS)
def test_every_older_store_is_read_and_recorded_to_as_before(tmp_path: Path, number: int) -> None:
    old = tmp_path / "old"
    published = old_store(old, number)
    Store(old, PROVENANCE, {}).close()
    Store(tmp_path / "new", PROVENANCE, {}).close()
    assert tables(old) == tables(tmp_path / "new")
    with closing(read_only(old)) as connection:
        (row,) = session_rows(connection)
        assert (row.wearer, row.end_reason, row.judged) == ("wearer 7", "stopped", ())
        assert list(events_of(connection, row.name)) == published
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    run = Recording(old)
    run.events(*beat(100))
    run.store.close()


def test_the_newest_schema_has_its_example() -> None:
    assert sorted(file.name for file in SCHEMAS.glob("*.sql")) == [f"v{n}.sql" for n in VERSIONS]
