"""A site with its key, images of every behaviour, and sessions with the boards that run them."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from firmware_bridge.errors import LinkError
from firmware_bridge.flash.address import SerialAddress
from firmware_bridge.flash.check import TrustedImage, trusted_image
from firmware_bridge.flash.session import Session, Timing
from firmware_bridge.flash.signature import load_keys
from firmware_bridge.links.serial import SerialSensor
from firmware_bridge.stream import StreamItem
from tests.firmware_bridge.flash.emulated_board import STREAMS, EmulatedBoard, body
from tests.firmware_bridge.flash.signing import BOARD, KeyPair, sign

QUICK = Timing(
    answer_s=1.0,
    erase_s=2.0,
    patience_s=1.0,
    boot_s=2.0,
    battery_s=3.0,
    self_test_s=1.5,
    pause_s=0.05,
)


class Mute:
    """A driver of a sensor that never streams."""

    async def stream(self) -> AsyncIterator[StreamItem]:
        raise LinkError("nothing arrives")
        yield


def session_at(port: Path, *, streams: bool = True) -> Session:
    """A session with the device behind a port, in a hurry; where streaming is not the point, its
    answer is test enough."""
    path = str(port)
    driver = (lambda: SerialSensor("flashed", path)) if streams else None
    return Session(SerialAddress(path), driver, QUICK)


@dataclass
class Site:
    """A folder with a key, and images signed with it."""

    folder: Path
    key: KeyPair

    def image(
        self,
        behaviour: bytes = STREAMS,
        version: str = "1.1.0",
        size: int = 6000,
        board: str | None = BOARD,
    ) -> Path:
        """A signed image file."""
        return sign(self.folder, body(behaviour, size), self.key, version=version, board=board)

    def trusted(self, *arguments: object, **options: object) -> TrustedImage:
        """The same, checked."""
        path = self.image(*arguments, **options)  # type: ignore[arg-type]
        return trusted_image(path, load_keys([self.key.public]))

    def board(self, version: str = "1.0.0", **options: object) -> EmulatedBoard:
        """A board that runs a good image of `version`."""
        return EmulatedBoard(self.image(version=version).read_bytes(), **options)  # type: ignore[arg-type]


RunOnPty = Callable[..., Path]
RunOnUdp = Callable[..., str]
