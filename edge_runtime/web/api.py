"""The API's handlers, and the table of its endpoints."""

import asyncio
import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from edge_runtime.alarms.desk import AlarmDesk
from edge_runtime.audit import Audit
from edge_runtime.devices import DeviceDesk
from edge_runtime.errands import Errands
from edge_runtime.errors import ConfigError, StoreError
from edge_runtime.event_schema import event_schema
from edge_runtime.events import SCHEMA_VERSION
from edge_runtime.keeping import Keeping
from edge_runtime.publication import utc_text
from edge_runtime.reload import Reloader
from edge_runtime.setting_desk import SettingDesk
from edge_runtime.update.keeper import ModelKeeper
from edge_runtime.wearers import Wearers
from edge_runtime.web import metrics
from edge_runtime.web.accounts import Accounts
from edge_runtime.web.alarm_actions import alarm_endpoints
from edge_runtime.web.answers import answer, refusal
from edge_runtime.web.bodies import taken
from edge_runtime.web.devices import device_endpoints
from edge_runtime.web.endpoints import SESSION_NAME, Endpoint, Parameter, RefusedError, number
from edge_runtime.web.entry import Entry, Invitations, entry_endpoints, too_often, welcome
from edge_runtime.web.exporting import Exporter
from edge_runtime.web.feed import LiveFeed
from edge_runtime.web.guard import COOKIE, Caller, cookie_of, name_of
from edge_runtime.web.history import stored_events, stored_sessions, stored_strip
from edge_runtime.web.kept import kept_endpoints
from edge_runtime.web.live_answer import LiveAnswer
from edge_runtime.web.logins import AttemptLimit, Logins
from edge_runtime.web.models import model_status
from edge_runtime.web.openapi import openapi
from edge_runtime.web.phones import Tried, phone_endpoints
from edge_runtime.web.roles import Role
from edge_runtime.web.settings import setting_endpoints
from edge_runtime.web.shapes import (
    Alarms,
    ChangedKey,
    Credentials,
    Done,
    EventPage,
    ExportOrder,
    Mark,
    Reloaded,
    SourceStatus,
    Status,
    StoredSessions,
    StoredStrip,
    Strip,
    Trend,
    Who,
)
from firmware_bridge.stream import SampleIndex, UserMark

_LONGEST_STRIP: Final = 60_000
"""Samples: a minute at 1000 Hz."""
_LARGEST: Final = 2**53
"""Indices stay exact in a browser."""
_MOST_DIGITS: Final = 16

_FIRST: Final = Parameter("first", "index of the first sample", 0, _LARGEST)
_LENGTH: Final = Parameter("length", "how many samples", 1, _LONGEST_STRIP)
_AFTER: Final = Parameter("after", "only events numbered above", 0, _LARGEST, default=0)
_LIMIT: Final = Parameter("limit", "at most so many", 1, 1000, default=200)


@dataclass(frozen=True, slots=True)
class Behind:
    """What the API speaks for: the live feed, the store, the accounts, and the engine's ear."""

    feed: LiveFeed
    store: Path
    accounts: Accounts
    mark: Callable[[str, UserMark], None]
    logins: Logins
    attempts: AttemptLimit
    desk: AlarmDesk
    keeping: Keeping
    reloader: Reloader | None = None
    devices: DeviceDesk | None = None
    models: Callable[[], ModelKeeper | None] = lambda: None
    phones: Sequence[Tried] = ()
    settings: SettingDesk | None = None
    entry: Entry = field(default_factory=lambda: Entry(Invitations(time.monotonic)))


