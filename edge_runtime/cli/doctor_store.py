"""What `doctor` asks of the store: room, rights, encryption, and whether it is whole."""

import os
import shutil
from collections.abc import Iterator
from typing import Final

from edge_runtime.cli.findings import Finding, Verdict
from edge_runtime.config import Config
from edge_runtime.disk_encryption import Encryption, encryption
from edge_runtime.errors import StoreError
from edge_runtime.store.database import FILE_NAME
from edge_runtime.store.disk import is_open
from edge_runtime.store.integrity import faults

_LEAST_FREE_BYTES: Final = 1 << 30
_BYTES_PER_LEAD_DAY: Final = 500 * 86_400 * 3
"""500 Hz in format 24, as the store writes a 24-bit sensor's counts."""
_MOST_TOLD: Final = 10


def store_room(loaded: Config) -> Iterator[Finding]:
    """Can it be written, and for how long."""
    directory = loaded.store.directory
    existing = next(place for place in (directory, *directory.parents) if place.exists())
    if not os.access(existing, os.W_OK | os.X_OK):
        yield Finding(
            "store",
            "bad",
            f"{existing} is not writable for this user; "
            f"sudo install -d -o $USER {directory}, or set store.directory",
        )
        return
    free = shutil.disk_usage(existing).free
    days = free / (_BYTES_PER_LEAD_DAY * max(1, len(loaded.source)))
    words = f"{directory}: {free / 2**30:.1f} GiB free, about {days:.0f} days of one lead each"
    yield Finding("store", "good" if free >= _LEAST_FREE_BYTES else "warning", words)


def store_privacy(loaded: Config) -> Iterator[Finding]:
    """Who may look into it, and is it encrypted."""
    directory = loaded.store.directory
    if not directory.is_dir():
        return
    if is_open(directory):
        words = f"others may look into {directory}; chmod 700 {directory}"
        yield Finding("store's rights", "warning", words)
    else:
        yield Finding("store's rights", "good", "nobody but its owner may look into it")
    found = encryption(directory)
    yield Finding("encryption", *_ENCRYPTION[found])


_ENCRYPTION: Final[dict[Encryption, tuple[Verdict, str]]] = {
    Encryption.ENCRYPTED: ("good", "the store lies on an encrypted disk (dm-crypt)"),
    Encryption.PLAIN: (
        "warning",
        "the store's disk is not encrypted: who takes it has the ECG; cryptsetup (LUKS) helps",
    ),
    Encryption.IN_MEMORY: ("warning", "the store lies in memory: nothing outlives the power"),
    Encryption.UNKNOWN: (
        "warning",
        "whether the store's disk is encrypted cannot be told from its block devices",
    ),
}


def store_integrity(loaded: Config, *, deep: bool = False) -> Iterator[Finding]:
    """The database and the files of all sessions that have ended; `deep`: every sample."""
    subject = "store's integrity"
    directory = loaded.store.directory
    if not (directory / FILE_NAME).is_file():
        return
    try:
        found = list(faults(directory, deep=deep))
    except StoreError as error:
        yield Finding(subject, "bad", str(error))
        return
    for fault in found[:_MOST_TOLD]:
        then = f"; edge-runtime doctor --repair: {fault.repair}" if fault.repair else ""
        yield Finding(subject, "bad", fault.words + then)
    if len(found) > _MOST_TOLD:
        yield Finding(subject, "bad", f"and {len(found) - _MOST_TOLD} more")
    if not found:
        looked = "every sample" if deep else "database and files; --deep reads every sample"
        yield Finding(subject, "good", f"whole ({looked})")
