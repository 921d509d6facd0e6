"""What people say of alarms and beats lies beside what was raised."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.errors import StoreError
from edge_runtime.store.reading import events_of, read_only
from edge_runtime.store.reviews import Review, Subject, Verdict, reviews_of
from tests.edge_runtime.store.making import Recording, alarm, beat

FALSE_ALARM: dict[str, Any] = {"subject": Subject.ALARM, "target": 1, "verdict": Verdict.FALSE}


def test_reviews_are_kept_in_order_and_change_nothing_else(tmp_path: Path) -> None:
    run = Recording(tmp_path)
    published = [run.session.publish(one) for one in (*beat(100), alarm(300))]
    run.store.record_events(published[:2])  # still waiting when it is reviewed
    given = [
        Review(
            session=run.session.id,
            subject=Subject.BEAT,
            target=100,
            verdict=Verdict.RECLASSIFIED,
            label="V",
            by="dr",
            utc_ms=5,
        )
    ]
    run.store.review(given[0])
    run.store.record_events(published[2:])
    for verdict in (Verdict.FALSE, Verdict.CONFIRMED):
        given.append(
            Review(session=run.session.id, subject=Subject.ALARM, target=1, verdict=verdict)
        )
        run.store.review(given[-1])
    run.store.close()
    with closing(read_only(tmp_path)) as connection:
        assert list(reviews_of(connection, run.session.id)) == given
        assert list(events_of(connection, run.session.id)) == published


def test_what_the_store_has_not_cannot_be_reviewed(tmp_path: Path) -> None:
    run = Recording(tmp_path)
    with pytest.raises(StoreError, match="has no alarm 1"):
        run.store.review(Review(session=run.session.id, **FALSE_ALARM))
    with pytest.raises(StoreError, match="no session 'x'"):
        run.store.review(Review(session="x", **FALSE_ALARM))
    run.store.close()
    with closing(read_only(tmp_path)) as connection, pytest.raises(StoreError, match="no session"):
        list(reviews_of(connection, "x"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"verdict": Verdict.RECLASSIFIED},
        {"label": "V"},
        {"verdict": Verdict.RECLASSIFIED, "label": " "},
        {"verdict": Verdict.RECLASSIFIED, "label": "x" * 41},
        {"subject": Subject.BEAT, "verdict": Verdict.RECLASSIFIED, "label": "W"},
        {"comment": "x" * 501},
    ],
)
def test_an_opinion_that_makes_no_sense_is_none(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"label|beat|comment"):
        Review(session="s", **{**FALSE_ALARM, **wrong})
