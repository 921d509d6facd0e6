"""Why a device was not flashed. Each reason has its own exit code, which scripts may rely on.

FlashError is a BridgeError; the codes are listed in `firmware-bridge flash --help` and in
docs/firmware-security.md.
"""

from typing import ClassVar

from firmware_bridge.errors import BridgeError


class FlashError(BridgeError):
    """Flashing did not happen or was taken back. The message says what to do."""

    exit_code: ClassVar[int] = 1


class ImageFormatError(FlashError):
    """The file is no MCUboot image."""

    exit_code = 10


class ImageTruncatedError(FlashError):
    """The file ends before its header says that it does."""

    exit_code = 11


class ImageAlteredError(FlashError):
    """The file's content does not have the hash that it was signed with."""

    exit_code = 12


class SignatureError(FlashError):
    """Not signed, or by none of the site's keys."""

    exit_code = 13


class WrongBoardError(FlashError):
    """Made for other hardware, or nobody can tell what for."""

    exit_code = 14


class DowngradeError(FlashError):
    """Older than what runs, and nobody asked for that."""

    exit_code = 15


class NoRoomError(FlashError):
    """The device has no space for the image."""

    exit_code = 16


class RefusedError(FlashError):
    """The device, or its state, does not allow it now."""

    exit_code = 17


class LinkCutError(FlashError):
    """The device stopped answering in the middle. Nothing is lost: the same command goes on where
    this one ended."""

    exit_code = 18


class VanishedError(FlashError):
    """The device was reset and did not come back within the time it had."""

    exit_code = 19


class RevertedError(FlashError):
    """The new firmware was started, failed, and the old one runs again."""

    exit_code = 20


class StoppedError(FlashError):
    """A fleet's run ended early: too many failures, or the canary failed."""

    exit_code = 21
