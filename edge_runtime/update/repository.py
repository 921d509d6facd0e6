"""A signed repository (TUF), seen from a device: what it offers, and why it is not believed.

python-tuf does the checking. What this module adds is the reason in words: a repository that was
tampered with, has expired, is frozen, was rolled back or is mixed is refused as exactly that.
"""

import contextlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from tuf.api import exceptions
from tuf.api.metadata import Metadata, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.ngclient import Updater

from edge_runtime.errors import UpdateError
from edge_runtime.update.catalogue import Catalogue, catalogue_of
from edge_runtime.update.clock_trust import clock_problem, is_synchronized
from edge_runtime.update.fetching import fetcher_for
from edge_runtime.update.shelf import sync_tree

SIGNED_AT: Final = "x-signed-at"
"""Field of root and timestamp metadata: when it was signed, ISO 8601 UTC."""
_METADATA_BYTES: Final = 5_000_000


class Refusal(StrEnum):
    """Why a repository is not believed."""

    TAMPERED = "tampered"
    EXPIRED = "expired"
    FROZEN = "frozen"
    ROLLED_BACK = "rolled back"
    MIXED = "mixed"
    UNREACHABLE = "unreachable"
    CLOCK = "clock"


class RefusedError(UpdateError):
    """The repository, or something in it, is not believed; `refusal` says which way."""

    def __init__(self, refusal: Refusal, message: str) -> None:
        super().__init__(f"update refused, {refusal.value}: {message}")
        self.refusal = refusal