def endpoints(behind: Behind) -> tuple[Endpoint, ...]:
    """Everything under /api/v1 but its own description."""
    api = _Api(behind)
    return (
        Endpoint("GET", "/status", "The daemon and every source, now", api.status, Status),
        Endpoint(
            "GET",
            "/live",
            "Server-sent events: a frame several times a second, each the JSON of `Frame`",
            api.live,
            media_type="text/event-stream",
            refusals=(503,),
        ),
        Endpoint("GET", "/alarms", "Alarms since the daemon's start", api.alarms, Alarms),
        *alarm_endpoints(behind.desk, behind.feed),
        *kept_endpoints(behind.store, behind.keeping, behind.feed, behind.desk),
        *phone_endpoints(behind.phones),
        *setting_endpoints(behind.settings, behind.reloader, behind.store, behind.keeping.audit),
        *entry_endpoints(behind.entry, behind.accounts, behind.logins, behind.attempts),
        *device_endpoints(behind.devices, behind.feed, behind.reloader),
        Endpoint(
            "GET",
            "/sources/{source}",
            "One source, now",
            api.source,
            SourceStatus,
            refusals=(404,),
        ),
        Endpoint(
            "GET",
            "/sources/{source}/trend",
            "Heart rate and ectopic beats by the minute, and rhythms",
            api.trend,
            Trend,
            refusals=(404,),
        ),
        Endpoint(
            "GET",
            "/sources/{source}/strip",
            "Raw signal of the last five minutes",
            api.strip,
            Strip,
            query=(_FIRST, _LENGTH),
            refusals=(404,),
        ),
        Endpoint(
            "POST",
            "/sources/{source}/marks",
            "Mark this moment of the recording",
            api.mark,
            Done,
            takes=Mark,
            role=Role.ACKNOWLEDGE,
            refusals=(404, 409),
        ),
        Endpoint(
            "GET",
            "/sessions",
            "Sessions in the store",
            api.sessions,
            StoredSessions,
            query=(_LIMIT,),
            refusals=(503,),
        ),
        Endpoint(
            "GET",
            "/sessions/{session}/events",
            "Stored events of a session, in order",
            api.events,
            EventPage,
            query=(_AFTER, _LIMIT),
            refusals=(404, 503),
        ),
        Endpoint(
            "GET",
            "/sessions/{session}/alarms/{alarm}/strip",
            "The stored signal around an alarm, by the alarm's number",
            api.stored_strip,
            StoredStrip,
            refusals=(404,),
        ),
        Endpoint(
            "POST",
            "/sessions/{session}/export",
            "A file: the session, or a stretch of it, in another format",
            api.export,
            media_type="application/octet-stream",
            takes=ExportOrder,
            role=Role.VIEW,
            refusals=(404, 503),
        ),
        Endpoint("GET", "/who", "Who is asking", api.who, Who),
        Endpoint(
            "POST",
            "/login",
            "Log in: the answer sets a cookie",
            api.log_in,
            Who,
            takes=Credentials,
            refusals=(429,),
        ),
        Endpoint("POST", "/logout", "Log out", api.log_out, Done),
        Endpoint(
            "POST",
            "/reload",
            "Read the configuration again, as on SIGHUP; with a mistake nothing changes",
            api.reload,
            Reloaded,
            role=Role.ADMINISTER,
            refusals=(409,),
        ),
        Endpoint("GET", "/metrics", "For Prometheus", api.metrics, media_type=metrics.MEDIA_TYPE),
        Endpoint(
            "GET",
            "/schema/events.json",
            "JSON Schema of a published event",
            api.schema,
            media_type="application/schema+json",
        ),
    )


def unattended(directory: Path) -> Keeping:
    """Of a daemon that keeps nothing."""
    return Keeping(Errands(), Audit(directory), Wearers(directory, {}), lambda _source, _why: None)


def described() -> dict[str, Any]:
    """OpenAPI of all endpoints."""

    def mute(_source: str, _mark: UserMark) -> None:
        """Nothing is marked by a description."""

    now_s = time.monotonic
    directory, desk = Path(), AlarmDesk()
    behind = Behind(
        LiveFeed((), desk),
        directory,
        Accounts(directory),
        mute,
        Logins(now_s),
        AttemptLimit(now_s),
        desk,
        unattended(directory),
    )
    return openapi(endpoints(behind))


