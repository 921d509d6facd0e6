"""What a repository offers: the signed words of its targets, and which of them suit this device.

A bundle set is the targets below `sets/NAME/VERSION/`; that of its `set.toml` carries a `SetOffer`.
A firmware image is one target below `firmware/BOARD/VERSION/` with a `FirmwareOffer`, a release of
this program one below `packages/` with a `PackageOffer`. All of them lie in the targets metadata's
own field `custom`, so whoever signs the targets signs them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

import msgspec

from edge_runtime.errors import UpdateError
from edge_runtime.inference.manifest import RUNTIME
from edge_runtime.signal.features import FEATURE_SET_VERSION
from firmware_bridge.flash.image import Version

SETS: Final = "sets"
FIRMWARE: Final = "firmware"
PACKAGES: Final = "packages"
SET_FILE: Final = "set.toml"


class SetOffer(msgspec.Struct, frozen=True, kw_only=True, tag="bundle-set", tag_field="kind"):
    """A bundle set and the least that it needs."""

    name: str
    version: str
    minimum_runtime: int
    feature_set: int

    @property
    def folder(self) -> str:
        """Path that all its targets begin with."""
        return f"{SETS}/{self.name}/{self.version}/"

    @property
    def hindrance(self) -> str:
        """Why this release of the runtime cannot use it; empty: it can."""
        if self.minimum_runtime > RUNTIME:
            return f"it needs runtime {self.minimum_runtime}, this is {RUNTIME}: update ecg-edge"
        if self.feature_set != FEATURE_SET_VERSION:
            return (
                f"it was trained on feature set {self.feature_set}, this release computes "
                f"{FEATURE_SET_VERSION}: update ecg-edge"
            )
        return ""


class FirmwareOffer(msgspec.Struct, frozen=True, kw_only=True, tag="firmware", tag_field="kind"):
    """A sensor's image. `board`: as the image itself says; `models`: what sensors that take it
    call themselves when they connect."""

    board: str
    version: str
    models: tuple[str, ...]


class PackageOffer(msgspec.Struct, frozen=True, kw_only=True, tag="package", tag_field="kind"):
    """The Debian package of a release: `version` as 0.2.0, `suite` as the package's version names
    it (deb12), `architecture` as dpkg does (arm64)."""

    version: str
    suite: str
    architecture: str

    @property
    def release(self) -> str:
        """The name of the release in it, which is the package's version."""
        return f"{self.version}+{self.suite}"


Offer = SetOffer | FirmwareOffer | PackageOffer


@dataclass(frozen=True, slots=True)
class OfferedFirmware:
    """An image and its target's path."""

    path: str
    offer: FirmwareOffer


@dataclass(frozen=True, slots=True)
class OfferedPackage:
    """A package and its target's path."""

    path: str
    offer: PackageOffer


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Everything on offer. `files`: target paths by the folder of a set."""

    sets: tuple[SetOffer, ...]
    firmware: tuple[OfferedFirmware, ...]
    packages: tuple[OfferedPackage, ...]
    files: Mapping[str, tuple[str, ...]]

    def newest_set(self, name: str) -> tuple[SetOffer | None, tuple[SetOffer, ...]]:
        """The newest set of that name which this release can use, and newer ones that it cannot."""
        named = sorted(
            (offer for offer in self.sets if offer.name == name),
            key=lambda offer: version_key(offer.version),
            reverse=True,
        )
        usable = next((offer for offer in named if not offer.hindrance), None)
        beyond = named if usable is None else named[: named.index(usable)]
        return usable, tuple(beyond)

    def newest_firmware(self, model: str) -> OfferedFirmware | None:
        """The newest image for sensors that call themselves `model`."""
        fitting = [one for one in self.firmware if model in one.offer.models]
        return max(fitting, key=lambda one: version_key(one.offer.version), default=None)

    def newest_package(self, suite: str, architecture: str) -> OfferedPackage | None:
        """The newest release of this program for such a machine."""
        fitting = [
            one
            for one in self.packages
            if (one.offer.suite, one.offer.architecture) == (suite, architecture)
        ]
        return max(fitting, key=lambda one: version_key(one.offer.version), default=None)


def catalogue_of(targets: Mapping[str, Any]) -> Catalogue:
    """From target path to its custom value (None: none) to what is on offer.

    Offers of a kind that this release does not know are passed over. Raises UpdateError for a path
    that would leave its folder, and for a signed offer that contradicts its path.
    """
    sets, firmware, packages = list[SetOffer](), list[OfferedFirmware](), list[OfferedPackage]()
    for path, custom in targets.items():
        _require_plain(path)
        if custom is None or custom.get("kind") not in {"bundle-set", "firmware", "package"}:
            continue
        try:
            offer = msgspec.convert(custom, Offer)
            version_key(offer.version)
        except (msgspec.ValidationError, ValueError) as error:
            raise UpdateError(f"the repository's offer {path} cannot be read: {error}") from error
        if isinstance(offer, FirmwareOffer):
            firmware.append(OfferedFirmware(path, offer))
        elif isinstance(offer, PackageOffer):
            packages.append(OfferedPackage(path, offer))
        elif path != offer.folder + SET_FILE:
            raise UpdateError(f"the repository offers {offer.name} {offer.version} as {path}")
        else:
            sets.append(offer)
    files = {
        offer.folder: tuple(path for path in targets if path.startswith(offer.folder))
        for offer in sets
    }
    return Catalogue(tuple(sets), tuple(firmware), tuple(packages), files)


def version_key(text: str) -> tuple[int, ...]:
    """For comparing versions: `1.2.3` or, of firmware, `1.2.3+4`. Raises ValueError."""
    version = Version.parse(text)
    return (version.major, version.minor, version.revision, version.build)


def is_newer(offered: str, present: str) -> bool:
    """`offered` comes after `present`; anything does after what is no version."""
    try:
        return version_key(offered) > version_key(present)
    except ValueError:
        return True


def newest_of(offers: Iterable[SetOffer], name: str) -> SetOffer | None:
    """The newest offer of that name, whatever it needs."""
    named = [offer for offer in offers if offer.name == name]
    return max(named, key=lambda offer: version_key(offer.version), default=None)


def _require_plain(path: str) -> None:
    parts = PurePosixPath(path).parts
    if PurePosixPath(path).is_absolute() or ".." in parts or "\\" in path:
        raise UpdateError(f"the repository names a target {path!r}, which is no plain path")
