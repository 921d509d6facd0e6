"""What people say of alarms and beats: confirmed, false, or something else.

Kept beside what the engine said, which stays as it was. Nothing is overwritten: a second opinion is
a second review, and the newest of a target counts.
"""

import sqlite3
from collections.abc import Iterator
from enum import StrEnum
from typing import Final

import msgspec

from edge_runtime.errors import StoreError
from edge_runtime.events import BeatClass
from edge_runtime.store.database import Database
from edge_runtime.store.reading import session_row

LONGEST_COMMENT: Final = 500
_LONGEST_LABEL: Final = 40


class Verdict(StrEnum):
    """What a person makes of it."""

    CONFIRMED = "confirmed"
    FALSE = "false"
    RECLASSIFIED = "reclassified"


class Subject(StrEnum):
    """What is reviewed."""

    ALARM = "alarm"
    BEAT = "beat"


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """One opinion. `target`: the alarm's number in its session, or the sample index of the beat.
    `label`, of a reclassification alone: a beat's class, or what the alarm should have been."""

    session: str
    subject: Subject
    target: int
    verdict: Verdict
    label: str | None = None
    comment: str = ""
    by: str = ""
    utc_ms: int = 0

    def __post_init__(self) -> None:
        if (self.label is not None) != (self.verdict is Verdict.RECLASSIFIED):
            raise ValueError("a label belongs to a reclassification, and each of these needs one")
        if self.label is not None:
            _check_label(self.subject, self.label)
        if len(self.comment) > LONGEST_COMMENT:
            raise ValueError(f"a comment has at most {LONGEST_COMMENT} characters")


def _check_label(subject: Subject, label: str) -> None:
    if subject is Subject.BEAT and label not in {kind.value for kind in BeatClass}:
        classes = ", ".join(kind.value for kind in BeatClass)
        raise ValueError(f"a beat is one of {classes}, not {label!r}")
    if not label.strip() or len(label) > _LONGEST_LABEL:
        raise ValueError(f"a label has 1 to {_LONGEST_LABEL} characters")


_ALARM: Final = "SELECT 1 FROM alarm WHERE session = ? AND alarm = ?"
_BEAT: Final = "SELECT 1 FROM beat WHERE session = ? AND at = ?"


def add_review(database: Database, review: Review) -> None:
    """Keep it; it is on disk when this returns. Raises StoreError, also where the store knows of
    no such alarm or beat."""
    number = database.number_of(review.session)
    database.commit()  # a beat of a moment ago is still waiting
    known = _ALARM if review.subject is Subject.ALARM else _BEAT
    if not database.read(known, number, review.target):
        raise StoreError(f"session {review.session} has no {review.subject} {review.target}")
    database.change(
        "INSERT INTO review (session, subject, target, verdict, label, comment, by, utc_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        number,
        review.subject.value,
        review.target,
        review.verdict.value,
        review.label,
        review.comment,
        review.by,
        review.utc_ms,
    )


def reviews_of(connection: sqlite3.Connection, session: str) -> Iterator[Review]:
    """All of a session, oldest first. Raises StoreError for an unknown one."""
    session_row(connection, session)
    rows = connection.execute(
        "SELECT review.subject, target, verdict, label, comment, by, utc_ms FROM review"
        " JOIN session ON session.id = review.session WHERE name = ? ORDER BY review.id",
        (session,),
    )
    for subject, target, verdict, label, comment, by, utc_ms in rows:
        yield Review(
            session=session,
            subject=Subject(subject),
            target=target,
            verdict=Verdict(verdict),
            label=label,
            comment=comment,
            by=by,
            utc_ms=utc_ms,
        )