class _Api:
    def __init__(self, behind: Behind) -> None:
        self._behind = behind
        self._feed = behind.feed
        self._exporter = Exporter(behind.store)
        self._version = version("ecg-edge")

    async def status(self, _request: Request) -> Response:
        return answer(
            Status(
                version=self._version,
                schema_version=SCHEMA_VERSION,
                time=utc_text(time.time_ns()),
                started=self._feed.started,
                models=model_status(self._behind.models()),
                sources=self._feed.status(),
                dropped=self._feed.dropped(),
            )
        )

    async def live(self, _request: Request) -> Response:
        return LiveAnswer(self._feed)

    async def alarms(self, _request: Request) -> Response:
        return answer(Alarms(alarms=self._feed.alarms()))

    async def source(self, request: Request) -> Response:
        return answer(self._source(request))

    async def trend(self, request: Request) -> Response:
        name = request.path_params["source"]
        trend = self._feed.trend(name)
        if trend is None:
            raise RefusedError(404, f"no source {name!r}")
        return answer(trend)

    async def strip(self, request: Request) -> Response:
        first, length = number(request, _FIRST), number(request, _LENGTH)
        strip = self._feed.strip(request.path_params["source"], first, first + length)
        if strip is None:
            raise RefusedError(404, "no such source, or nothing has come from it yet")
        return answer(strip)

    async def mark(self, request: Request) -> Response:
        source = self._source(request)
        given = await taken(request, Mark)
        text = " ".join(given.text.split())
        if source.session is None:
            raise RefusedError(409, f"nothing comes from {source.source!r} yet")
        at = max(0, source.end - round(given.ago_s * source.rate_hz))
        self._behind.mark(source.source, UserMark(SampleIndex(at), text))
        return answer(Done())

    async def sessions(self, request: Request) -> Response:
        return await self._stored(stored_sessions, number(request, _LIMIT))

    async def events(self, request: Request) -> Response:
        after, limit = number(request, _AFTER), number(request, _LIMIT)
        self._viewed(request)
        return await self._stored(stored_events, request.path_params["session"], after, limit)

    async def stored_strip(self, request: Request) -> Response:
        session, alarm = request.path_params["session"], request.path_params["alarm"]
        if not (alarm.isascii() and alarm.isdigit() and len(alarm) < _MOST_DIGITS):
            raise RefusedError(404, "that is no alarm's number")
        self._viewed(request)
        return await self._stored(stored_strip, session, int(alarm))

    async def export(self, request: Request) -> Response:
        order = await taken(request, ExportOrder)
        by = name_of(request)
        return await self._exporter.export(request.path_params["session"], order, by)

    async def who(self, request: Request) -> Response:
        return answer(_who(request.scope["caller"]))

    async def log_in(self, request: Request) -> Response:
        refused = too_often(request, self._behind.attempts)
        if refused is not None:
            return refused
        given = await taken(request, Credentials)
        check = functools.partial(self._behind.accounts.by_password, given.name, given.password)
        account = await asyncio.to_thread(check)
        if account is None:
            return refusal(401, "name or password is wrong")
        return welcome(request, self._behind.logins, account)

    async def log_out(self, request: Request) -> Response:
        self._behind.logins.end(cookie_of(request.headers))
        response = answer(Done())
        response.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return response

    async def reload(self, _request: Request) -> Response:
        reloader = self._behind.reloader
        if reloader is None:
            raise RefusedError(409, "this daemon was started without a configuration file")
        try:
            changes = await reloader.reload()
        except ConfigError as error:
            raise RefusedError(409, str(error)) from error
        return answer(
            Reloaded(
                changes=[
                    ChangedKey(key=one.key, effect=one.effect.value, text=one.text)
                    for one in changes
                ]
            )
        )

    async def metrics(self, _request: Request) -> Response:
        feed = self._feed
        text = metrics.metrics(feed.status(), feed.alarms(), feed.readers, feed.dropped())
        return Response(text, media_type=metrics.MEDIA_TYPE)

    async def schema(self, _request: Request) -> Response:
        return Response(event_schema(), media_type="application/schema+json")

    def _source(self, request: Request) -> SourceStatus:
        name = request.path_params["source"]
        for one in self._feed.status():
            if one.source == name:
                return one
        raise RefusedError(404, f"no source {name!r}")

    def _viewed(self, request: Request) -> None:
        session = request.path_params["session"]
        if SESSION_NAME.fullmatch(session):
            self._behind.keeping.audit.record_view(name_of(request), session)

    async def _stored(self, read: Callable[..., msgspec.Struct], *arguments: object) -> Response:
        try:
            return answer(await asyncio.to_thread(read, self._behind.store, *arguments))
        except StoreError as error:
            raise RefusedError(503, str(error)) from error


def _who(caller: Caller) -> Who:
    role = None if caller.role is None else caller.role.name.lower()
    return Who(name=caller.name, role=role)
