"""What the API says of devices; see `shapes`."""

from typing import Annotated

import msgspec

from edge_runtime.web.shapes import SourceStatus


class _Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What these have in common."""


class DeviceRead(_Shape, frozen=True, kw_only=True):
    """What a source reads: a serial port or a Bluetooth address. `serial` is the pinned one;
    `status` is None until something has come from it."""

    source: str
    port: str
    driver: str
    serial: str
    status: SourceStatus | None


class DevicesRead(_Shape, frozen=True, kw_only=True):
    """All sources' devices, in the order of the configuration."""

    devices: list[DeviceRead]


class ScanOrder(_Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long to listen."""

    seconds: Annotated[float, msgspec.Meta(gt=0, le=60)]


class StrapSeen(_Shape, frozen=True, kw_only=True):
    """A strap that advertises; `services` are UUIDs."""

    address: str
    name: str
    rssi_dbm: int
    services: list[str]


class StrapsSeen(_Shape, frozen=True, kw_only=True):
    """The strongest first."""

    seen: list[StrapSeen]


class DeviceOrder(_Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which strap, by its Bluetooth address."""

    address: Annotated[str, msgspec.Meta(max_length=64)]


class LoanOrder(_Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which device another program wants, by its port or address, and for how long at most. 0: it
    is given back."""

    port: Annotated[str, msgspec.Meta(max_length=1024)]
    for_s: Annotated[float, msgspec.Meta(ge=0, le=3600)]


class StrapExamined(_Shape, frozen=True, kw_only=True):
    """What a strap says of itself; empty or None where it says nothing."""

    address: str
    family: str
    manufacturer: str
    model: str
    serial: str
    firmware: str
    battery_percent: float | None
    bonded: bool
    takes_firmware: bool


class PairOrder(_Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which strap, what to call it, and the passkey of one that has one."""

    address: Annotated[str, msgspec.Meta(max_length=64)]
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    passkey: Annotated[int, msgspec.Meta(ge=0, le=999_999)] | None = None


class StrapPaired(_Shape, frozen=True, kw_only=True):
    """What is remembered of it; `bonded`: the link is encrypted from now on."""

    name: str
    address: str
    family: str
    serial: str
    model: str
    bonded: bool