class Repository:
    """The repository at `url`, trusted by `root` (bytes of a root.json).

    `folder` keeps what is trusted so far; without it nothing older could be told from newer.
    """

    def __init__(
        self,
        url: str,
        root: bytes,
        folder: Path,
        *,
        synchronized: Callable[[], bool] = is_synchronized,
    ) -> None:
        self._url = url.rstrip("/")
        self._folder = folder
        self._root = root
        self._synchronized = synchronized
        self._fetcher = fetcher_for(url)
        self._updater: Updater | None = None
        self._targets: dict[str, TargetFile] = {}

    def refresh(self) -> Catalogue:
        """Fetch and check all metadata; what is on offer. Raises RefusedError, UpdateError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        problem = clock_problem(
            self._last_signed(), synchronized=self._synchronized(), now=datetime.now(UTC)
        )
        if problem:
            raise RefusedError(Refusal.CLOCK, problem)
        with self._refusals():
            self._updater = Updater(
                str(self._folder),
                f"{self._url}/metadata/",
                target_base_url=f"{self._url}/targets/",
                fetcher=self._fetcher,
                bootstrap=self._root,
            )
            self._updater.refresh()
            sync_tree(self._folder)
        # The updater gives targets by their name alone; what there is says the file it has checked.
        signed = Metadata[Targets].from_file(str(self._folder / "targets.json")).signed
        self._targets = signed.targets
        return catalogue_of(
            {path: one.unrecognized_fields.get("custom") for path, one in self._targets.items()}
        )

    def fetch(self, path: str, into: Path) -> None:
        """Download one target, checked against its signed length and hashes.

        A file that is there and right is kept: an update that was cut off goes on.
        """
        assert self._updater is not None, "refresh comes first"
        target = self._targets[path]
        if self._updater.find_cached_target(target, str(into)):
            return
        with self._refusals(path):
            self._updater.download_target(target, str(into))

    def size_bytes(self, path: str) -> int:
        """Of a target, as signed."""
        return self._targets[path].length

    def _last_signed(self) -> datetime | None:
        """When the newest metadata that is trusted here was signed."""
        found = []
        texts = [self._root]
        for name in ("root", "timestamp"):
            with contextlib.suppress(OSError):
                texts.append((self._folder / f"{name}.json").read_bytes())
        for text in texts:
            with contextlib.suppress(ValueError, KeyError, TypeError):
                found.append(datetime.fromisoformat(json.loads(text)["signed"][SIGNED_AT]))
        return max(found, default=None)

    @contextmanager
    def _refusals(self, path: str = "") -> Iterator[None]:
        """python-tuf's exceptions, sorted by what happened to the repository."""
        try:
            yield
        except exceptions.DownloadHTTPError as error:
            if path or error.status_code in {403, 404}:
                raise RefusedError(Refusal.MIXED, _incomplete(path)) from error
            raise RefusedError(Refusal.UNREACHABLE, f"{self._url}: {error}") from error
        except exceptions.DownloadLengthMismatchError as error:
            raise RefusedError(Refusal.TAMPERED, _not_as_signed(path)) from error
        except exceptions.DownloadError as error:
            raise RefusedError(
                Refusal.UNREACHABLE, f"{self._url} cannot be reached ({error}); try again later"
            ) from error
        except exceptions.LengthOrHashMismatchError as error:
            raise RefusedError(Refusal.TAMPERED, _not_as_signed(path)) from error
        except exceptions.UnsignedMetadataError as error:
            raise RefusedError(
                Refusal.TAMPERED, f"{error}: a signature is missing or false"
            ) from error
        except exceptions.ExpiredMetadataError as error:
            raise self._expired() from error
        except exceptions.BadVersionNumberError as error:
            raise self._wrong_version(error) from error
        except exceptions.RepositoryError as error:
            raise RefusedError(Refusal.TAMPERED, f"its metadata cannot be read: {error}") from error
        except OSError as error:
            raise UpdateError(f"{self._folder}: {error}") from error

    def _expired(self) -> RefusedError:
        now = datetime.now(UTC)
        try:
            timestamp = self._remote(Timestamp, "timestamp")
        except (exceptions.RepositoryError, exceptions.DownloadError):
            timestamp = None
        if timestamp is not None and timestamp.signed.is_expired(now):
            return RefusedError(
                Refusal.FROZEN,
                f"its timestamp ended at {timestamp.signed.expires:%Y-%m-%d %H:%M} UTC: nobody "
                "renews it, or somebody keeps newer releases from this device; the publisher runs "
                "`model-build publish --refresh`",
            )
        return RefusedError(
            Refusal.EXPIRED,
            "the signatures of its root, snapshot or targets have ended; the publisher signs anew "
            "(`model-build keys renew`, `model-build publish`)",
        )

    def _wrong_version(self, error: Exception) -> RefusedError:
        if self._is_older():
            return RefusedError(
                Refusal.ROLLED_BACK,
                f"it shows an older state than this device has seen before ({error}); an old copy "
                "was put in its place",
            )
        return RefusedError(
            Refusal.MIXED, f"its metadata files do not belong together ({error}); copy it whole"
        )

    def _is_older(self) -> bool:
        """Some version that the repository names is lower than one that is trusted here."""
        try:
            known = self._trusted(Timestamp, "timestamp")
            offered = self._remote(Timestamp, "timestamp")
            if known is None or offered is None:
                return False
            meta, before = offered.signed.snapshot_meta, known.signed.snapshot_meta
            if offered.signed.version < known.signed.version or meta.version < before.version:
                return True
            old = self._trusted(Snapshot, "snapshot")
            new = self._remote(Snapshot, f"{meta.version}.snapshot")
        except (exceptions.RepositoryError, exceptions.DownloadError):
            return False
        if old is None or new is None:
            return False
        return any(
            name in new.signed.meta and new.signed.meta[name].version < file.version
            for name, file in old.signed.meta.items()
        )

    def _remote(self, _role: type[Any], name: str) -> Metadata[Any]:
        """A metadata file as it is now, for words only: nothing of it is trusted."""
        url = f"{self._url}/metadata/{name}.json"
        return Metadata.from_bytes(self._fetcher.download_bytes(url, _METADATA_BYTES))

    def _trusted(self, _role: type[Any], name: str) -> Metadata[Any] | None:
        file = self._folder / f"{name}.json"
        return Metadata.from_bytes(file.read_bytes()) if file.is_file() else None


def describe_root(root: bytes) -> tuple[int, dict[str, tuple[str, ...]]]:
    """Version of a root file, and the ids of each role's keys. Raises UpdateError."""
    try:
        signed = Metadata[Root].from_bytes(root).signed
    except exceptions.RepositoryError as error:
        raise UpdateError(f"that is no root metadata: {error}") from error
    return signed.version, {name: tuple(role.keyids) for name, role in signed.roles.items()}


def _not_as_signed(path: str) -> str:
    what = path or "a metadata file"
    return f"{what} is not as it was signed: its length or hash differs"


def _incomplete(path: str) -> str:
    what = f"{path} is not there" if path else "a metadata file that it names is not there"
    return f"{what}; it is an incomplete copy, or one is just being made: try again"
