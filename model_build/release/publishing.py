"""What a bundle set, a firmware image or a package is as targets of a repository."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from edge_runtime.errors import UpdateError
from edge_runtime.golden_engine import run_engine
from edge_runtime.inference.bundle import load_bundle_set
from edge_runtime.inference.golden import check_bundle_set, require_golden
from edge_runtime.update.catalogue import (
    FIRMWARE,
    PACKAGES,
    SET_FILE,
    FirmwareOffer,
    PackageOffer,
    SetOffer,
    catalogue_of,
    is_newer,
    newest_of,
    version_key,
)
from firmware_bridge.flash.image import parse
from model_build.errors import ReleaseError

Files = dict[str, tuple[Path, dict[str, Any] | None]]


def set_files(folder: Path, published: Mapping[str, Any]) -> Files:
    """Target paths of a bundle set, of the files that a device reads and the cards beside them.

    Raises BundleError for a set that is not whole or does not hold here, ReleaseError for one that
    is no newer than what is `published` (target path to custom value).
    """
    found = load_bundle_set(folder)
    manifests = [bundle.manifest for bundle in found.bundles.values()]
    offer = SetOffer(
        name=found.name,
        version=found.version,
        minimum_runtime=max(manifest.minimum_runtime for manifest in manifests),
        feature_set=manifests[0].feature_set,
    )
    try:
        version_key(offer.version)
    except ValueError as error:
        raise ReleaseError(
            f"{folder} has version {offer.version!r}; export it with one as 1.2.3"
        ) from error
    newest = newest_of(catalogue_of(published).sets, offer.name)
    if newest is not None and not is_newer(offer.version, newest.version):
        raise ReleaseError(
            f"{offer.name} {newest.version} is published; {offer.version} is no newer, so no "
            "device would take it: export the set with a higher version"
        )
    require_golden(check_bundle_set(folder, run_engine))
    files: Files = {
        offer.folder + file.relative_to(folder).as_posix(): (file, None)
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }
    files[offer.folder + SET_FILE] = (folder / SET_FILE, msgspec.to_builtins(offer))
    return files


def firmware_files(image: Path, models: tuple[str, ...]) -> Files:
    """The target of an image; its board and version are read out of it.

    Raises FlashError for what is no whole MCUboot image, ReleaseError for one without a board.
    """
    content = parse(image.read_bytes())
    if content.board is None:
        raise ReleaseError(
            f"{image} does not say which board it is for; sign it with "
            "`imgtool sign --custom-tlv 0xa0 BOARD`"
        )
    offer = FirmwareOffer(
        board=content.board, version=str(content.version), models=models or (content.board,)
    )
    path = f"{FIRMWARE}/{offer.board}/{offer.version}/{image.name}"
    try:
        catalogue_of({path: msgspec.to_builtins(offer)})
    except UpdateError as error:
        raise ReleaseError(str(error)) from error
    return {path: (image, msgspec.to_builtins(offer))}


def package_files(package: Path) -> Files:
    """The target of a Debian package of this program; what it is, it says itself (needs dpkg).

    Raises ReleaseError for any other file.
    """
    fields = {name: _field(package, name) for name in ("Package", "Version", "Architecture")}
    version, _, suite = fields["Version"].partition("+")
    if fields["Package"] != "ecg-edge" or not suite:
        raise ReleaseError(f"{package} is no package of ecg-edge; `make deb` builds one")
    offer = PackageOffer(version=version, suite=suite, architecture=fields["Architecture"])
    path = f"{PACKAGES}/ecg-edge_{offer.release}_{offer.architecture}.deb"
    try:
        catalogue_of({path: msgspec.to_builtins(offer)})
    except UpdateError as error:
        raise ReleaseError(str(error)) from error
    return {path: (package, msgspec.to_builtins(offer))}


def _field(package: Path, name: str) -> str:
    try:
        done = subprocess.run(
            ["dpkg-deb", "--field", package, name], capture_output=True, text=True, check=True
        )
    except FileNotFoundError as error:
        raise ReleaseError("dpkg-deb reads what a package is: install dpkg") from error
    except subprocess.CalledProcessError as error:
        raise ReleaseError(f"{package}: {error.stderr.strip()}") from error
    return done.stdout.strip()
