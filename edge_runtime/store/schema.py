"""The database's tables, as numbered migrations. A released migration never changes."""

import sqlite3
from typing import Final

from edge_runtime.errors import StoreError

# STRICT: a number of a wrong type (numpy's, say) is refused instead of becoming a blob.
MIGRATIONS: Final = (
    """
    CREATE TABLE subject (
        id INTEGER PRIMARY KEY,
        label TEXT NOT NULL UNIQUE
    ) STRICT;
    CREATE TABLE session (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        subject INTEGER REFERENCES subject,
        source TEXT NOT NULL,
        stream TEXT NOT NULL,            -- StreamOpened as JSON
        started_utc_ns INTEGER NOT NULL,
        ended_utc_ns INTEGER,            -- NULL while it runs, and after a crash until the recovery
        end_reason TEXT,
        bundle_set TEXT NOT NULL,        -- hashes: what the session was made with
        configuration TEXT NOT NULL,
        rules TEXT NOT NULL
    ) STRICT;
    -- One row a beat instead of two events as JSON: a day has 100,000 of them.
    CREATE TABLE beat (
        session INTEGER NOT NULL REFERENCES session,
        at INTEGER NOT NULL,
        detected_number INTEGER,         -- NULL: only the class of this beat is known
        detected_utc_ms INTEGER,
        detected_decided INTEGER,
        lead TEXT,
        rr_s REAL,
        heart_rate_bpm REAL,
        classified_number INTEGER,       -- NULL: not classified (yet)
        classified_utc_ms INTEGER,
        classified_decided INTEGER,
        label TEXT,
        scores TEXT,
        reason TEXT,
        PRIMARY KEY (session, at)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE event (
        session INTEGER NOT NULL REFERENCES session,
        number INTEGER NOT NULL,
        at INTEGER NOT NULL,
        utc_ms INTEGER NOT NULL,
        type TEXT NOT NULL,
        payload TEXT NOT NULL,           -- edge_runtime.events as JSON
        PRIMARY KEY (session, number)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX event_by_type ON event (session, type, at);
    CREATE TABLE episode (
        session INTEGER NOT NULL REFERENCES session,
        rhythm TEXT NOT NULL,
        onset INTEGER NOT NULL,
        ended INTEGER,
        PRIMARY KEY (session, rhythm, onset)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE alarm (
        session INTEGER NOT NULL REFERENCES session,
        alarm INTEGER NOT NULL,
        rule TEXT NOT NULL,
        kind TEXT NOT NULL,
        priority TEXT NOT NULL,
        text TEXT NOT NULL,
        raised_at INTEGER NOT NULL,
        raised_utc_ms INTEGER NOT NULL,
        cleared_at INTEGER,
        PRIMARY KEY (session, alarm)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE gap (
        session INTEGER NOT NULL REFERENCES session,
        signal TEXT NOT NULL,
        first INTEGER NOT NULL,
        n_missing INTEGER NOT NULL,
        exact INTEGER NOT NULL,
        reason TEXT NOT NULL,
        PRIMARY KEY (session, signal, first)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE anchor (
        session INTEGER NOT NULL REFERENCES session,
        at INTEGER NOT NULL,
        source_ns INTEGER,
        host_ns INTEGER NOT NULL,
        utc_ns INTEGER NOT NULL,
        PRIMARY KEY (session, at)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE segment (
        session INTEGER NOT NULL REFERENCES session,
        signal TEXT NOT NULL,
        first INTEGER NOT NULL,
        name TEXT NOT NULL,
        fmt INTEGER NOT NULL,
        n_samples INTEGER,               -- NULL while it is being written
        PRIMARY KEY (session, signal, first)
    ) STRICT, WITHOUT ROWID;
    """,
    """
    -- 1: on its way out. Nobody reads it any more; its files and rows go in steps.
    ALTER TABLE session ADD COLUMN going INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE segment ADD COLUMN going INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE session ADD COLUMN judged TEXT NOT NULL DEFAULT '[]';  -- rhythms looked for, JSON
    -- What people say of alarms and beats, beside what was raised. Nothing is ever overwritten:
    -- the newest of a target counts.
    CREATE TABLE review (
        id INTEGER PRIMARY KEY,
        session INTEGER NOT NULL REFERENCES session,
        subject TEXT NOT NULL,           -- alarm, beat
        target INTEGER NOT NULL,         -- the alarm's number, or where the beat is
        verdict TEXT NOT NULL,
        label TEXT,                      -- what it is instead
        comment TEXT NOT NULL,
        by TEXT NOT NULL,
        utc_ms INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX review_of ON review (session, subject, target);
    """,
    """
    -- Sample "idx" of a signal beside the reference was taken with sample "at" of that.
    CREATE TABLE alignment (
        session INTEGER NOT NULL REFERENCES session,
        signal TEXT NOT NULL,
        idx INTEGER NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (session, signal, idx)
    ) STRICT, WITHOUT ROWID;
    """,
)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the database to the newest schema, each step in a transaction of its own.

    Raises StoreError for a database made by a newer version.
    """
    for number in range(checked_version(connection), len(MIGRATIONS)):
        script = MIGRATIONS[number]
        connection.executescript(f"BEGIN;{script};PRAGMA user_version = {number + 1};COMMIT;")


def checked_version(connection: sqlite3.Connection) -> int:
    """The database's schema. Raises StoreError when it is newer than this program."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise StoreError(
            f"the database has schema {version}, this version knows {len(MIGRATIONS)}; "
            "install a newer ecg-edge or use another store.directory"
        )
    return int(version)
