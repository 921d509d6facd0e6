"""From a repository onto the shelf: fetch, verify, try beside the present set, stage.

Nothing that runs is touched here. A process that is killed anywhere leaves files in `incoming`,
which the next update goes on with, and an untouched shelf.
"""

import fcntl
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from edge_runtime.errors import BundleError, UpdateError
from edge_runtime.golden_engine import run_engine
from edge_runtime.inference.bundle import BundleSet, load_bundle_set
from edge_runtime.inference.golden import check_bundle_set, require_golden
from edge_runtime.store.disk import make_directory
from edge_runtime.update.catalogue import Catalogue, SetOffer
from edge_runtime.update.plan import FirmwareStep
from edge_runtime.update.repository import Repository
from edge_runtime.update.shadow import Agreement
from edge_runtime.update.shelf import Shelf
from firmware_bridge.flash.errors import FlashError
from firmware_bridge.flash.image import parse

_ROOM: Final = 3
"""Times its size: incoming, on the shelf, and something for the disk itself."""

Compare = Callable[[BundleSet], Agreement | None]
Say = Callable[[str], None]


@contextmanager
def only_update(shelf: Shelf) -> Iterator[None]:
    """The right to update here. Raises UpdateError when another process does it now."""
    make_directory(shelf.folder)
    with (shelf.folder / "update.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UpdateError("another update is running here; wait for it") from error
        yield


def stage_set(
    shelf: Shelf,
    repository: Repository,
    catalogue: Catalogue,
    offer: SetOffer,
    compare: Compare,
    say: Say,
) -> str:
    """Fetch the set on offer, verify it on this machine and stage it; its id.

    Raises UpdateError (a RefusedError where the repository lies) and BundleError.
    """
    incoming = shelf.folder / "incoming" / f"{offer.name}-{offer.version}"
    paths = catalogue.files[offer.folder]
    _require_room(shelf, sum(map(repository.size_bytes, paths)))
    make_directory(incoming)
    for path in paths:
        repository.fetch(path, incoming / path.removeprefix(offer.folder))
    _drop_others(incoming, {path.removeprefix(offer.folder) for path in paths})
    say(f"fetched {offer.name} {offer.version}: {len(paths)} files, each as it was signed")
    found = _as_offered(incoming, offer)
    known = shelf.state().rejected.get(found.fingerprint)
    if known is not None:
        shutil.rmtree(incoming)
        raise UpdateError(
            f"{offer.name} {offer.version} was rejected on this device before: {known}; "
            "`edge-runtime bundles forget` lets it be tried again"
        )
    verify_and_compare(shelf, found, compare, say)
    return shelf.add(incoming, "signed")


def verify_and_compare(shelf: Shelf, found: BundleSet, compare: Compare, say: Say) -> None:
    """Replay the golden vectors here, then run the set beside the present one.

    A set that fails is taken away and remembered. Raises BundleError, UpdateError.
    """
    try:
        require_golden(check_bundle_set(found.where, run_engine))
    except BundleError as error:
        shelf.refuse(found.fingerprint, str(error))
        shutil.rmtree(found.where)
        raise
    say("golden vectors are reproduced on this machine")
    agreement = compare(found)
    if agreement is None:
        say("there is no stored signal to compare it on")
        return
    say(f"beside the present set: {agreement.words()}")
    if agreement.problem:
        shelf.refuse(found.fingerprint, agreement.problem)
        shutil.rmtree(found.where)
        raise UpdateError(
            f"{found.name} {found.version} must not run here: {agreement.problem}; "
            "the present set stays"
        )


def fetch_firmware(shelf: Shelf, repository: Repository, step: FirmwareStep) -> Path:
    """The image of `step`, checked, as a file. Raises UpdateError."""
    folder = shelf.folder / "firmware"
    make_directory(folder)
    file = folder / step.path.rpartition("/")[2]
    repository.fetch(step.path, file)
    try:
        image = parse(file.read_bytes())
    except FlashError as error:
        raise UpdateError(f"{step.path} is as it was signed, but no good image: {error}") from error
    if str(image.version) != step.offered:
        raise UpdateError(f"{step.path} says it is {image.version}, offered was {step.offered}")
    return file


def drop_old_firmware(shelf: Shelf, steps: Iterable[FirmwareStep]) -> None:
    """Images that no sensor seen here is offered any more."""
    folder = shelf.folder / "firmware"
    wanted = {step.path.rpartition("/")[2] for step in steps}
    for file in folder.iterdir() if folder.is_dir() else ():
        if file.name not in wanted:
            file.unlink()


def _as_offered(incoming: Path, offer: SetOffer) -> BundleSet:
    """The set that was fetched. Raises BundleError, and UpdateError where it is another one."""
    found = load_bundle_set(incoming)
    if (found.name, found.version) != (offer.name, offer.version):
        shutil.rmtree(incoming)
        raise UpdateError(
            f"the repository offers {offer.name} {offer.version}, but its files are "
            f"{found.name} {found.version}"
        )
    return found


def _drop_others(folder: Path, wanted: set[str]) -> None:
    """Files of an earlier try that do not belong to the set."""
    for file in folder.rglob("*"):
        if file.is_file() and file.relative_to(folder).as_posix() not in wanted:
            file.unlink()


def _require_room(shelf: Shelf, size_bytes: int) -> None:
    free = shutil.disk_usage(shelf.folder).free
    if free < _ROOM * size_bytes:
        raise UpdateError(
            f"{shelf.folder} has {free >> 20} MiB free, the update needs "
            f"{_ROOM * size_bytes >> 20}; free space first"
        )
