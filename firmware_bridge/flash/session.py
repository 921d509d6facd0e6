"""One device from its old firmware to a new one that has proven itself, or back to the old one.

    upload -> try at next reset -> reset -> self-test -> confirm

Until `confirm` MCUboot goes back by itself at the next reset, whatever happens to this program.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from firmware_bridge.driver import Driver
from firmware_bridge.errors import LinkError
from firmware_bridge.flash.address import Address
from firmware_bridge.flash.check import TrustedImage
from firmware_bridge.flash.device import (
    SMALLEST_WITH_HASH,
    Device,
    Identity,
    Slot,
    open_device,
)
from firmware_bridge.flash.errors import (
    LinkCutError,
    RefusedError,
    RevertedError,
    VanishedError,
)
from firmware_bridge.flash.plan import Step, Wishes, first_step, require_battery
from firmware_bridge.flash.probe import Watched, watch
from firmware_bridge.flash.smp_serial import UNLIMITED


@dataclass(frozen=True, slots=True)
class Timing:
    """How long to wait for what, in seconds."""

    answer_s: float = 3.0
    erase_s: float = 40.0
    """For the first packet of an upload, at which a device may erase the whole slot."""
    patience_s: float = 30.0
    """Without any progress of an upload, reconnecting all the time; the last attempt ends later."""
    boot_s: float = 90.0
    """From reset to answering again; swapping a slot of 512 kB takes tens of seconds."""
    battery_s: float = 12.0
    """A sensor tells its battery every ten seconds."""
    self_test_s: float = 5.0
    find_s: float = 0.0
    """How long it may take to find the device again before it streams."""
    pause_s: float = 0.5


@dataclass(frozen=True, slots=True)
class Progress:
    """What is being done; of an upload how much is there."""

    doing: str
    done_bytes: int = 0
    total_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended well. Otherwise an error was raised."""

    device: str
    result: str
    before: str
    after: str
    seconds: float
    measured_hz: float | None = None
    battery_percent: int | None = None

    def describe(self) -> dict[str, object]:
        """For `--json`."""
        rounded = None if self.measured_hz is None else round(self.measured_hz, 1)
        return {
            "device": self.device,
            "result": self.result,
            "before": self.before,
            "after": self.after,
            "seconds": round(self.seconds, 1),
            "measured_hz": rounded,
            "battery_percent": self.battery_percent,
        }

    def sentence(self) -> str:
        """For people."""
        rate = "" if self.measured_hz is None else f", streams {self.measured_hz:.0f} Hz"
        return (
            f"{self.device}: {self.result}, {self.before} -> {self.after}{rate} "
            f"({self.seconds:.0f} s)"
        )


def silent(_: Progress) -> None:
    """Tell nobody."""


