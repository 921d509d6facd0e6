"""Settings over the API: who may, what is tried, what comes into force, what is written down."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from edge_runtime.audit import entries
from tests.edge_runtime.stored_alarms import store_alarms
from tests.edge_runtime.web.changeable import Changeable
from tests.edge_runtime.web.house import a_house


@asynccontextmanager
async def administered(directory: Path) -> AsyncIterator[tuple[Changeable, httpx.AsyncClient]]:
    daemon = Changeable(directory)
    house = a_house(directory, reloader=daemon.reloader, setting_desk=daemon.desk)
    async with house as there, there.local_client() as client:
        yield daemon, client


async def said(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> tuple[int, Any]:
    answer = await client.post(f"/api/v1/{path}", json=body)
    return answer.status_code, answer.json()


def test_a_change_is_saved_brought_into_force_and_written_down(tmp_path: Path) -> None:
    async def run() -> None:
        async with administered(tmp_path) as (daemon, client):
            status, told = await said(
                client, "settings", {"changes": {"rules.bradycardia.below_bpm": 45}}
            )
            assert status == 200, told
            (change,) = told["changes"]
            assert change["key"] == "rules.bradycardia.below_bpm"
            assert change["effect"] == "at once"
            (plan,) = daemon.plans
            assert plan.rules is not None
            assert plan.rules.bradycardia.below_bpm == 45
            shown = (await client.get("/api/v1/settings")).json()["settings"]
            one = next(s for s in shown if s["key"] == "rules.bradycardia.below_bpm")
            assert (one["value"], one["origin"]) == (45, "saved")

    asyncio.run(run())
    (entry,) = [e for e in entries(tmp_path) if not isinstance(e, str) and "settings" in e.act]
    assert entry.about == {"keys": "rules.bradycardia.below_bpm"}


def test_what_does_not_come_into_force_is_not_kept(tmp_path: Path) -> None:
    async def run() -> None:
        async with administered(tmp_path) as (daemon, client):
            daemon.refuses = "the port is gone"
            order = {"changes": {"signal.mains_hz": 60}}
            assert await said(client, "settings", order) == (409, {"error": "the port is gone"})
            assert daemon.desk.reread().signal.mains_hz == 50

    asyncio.run(run())


@pytest.mark.parametrize("path", ["settings", "settings/preview"])
def test_mistakes_are_all_named(tmp_path: Path, path: str) -> None:
    async def run() -> None:
        async with administered(tmp_path) as (daemon, client):
            changes = {"rules.pause.over_s": 99, "rules.profile": "sofa"}
            status, told = await said(client, path, {"changes": changes})
            assert status == 409
            assert "rules.pause.over_s: 99 is outside" in told["error"]
            assert "rules.profile: 'sofa'" in told["error"]
            assert (await said(client, path, {"changes": {}}))[0] == 400
            assert daemon.plans == []

    asyncio.run(run())


def test_a_limit_is_tried_on_what_is_stored(tmp_path: Path) -> None:
    store_alarms(tmp_path)

    async def run() -> None:
        async with administered(tmp_path) as (daemon, client):
            status, told = await said(
                client,
                "settings/preview",
                {"changes": {"rules.pause.enabled": False}, "hours": 1.0},
            )
            assert status == 200, told
            assert 0.04 < told["hours"] < 0.06
            first, second, *_ = told["rules"]
            assert (first["rule"], first["then"]) == ("pause", 0)
            assert first["now"] > 0
            assert second["now"] == second["then"] > 0
            assert "signal_lost" in told["not_previewed"]
            assert daemon.plans == []

    asyncio.run(run())


def test_who_reads_may_see_them_and_only_who_administers_may_change_them(tmp_path: Path) -> None:
    async def run() -> None:
        daemon = Changeable(tmp_path)
        house = a_house(tmp_path, reloader=daemon.reloader, setting_desk=daemon.desk)
        async with house as there, there.client() as client:
            shown = await client.get("/api/v1/settings")
            assert shown.status_code == 200
            assert "/dev/chest" not in json.dumps(shown.json())
            for path in ("settings", "settings/preview"):
                order = {"changes": {"signal.mains_hz": 60}}
                assert (await said(client, path, order))[0] in (401, 403)

    asyncio.run(run())


def test_a_daemon_without_a_configuration_says_so(tmp_path: Path) -> None:
    async def run() -> None:
        async with a_house(tmp_path) as there, there.local_client() as client:
            answer = await client.get("/api/v1/settings")
            assert (answer.status_code, "without a configuration" in answer.text) == (409, True)

    asyncio.run(run())
