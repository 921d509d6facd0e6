"""Settings, through the API: what there is, what a change would have raised, the change."""

import asyncio
import dataclasses
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from edge_runtime.audit import Audit
from edge_runtime.errors import ConfigError, StoreError
from edge_runtime.preview import NOT_PREVIEWED, Preview, preview
from edge_runtime.reload import Reloader
from edge_runtime.setting_desk import SettingDesk
from edge_runtime.store.reading import read_only
from edge_runtime.web.answers import answer
from edge_runtime.web.bodies import taken
from edge_runtime.web.endpoints import Endpoint, RefusedError
from edge_runtime.web.guard import name_of
from edge_runtime.web.roles import Role
from edge_runtime.web.setting_shapes import (
    PreviewOrder,
    RulePreview,
    SettingShown,
    SettingsOrder,
    SettingsShown,
    SettingsTried,
)
from edge_runtime.web.shapes import ChangedKey, Reloaded
from firmware_bridge.errors import RecordError

_Result = TypeVar("_Result")
_NO_FILE: Final = "this daemon was started without a configuration that can be read again"


def setting_endpoints(
    desk: SettingDesk | None, reloader: Reloader | None, store: Path, audit: Audit
) -> tuple[Endpoint, ...]:
    """The list, the preview, the change."""
    previews, saving = asyncio.Lock(), asyncio.Lock()

    def present() -> SettingDesk:
        if desk is None:
            raise RefusedError(409, _NO_FILE)
        return desk

    async def listed(_request: Request) -> Response:
        settings = await _done(present().listed)
        shown = [
            SettingShown(
                **dataclasses.asdict(one) | {"choices": list(one.choices), "effect": one.effect}
            )
            for one in settings
        ]
        return answer(SettingsShown(settings=shown))

    async def tried(request: Request) -> Response:
        order = await taken(request, PreviewOrder)
        since = datetime.now(UTC) - timedelta(hours=order.hours)

        def work() -> Preview:
            now, then = present().reread(), present().tried(order.changes)
            with closing(read_only(store)) as connection:
                return preview(connection, now.rules, then.rules, since)

        async with previews:  # each reads a day; one at a time is load enough
            found = await _done(work)
        rows = [RulePreview(rule=rule, now=now, then=then) for rule, now, then in found.rows()]
        return answer(
            SettingsTried(
                hours=round(found.hours, 3), rules=rows, not_previewed=list(NOT_PREVIEWED)
            )
        )

    async def save(request: Request) -> Response:
        order = await taken(request, SettingsOrder)
        if reloader is None:
            raise RefusedError(409, _NO_FILE)
        async with saving:
            take_back = await _done(lambda: present().save(order.changes))
            try:
                changes = await reloader.reload()
            except ConfigError as error:
                await _done(take_back)
                raise RefusedError(409, str(error)) from error
        audit.record(name_of(request), "change settings", keys=", ".join(sorted(order.changes)))
        told = [ChangedKey(key=c.key, effect=c.effect.value, text=c.text) for c in changes]
        return answer(Reloaded(changes=told))

    return (
        Endpoint(
            "GET",
            "/settings",
            "What can be changed while the daemon runs",
            listed,
            SettingsShown,
            refusals=(409,),
        ),
        Endpoint(
            "POST",
            "/settings/preview",
            "How many alarms other values would have raised in the last hours",
            tried,
            SettingsTried,
            takes=PreviewOrder,
            role=Role.ADMINISTER,
            refusals=(409, 503),
        ),
        Endpoint(
            "POST",
            "/settings",
            "Save values and bring them into force; with a mistake nothing changes",
            save,
            Reloaded,
            takes=SettingsOrder,
            role=Role.ADMINISTER,
            refusals=(409, 503),
        ),
    )


async def _done(work: Callable[[], _Result]) -> _Result:
    """In a thread: it reads and writes files."""
    try:
        return await asyncio.to_thread(work)
    except ConfigError as error:
        raise RefusedError(409, str(error)) from error
    except (StoreError, RecordError) as error:
        raise RefusedError(503, str(error)) from error
