"""In the guest of `tests/guest/bluez.py`: bluetoothd, a strap, the daemon, and what goes wrong.

Says `holds WHAT` or `FAILS WHAT` for each thing. Times are the guest's, whose processor is
emulated: they are told, and judged by whether it happened at all.
"""

import asyncio
import subprocess
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from typing import Any, Final

from bumble import hci
from bumble.controller import Controller
from bumble.core import PhysicalTransport
from bumble.link import LocalLink
from bumble.transport import open_transport
from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from tests.soak.accounts import account
from tests.soak.daemon import Daemon
from tests.soak.straps import WornSensor
from tests.soak.stream import Break, Fault

_OPENED_WITHIN_S: Final = 240.0
_WITHIN_S: Final = 90.0
_WELL_S: Final = 6.0
_AWAY_S: Final = 4.0
_ADDRESS: Final = "F0:F1:F2:F3:F4:F5"
_NOT_EMULATED: Final = hci.LeFeatureMask.LL_PRIVACY | hci.LeFeatureMask.LE_EXTENDED_ADVERTISING
"""What bumble's controller announces, and BlueZ then asks of it in vain."""


class _Air(LocalLink):
    """bumble finds the sender of data by its random address; BlueZ connects from its public one."""

    def send_acl_data(
        self,
        sender_controller: Controller,
        destination_address: hci.Address,
        transport: PhysicalTransport,
        data: bytes,
    ) -> None:
        connection = sender_controller.le_connections.get(destination_address)
        receiver = self.find_le_controller(destination_address)
        if connection is not None and receiver is not None:
            own = connection.self_address
            asyncio.get_running_loop().call_soon(receiver.on_link_acl_data, own, transport, data)


class _Bluetoothd:
    """Debian's, on the system bus."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        """Run, with the adapter switched on."""
        self._process = subprocess.Popen(["/usr/libexec/bluetooth/bluetoothd", "--nodetach"])
        bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
        on = Message(
            destination="org.bluez",
            path="/org/bluez/hci0",
            interface="org.freedesktop.DBus.Properties",
            member="Set",
            signature="ssv",
            body=["org.bluez.Adapter1", "Powered", Variant("b", True)],
        )
        try:
            async with asyncio.timeout(_WITHIN_S):
                while True:
                    reply = await bus.call(on)
                    if reply is not None and reply.message_type is MessageType.METHOD_RETURN:
                        return
                    await asyncio.sleep(0.2)
        finally:
            bus.disconnect()

    def kill(self) -> None:
        """As the kernel does when memory is short."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    async def restart(self, _random: Random) -> Fault:
        """Killed, and started again."""
        self.kill()
        await asyncio.sleep(_AWAY_S)
        await self.start()
        return Fault(None, time.monotonic())


def _tell(what: str, holds: bool, more: str = "") -> None:
    print("holds" if holds else "FAILS", what + more, flush=True)


async def _broken(daemon: Daemon, strap: WornSensor, what: str, break_: Break) -> None:
    """Break it, and see the stream lost and back."""
    await asyncio.sleep(_WELL_S)
    began = time.monotonic()
    fault = await break_(Random(1))
    try:
        down = await daemon.down(strap.name, began, _WITHIN_S)
        up = await daemon.streaming(strap.name, _WITHIN_S)
    except TimeoutError:
        _tell(f"the stream goes on after: {what}", False)
        return
    noticed_s = down.at - (fault.silent_at or began)
    more = f" (noticed after {noticed_s:.1f} s, again after {fault.again_s(down.at, up.at):.1f} s)"
    _tell(f"the stream goes on after: {what}", True, f"{more}: {down.reason}")


async def _check(folder: Path) -> None:
    air: Any = _Air()
    async with AsyncExitStack() as stack:
        transport = await open_transport("vhci")
        stack.push_async_callback(transport.close)
        adapter = Controller(
            "hci0",
            host_source=transport.source,
            host_sink=transport.sink,
            link=air,
            public_address=_ADDRESS,
        )
        adapter.le_features &= ~_NOT_EMULATED
        bluetoothd = _Bluetoothd()
        await bluetoothd.start()
        stack.callback(bluetoothd.kill)
        strap = WornSensor("h10", air)
        await strap.begin()
        stack.push_async_callback(strap.strap.stop)
        daemon = Daemon([strap], folder / "store", folder / "log")
        await daemon.start()
        try:
            await daemon.opened(strap.name, _OPENED_WITHIN_S)
        except TimeoutError:
            _tell("the strap is read", False, f": {(folder / 'log').read_text()[-2000:]}")
            await daemon.stop()
            return
        _tell("the strap is read", True)
        for what in ("link lost", "silent, its link up", "restarted with its clock reset"):
            await _broken(daemon, strap, what, strap.faults[what])
        await _broken(daemon, strap, "bluetoothd killed, started again", bluetoothd.restart)
        await asyncio.sleep(_WELL_S)
        _tell("the daemon lives", daemon.is_alive)
        _tell("it ends as it should", await daemon.stop() == 0)
    kept = account(folder / "store", strap.name, strap.rate_hz, strap.lead)
    counts = f" ({kept.delivered} delivered, {kept.in_gaps} in {kept.gaps} gaps)"
    _tell("one session from the first to the last sample", kept.sessions == 1)
    _tell("each sample is there or in a gap", kept.unmarked == kept.misplaced == 0, counts)


def main() -> None:
    """Be the guest's only program."""
    for command in (
        "mount -t sysfs sys /sys",
        "mount -t tmpfs run /run",
        "mount -t tmpfs tmp /tmp",
        "mkdir -p /run/dbus",
        "modprobe hci_vhci",
        "dbus-daemon --system --nopidfile --fork",
    ):
        subprocess.run(command.split(), check=command.startswith(("modprobe", "dbus")))
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_check(Path(folder)))
    print("that is all", flush=True)


if __name__ == "__main__":
    main()
