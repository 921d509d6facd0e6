"""Devices, through the API: what the daemon reads, what is near, pairing."""

import asyncio
from collections.abc import Awaitable
from dataclasses import asdict
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response

from edge_runtime.devices import DeviceDesk
from edge_runtime.errors import ConfigError
from edge_runtime.reload import Reloader
from edge_runtime.web.answers import answer
from edge_runtime.web.bodies import taken
from edge_runtime.web.device_shapes import (
    DeviceOrder,
    DeviceRead,
    DevicesRead,
    LoanOrder,
    PairOrder,
    ScanOrder,
    StrapExamined,
    StrapPaired,
    StrapSeen,
    StrapsSeen,
)
from edge_runtime.web.endpoints import Endpoint, RefusedError
from edge_runtime.web.feed import LiveFeed
from edge_runtime.web.roles import Role
from edge_runtime.web.shapes import Done
from firmware_bridge.errors import BridgeError

_Result = TypeVar("_Result")


def device_endpoints(
    desk: DeviceDesk | None, feed: LiveFeed, reloader: Reloader | None
) -> tuple[Endpoint, ...]:
    """What is read; scan, examine, pair."""

    def present() -> DeviceDesk:
        if desk is None:
            raise RefusedError(503, "this daemon has no devices of its own")
        return desk

    async def read(_request: Request) -> Response:
        told = {one.source: one for one in feed.status()}
        devices = [
            DeviceRead(
                source=source.name,
                port=source.port,
                driver=source.driver,
                serial=source.serial or "",
                status=told.get(source.name),
            )
            for source in present().sources()
        ]
        return answer(DevicesRead(devices=devices))

    async def scan(request: Request) -> Response:
        order = await taken(request, ScanOrder)
        seen = await _done(present().scan(order.seconds))
        return answer(StrapsSeen(seen=[StrapSeen(**asdict(one)) for one in seen]))

    async def examine(request: Request) -> Response:
        order = await taken(request, DeviceOrder)
        found = await _done(present().examine(order.address))
        return answer(StrapExamined(**asdict(found)))

    async def pair(request: Request) -> Response:
        order = await taken(request, PairOrder)
        device, found = await _done(present().pair(order.address, order.name, order.passkey))
        if reloader is not None:  # the strap is a source from now on
            await _done(asyncio.ensure_future(reloader.reload()))
        return answer(StrapPaired(**asdict(device), bonded=found.bonded))

    async def lend(request: Request) -> Response:
        order = await taken(request, LoanOrder)
        if order.for_s == 0:
            present().give_back(order.port)
        else:
            await _done(present().lend(order.port, order.for_s))
        return answer(Done())

    administer = Role.ADMINISTER
    refusals = (409, 503)
    return (
        Endpoint(
            "GET",
            "/devices",
            "What the sources read: ports, addresses, serials",
            read,
            DevicesRead,
            role=administer,
            refusals=(503,),
        ),
        Endpoint(
            "POST",
            "/devices/scan",
            "Straps that advertise; those that are read do not",
            scan,
            StrapsSeen,
            takes=ScanOrder,
            role=administer,
            refusals=refusals,
        ),
        Endpoint(
            "POST",
            "/devices/examine",
            "Connect to a strap and tell what it is",
            examine,
            StrapExamined,
            takes=DeviceOrder,
            role=administer,
            refusals=refusals,
        ),
        Endpoint(
            "POST",
            "/devices/lend",
            "End the session of a source and let go of its device, for another program to use",
            lend,
            Done,
            takes=LoanOrder,
            role=administer,
            refusals=refusals,
        ),
        Endpoint(
            "POST",
            "/devices/pair",
            "Bond with a strap and read it from now on",
            pair,
            StrapPaired,
            takes=PairOrder,
            role=administer,
            refusals=refusals,
        ),
    )


async def _done(work: Awaitable[_Result]) -> _Result:
    try:
        return await work
    except (BridgeError, ConfigError) as error:
        raise RefusedError(409, str(error)) from error
