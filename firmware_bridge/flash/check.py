"""Everything that can be said about an image before a device is touched."""

from dataclasses import dataclass
from pathlib import Path

from firmware_bridge.errors import UsageError
from firmware_bridge.flash.errors import DowngradeError, WrongBoardError
from firmware_bridge.flash.image import Image, Version, parse
from firmware_bridge.flash.signature import SiteKey, signer


@dataclass(frozen=True, slots=True)
class TrustedImage:
    """An image that is whole and signed with one of the site's keys."""

    name: str
    image: Image
    signed_with: str

    def describe(self) -> dict[str, object]:
        """For `--json`."""
        return {
            "image": self.name,
            "version": str(self.image.version),
            "board": self.image.board,
            "hash": self.image.digest.hex(),
            "size_bytes": len(self.image.data),
            "signed_with": self.signed_with,
        }

    def sentence(self) -> str:
        """For people."""
        board = self.image.board or "an unnamed board"
        return f"{self.name}: version {self.image.version} for {board}, signed {self.signed_with}"


def trusted_image(path: Path, keys: tuple[SiteKey, ...]) -> TrustedImage:
    """The image in the file. Raises UsageError, an Image…Error or SignatureError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    image = parse(data)
    return TrustedImage(path.name, image, signer(image, keys).name)


def require_board(image: Image, board: str | None) -> None:
    """Raise WrongBoardError unless `image` was made for `board` (None: the device cannot tell)."""
    if image.board is None:
        raise WrongBoardError(
            "the image does not say which board it is for; "
            "sign it with `imgtool sign --custom-tlv 0xa0 BOARD`"
        )
    if board is None:
        raise WrongBoardError(
            f"the image is for {image.board}, and the device does not tell what it is; "
            f"look at it and say --board"
        )
    if image.board != board:
        raise WrongBoardError(f"the image is for {image.board}, the device is {board}")


def require_no_downgrade(image: Image, running: Version) -> None:
    """Raise DowngradeError when `image` is older than what runs."""
    if image.version < running:
        raise DowngradeError(
            f"the image has version {image.version}, the device already runs {running}; "
            f"--allow-downgrade if that is meant"
        )
