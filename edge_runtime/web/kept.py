"""What is kept, through the API: a session in numbers, its deletion, reviews, wearers."""

import asyncio
import time
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta, timezone, tzinfo
from pathlib import Path
from typing import Final, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from edge_runtime.alarms.desk import AlarmDesk
from edge_runtime.errors import ConfigError, StoreError
from edge_runtime.holter import Holter
from edge_runtime.keeping import Keeping
from edge_runtime.store.backups import backups_with
from edge_runtime.store.holter_reading import stored_holter
from edge_runtime.store.overview import session_overview
from edge_runtime.store.reading import read_only
from edge_runtime.store.reviews import Review, Subject, reviews_of
from edge_runtime.web.answers import answer
from edge_runtime.web.bodies import taken
from edge_runtime.web.endpoints import SESSION_NAME, Endpoint, Parameter, RefusedError, number
from edge_runtime.web.feed import LiveFeed
from edge_runtime.web.guard import name_of
from edge_runtime.web.history import session_shown
from edge_runtime.web.kept_shapes import Deleted, KeptSession, ReviewOrder, Reviews, Wearer
from edge_runtime.web.roles import Role
from edge_runtime.web.shapes import Done

_Answer = TypeVar("_Answer")


def kept_endpoints(
    directory: Path, keeping: Keeping, feed: LiveFeed, desk: AlarmDesk
) -> tuple[Endpoint, ...]:
    """Show and delete a session, review, change a wearer."""

    async def show(request: Request) -> Response:
        session = _session(request)
        keeping.audit.record_view(name_of(request), session)
        return answer(await _found(lambda: _shown(directory, session)))

    async def delete(request: Request) -> Response:
        session = _session(request)
        try:
            await keeping.delete(session, name_of(request))
        except StoreError as error:
            raise RefusedError(409, str(error)) from error
        desk.forget(session)
        feed.forget(session)
        backups = await _found(lambda: backups_with(directory, session))
        return answer(Deleted(session=session, backups=backups))

    async def review(request: Request) -> Response:
        given = _review(await taken(request, ReviewOrder), name_of(request))
        try:
            await keeping.review(given)
        except StoreError as error:
            raise RefusedError(409, str(error)) from error
        return answer(given)

    async def summary(request: Request) -> Response:
        session = _session(request)
        keeping.audit.record_view(name_of(request), session)
        zone = timezone(timedelta(minutes=number(request, _OFFSET)))
        return answer(await _found(lambda: _summed(directory, session, zone)))

    async def reviews(request: Request) -> Response:
        session = _session(request)
        return answer(await _found(lambda: _reviewed(directory, session)))

    async def change_wearer(request: Request) -> Response:
        source = request.path_params["source"]
        if source not in feed.sources:
            raise RefusedError(404, f"no source {source!r}")
        given = await taken(request, Wearer)
        try:
            changed = keeping.change_wearer(source, given.wearer, name_of(request))
        except ConfigError as error:
            raise RefusedError(400, str(error)) from error
        if not changed:
            raise RefusedError(409, "it is so already")
        feed.forget_source(source)
        return answer(Done())

    return (
        Endpoint(
            "GET",
            "/sessions/{session}",
            "A stored session in numbers, with its diary",
            show,
            KeptSession,
            refusals=(404,),
        ),
        Endpoint(
            "DELETE",
            "/sessions/{session}",
            "Delete a session that has ended: signal, strips, events, alarms, reviews",
            delete,
            Deleted,
            role=Role.ADMINISTER,
            refusals=(404, 409),
        ),
        Endpoint(
            "GET",
            "/sessions/{session}/holter",
            "The Holter summary of a session: by day and hour",
            summary,
            Holter,
            query=(_OFFSET,),
            refusals=(404,),
        ),
        Endpoint(
            "POST",
            "/reviews",
            "Say of an alarm or a beat that it is right, false, or something else",
            review,
            Review,
            takes=ReviewOrder,
            role=Role.ACKNOWLEDGE,
            refusals=(409,),
        ),
        Endpoint(
            "GET",
            "/sessions/{session}/reviews",
            "What people said of a session's alarms and beats",
            reviews,
            Reviews,
            refusals=(404,),
        ),
        Endpoint(
            "POST",
            "/sources/{source}/wearer",
            "Another person wears this sensor: a new session begins",
            change_wearer,
            Done,
            takes=Wearer,
            role=Role.ACKNOWLEDGE,
            refusals=(404, 409),
        ),
    )


_OFFSET: Final = Parameter(
    "offset_min",
    "minutes that local time is ahead of UTC, for days and hours",
    -840,
    840,
    default=0,
)


def _session(request: Request) -> str:
    name: str = request.path_params["session"]
    if not SESSION_NAME.fullmatch(name):
        raise RefusedError(404, "that is no session's name")
    return name


def _review(order: ReviewOrder, by: str) -> Review:
    if (order.alarm is None) == (order.beat is None):
        raise RefusedError(400, "give an alarm's number or a beat's sample index")
    target = order.beat if order.alarm is None else order.alarm
    assert target is not None
    try:
        return Review(
            session=order.session,
            subject=Subject.BEAT if order.alarm is None else Subject.ALARM,
            target=target,
            verdict=order.verdict,
            label=order.label,
            comment=order.comment,
            by=by,
            utc_ms=time.time_ns() // 1_000_000,
        )
    except ValueError as error:
        raise RefusedError(400, str(error)) from error


async def _found(read: Callable[[], _Answer]) -> _Answer:
    """Off the loop. Raises RefusedError (404)."""
    try:
        return await asyncio.to_thread(read)
    except StoreError as error:
        raise RefusedError(404, str(error)) from error


def _reviewed(directory: Path, session: str) -> Reviews:
    with closing(read_only(directory)) as connection:
        return Reviews(reviews=list(reviews_of(connection, session)))


def _summed(directory: Path, session: str, zone: tzinfo) -> Holter:
    with closing(read_only(directory)) as connection:
        return stored_holter(connection, session, zone)


def _shown(directory: Path, session: str) -> KeptSession:
    with closing(read_only(directory)) as connection:
        found = session_overview(connection, directory, session)
    return KeptSession(
        **msgspec.structs.asdict(session_shown(found.session)),
        beats=found.beats,
        alarms=found.alarms,
        gaps=found.gaps,
        reviews=found.reviews,
        raw_bytes=found.raw_bytes,
        strip_bytes=found.strip_bytes,
        rules=found.rules,
        diary=found.diary,
    )
