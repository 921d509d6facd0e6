"""What is left to do on a device for it to run an image. Pure; the device's own state is the only
memory, so a run that was cut at any point is gone on with by asking again."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from smp.os_management import MCUbootMode

from firmware_bridge.flash.check import require_board, require_no_downgrade
from firmware_bridge.flash.device import Identity
from firmware_bridge.flash.errors import RefusedError
from firmware_bridge.flash.image import Image

MIN_BATTERY_PERCENT: Final = 30

_NO_WAY_BACK: Final = {
    MCUbootMode.APPLICATION,
    MCUbootMode.OVERWRITE_ONLY,
    MCUbootMode.DIRECT_XIP_WITHOUT_REVERT,
    MCUbootMode.RAM_LOADER,
}


class Step(IntEnum):
    """The first thing that is left to do; the others follow in this order."""

    UPLOAD = 1
    TRY = 2
    RESET = 3
    SELF_TEST = 4
    NOTHING = 5


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a person allowed or knows."""

    board: str | None = None
    """What the device is, where it cannot tell itself."""
    allow_downgrade: bool = False


def first_step(identity: Identity, image: Image, wishes: Wishes) -> Step:
    """Where to begin. Raises WrongBoardError, DowngradeError or RefusedError."""
    require_board(image, identity.board or wishes.board)
    mode = identity.boot_mode
    if mode is not None and mode in _NO_WAY_BACK:
        name = MCUbootMode(mode).name.replace("_", " ").lower()
        raise RefusedError(
            f"its boot loader cannot go back to the old firmware ({name}): "
            f"a bad image would be its last one"
        )
    running = identity.running
    if running is None:
        raise RefusedError("the device does not say which image it runs")
    if running.digest == image.digest:
        return Step.NOTHING if running.confirmed else Step.SELF_TEST
    if not running.confirmed:
        raise RefusedError(
            f"the device is trying version {running.version}, which nobody has confirmed; "
            f"`firmware-bridge revert` takes it back"
        )
    if not wishes.allow_downgrade:
        require_no_downgrade(image, running.version)
    held = identity.holding(image.digest)
    if held is not None:
        return Step.RESET if held.pending else Step.TRY
    other = next((slot for slot in identity.slots if slot.pending), None)
    if other is not None:
        raise RefusedError(
            f"version {other.version} waits to be tried at the next reset; reset the device first"
        )
    return Step.UPLOAD


def require_battery(percent: int | None) -> None:
    """Raise RefusedError below MIN_BATTERY_PERCENT; unknown (None) passes."""
    if percent is not None and percent < MIN_BATTERY_PERCENT:
        raise RefusedError(
            f"its battery is at {percent} %; charge it to {MIN_BATTERY_PERCENT} % first"
        )