@dataclass(slots=True)
class Session:
    """Flashes the device at `address`. `driver` makes a fresh driver of its stream; None: the
    device is no sensor of ours, and answering is all that its new firmware has to do."""

    address: Address
    driver: Callable[[], Driver] | None
    timing: Timing = field(default_factory=Timing)
    tell: Callable[[Progress], None] = silent

    async def identify(self) -> Identity:
        """What the device is. Raises LinkError."""
        async with open_device(self.address, self.timing.answer_s) as device:
            return await device.identify()

    async def flash(self, trusted: TrustedImage, wishes: Wishes, *, dry_run: bool) -> Outcome:
        """Bring `trusted` onto the device. Safe to call again after any end.

        Raises LinkError (never reached), any FlashError.
        """
        began = time.monotonic()
        image = trusted.image
        self.tell(Progress("asking the device what it is"))
        identity = await self.identify()
        step = first_step(identity, image, wishes)
        battery = await self._require_battery() if step <= Step.RESET else None
        before = str(identity.running.version) if identity.running else "unknown"
        watched = Watched()
        if not dry_run:
            try:
                watched = await self._go_on_from(step, image.data, image.digest)
            except LinkError as error:
                raise LinkCutError(f"{error}; give the same command again to go on") from error
        return Outcome(
            str(self.address),
            _result(step, dry_run=dry_run),
            before,
            str(image.version),
            time.monotonic() - began,
            watched.measured_hz,
            battery,
        )

    async def revert(self) -> Outcome:
        """Back to the image in the other slot: by a reset where the running one is not confirmed,
        else by trying the other one as if it were new. Raises LinkError or a FlashError."""
        began = time.monotonic()
        identity = await self.identify()
        running = identity.running
        other = next((s for s in identity.slots if not s.active and s.bootable), None)
        if running is None or other is None:
            raise RefusedError("there is no other image on the device to go back to")
        watched = Watched()
        if running.confirmed:
            watched = await self._go_on_from(Step.TRY, b"", other.digest)
        else:
            await self._take_back(running.digest)
        return Outcome(
            str(self.address),
            "reverted",
            str(running.version),
            str(other.version),
            time.monotonic() - began,
            watched.measured_hz,
        )

    async def _go_on_from(self, step: Step, data: bytes, digest: bytes) -> Watched:
        if step <= Step.UPLOAD:
            await self._upload(data, digest)
        if step <= Step.TRY:
            async with open_device(self.address, self.timing.answer_s) as device:
                held = [slot.digest for slot in await device.slots()]
                if digest not in held:
                    raise RefusedError("the device does not hold the image that was sent")
                await _try_at_next_reset(device, digest)
        if step <= Step.RESET:
            await self._start(digest)
        if step <= Step.SELF_TEST:
            return await self._prove(digest)
        return Watched()

    async def _require_battery(self) -> int | None:
        if self.driver is None:
            return None
        self.tell(Progress("looking at its battery"))
        watched = await watch(
            self.driver(),
            self.timing.find_s + self.timing.battery_s,
            until=lambda w: w.battery_percent is not None,
        )
        require_battery(watched.battery_percent)
        return watched.battery_percent

    async def _upload(self, data: bytes, digest: bytes) -> None:
        """Until everything is there, over as many links as it takes, in ever shorter messages where
        long ones get no answer: a device may not hold what it says, a path may not carry it."""
        arrived, advanced_at, is_new_link = 0, time.monotonic(), False
        longest = size = UNLIMITED

        def progress(offset: int) -> None:
            nonlocal arrived, advanced_at
            if offset != arrived:
                arrived, advanced_at = offset, time.monotonic()
            self.tell(Progress("uploading", offset, len(data)))

        while True:
            began = time.monotonic()
            try:
                async with open_device(self.address, self.timing.answer_s, longest) as device:
                    size = device.message_bytes
                    # The answer to the very last packet may be what was lost.
                    if is_new_link and any(s.digest == digest for s in await device.slots()):
                        return
                    await device.upload(data, self.timing.erase_s, progress)
                return
            except LinkError as error:
                if began - advanced_at > self.timing.patience_s:
                    raise LinkCutError(
                        f"{error}; {arrived} of {len(data)} bytes are there and the old firmware "
                        f"is untouched: give the same command again to go on"
                    ) from error
                is_new_link = True
                if isinstance(error.__cause__, TimeoutError) and size > SMALLEST_WITH_HASH:
                    longest, advanced_at = max(size // 2, SMALLEST_WITH_HASH), time.monotonic()
                await asyncio.sleep(self.timing.pause_s)

    async def _start(self, digest: bytes) -> None:
        """Reset into the image that waits to be tried."""
        await self._reset()
        self.tell(Progress("waiting for it to start the new firmware"))
        slots = await self._wait_until(lambda slots: not any(slot.pending for slot in slots))
        running = next((slot for slot in slots if slot.active), None)
        if running is None or running.digest != digest:
            version = running.version if running else "an unknown version"
            raise RevertedError(
                f"the new firmware did not start, or its boot loader refused it; "
                f"{version} runs again"
            )

    async def _prove(self, digest: bytes) -> Watched:
        """Self-test and confirm the running image, or take it back."""
        watched = Watched()
        if self.driver is not None:
            self.tell(Progress("self-test: does it stream"))
            seconds = self.timing.self_test_s
            watched = await watch(
                self.driver(),
                self.timing.find_s + seconds,
                until=lambda w: self.timing.find_s > 0 and w.lasted_s >= seconds,
            )
            if watched.fault is not None:
                version = await self._take_back(digest)
                raise RevertedError(f"self-test failed: {watched.fault}; {version} runs again")
        self.tell(Progress("confirming"))
        async with open_device(self.address, self.timing.answer_s) as device:
            await device.confirm()
            slots = await device.slots()
        if not any(s.active and s.confirmed and s.digest == digest for s in slots):
            raise RevertedError("the device did not take the confirmation; it reverts when reset")
        return watched

    async def _take_back(self, digest: bytes) -> str:
        """Reset away from an unconfirmed image; the version that runs then."""
        await self._reset()
        self.tell(Progress("waiting for it to revert"))
        slots = await self._wait_until(
            lambda slots: any(slot.active and slot.digest != digest for slot in slots)
        )
        return str(next(slot.version for slot in slots if slot.active))

    async def _reset(self) -> None:
        self.tell(Progress("restarting the device"))
        async with open_device(self.address, self.timing.answer_s) as device:
            await device.reset()

    async def _wait_until(self, arrived: Callable[[tuple[Slot, ...]], bool]) -> tuple[Slot, ...]:
        """The slots, once the device is back in a state that `arrived` takes.

        Raises VanishedError.
        """
        deadline = time.monotonic() + self.timing.boot_s
        while time.monotonic() < deadline:
            await asyncio.sleep(self.timing.pause_s)
            try:
                async with open_device(self.address, self.timing.answer_s) as device:
                    slots = await device.slots()
            except LinkError:
                continue
            if arrived(slots):
                return slots
        raise VanishedError(
            f"the device was reset and has not come back in {self.timing.boot_s:.0f} s; "
            f"nothing is confirmed: switch it off and on, and it starts the old firmware"
        )


async def _try_at_next_reset(device: Device, digest: bytes) -> None:
    try:
        await device.try_at_next_reset(digest)
    except RefusedError as error:
        raise RefusedError(
            f"{error}: it cannot try an image before it keeps it; the old firmware runs on"
        ) from error


def _result(step: Step, *, dry_run: bool) -> str:
    if step is Step.NOTHING:
        return "already installed"
    return f"would begin with: {step.name.lower().replace('_', ' ')}" if dry_run else "installed"
