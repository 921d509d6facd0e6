"""From options to an emulated strap on a private bus."""

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace

from bumble.link import LocalLink

from firmware_bridge.simulator.ble.bluez import BluezFacade
from firmware_bridge.simulator.ble.catalogue import STRAPS
from firmware_bridge.simulator.ble.private_bus import ENVIRONMENT, private_bus
from firmware_bridge.simulator.ble.radio import radio_device
from firmware_bridge.simulator.ble.strap import Identity
from firmware_bridge.simulator.ble.worn import Worn
from firmware_bridge.simulator.scenarios import Play

_POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Emulation:
    """What is emulated. `count` straps of one kind differ in the end of address and serial."""

    device: str
    play: Play
    count: int = 1
    clock_ppm: float = 0.0
    reboots: tuple[float, ...] = ()
    seed: int = 1
    powered: bool = True


def describe(emulation: Emulation, bus: str) -> dict[str, object]:
    """What a person or a script should know about these straps."""
    recording = emulation.play.recording
    return {
        "bus": bus,
        "device": emulation.device,
        "addresses": addresses(emulation),
        "passkey": STRAPS[emulation.device][1].passkey,
        "title": recording.title,
        "notes": list(recording.notes),
        "duration_s": recording.duration_s,
    }


def addresses(emulation: Emulation) -> list[str]:
    """Bluetooth addresses of the straps."""
    return [identity.address for identity in _identities(emulation)]


def run(
    emulation: Emulation,
    bus: str | None,
    *,
    duration_s: float | None,
    with_parent: bool,
    ready: Callable[[str], None],
) -> None:
    """Emulate until SIGINT or SIGTERM, or for `duration_s`; `ready` is called with the address of
    the bus once the straps advertise. `bus` None: a bus of its own. `with_parent`: no longer than
    the process that started this one. Raises UsageError."""
    with ExitStack() as stack:
        address = bus or stack.enter_context(private_bus())
        os.environ[ENVIRONMENT] = address
        asyncio.run(_emulate(emulation, lambda: ready(address), duration_s, with_parent))


async def _emulate(
    emulation: Emulation,
    ready: Callable[[], None],
    duration_s: float | None,
    with_parent: bool,
) -> None:
    loop, parent = asyncio.get_running_loop(), os.getppid()
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    link = LocalLink()  # type: ignore[no-untyped-call]
    facade = BluezFacade(link, powered=emulation.powered)
    await facade.start()
    kind = STRAPS[emulation.device][0]
    straps = [
        kind(
            radio_device(link, identity.address, identity.name),
            identity,
            Worn(emulation.play.recording, emulation.clock_ppm),
            emulation.play.faults,
            emulation.reboots,
            emulation.seed + number,
        )
        for number, identity in enumerate(_identities(emulation))
    ]
    for strap in straps:
        await strap.start()
    ready()
    until_s = None if duration_s is None else loop.time() + duration_s
    try:
        while not stopped.is_set() and (until_s is None or loop.time() < until_s):
            if with_parent and os.getppid() != parent:
                break
            await asyncio.sleep(_POLL_S)
    finally:
        await facade.stop()
        for strap in straps:
            await strap.stop()


def _identities(emulation: Emulation) -> list[Identity]:
    first = STRAPS[emulation.device][1]
    octet = int(first.address[-2:], 16)
    return [
        replace(
            first,
            address=f"{first.address[:-2]}{(octet + 16 * k) % 256:02X}",
            name=first.name if k == 0 else f"{first.name} {k + 1}",
            serial=first.serial if k == 0 else f"{first.serial}-{k + 1}",
        )
        for k in range(emulation.count)
    ]
