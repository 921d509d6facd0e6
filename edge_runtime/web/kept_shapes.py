"""What the API takes and answers about what is kept: sessions, reviews, wearers."""

from typing import Annotated

import msgspec

from edge_runtime.store.overview import DiaryEntry
from edge_runtime.store.reviews import LONGEST_COMMENT, Review, Verdict
from edge_runtime.wearers import LONGEST
from edge_runtime.web.shapes import StoredSession


class KeptSession(StoredSession, frozen=True, kw_only=True):
    """A session in numbers. `ended` is None while it runs; `rules` counts alarms; `rhythms` are
    those that were looked for."""

    beats: int
    alarms: int
    gaps: int
    reviews: int
    raw_bytes: int
    strip_bytes: int
    rules: dict[str, int]
    diary: list[DiaryEntry]


class Deleted(msgspec.Struct, frozen=True, kw_only=True):
    """It is gone from the store; `backups` are folders that may still hold it."""

    session: str
    backups: list[str]


class ReviewOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody makes of an alarm (`alarm`, its number) or a beat (`beat`, its sample index):
    one of the two. `label` belongs to `reclassified`: N, S, V, F or Q for a beat, a rule's name or
    other words for an alarm."""

    session: str
    verdict: Verdict
    alarm: int | None = None
    beat: int | None = None
    label: str | None = None
    comment: Annotated[str, msgspec.Meta(max_length=LONGEST_COMMENT)] = ""


class Reviews(msgspec.Struct, frozen=True, kw_only=True):
    """Oldest first; of several of one target the newest counts."""

    reviews: list[Review]


class Wearer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who wears a sensor, as a pseudonym; empty: nobody is named."""

    wearer: Annotated[str, msgspec.Meta(max_length=LONGEST)]
