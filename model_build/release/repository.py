"""A repository folder: signed metadata and the files it vouches for, for any web server or stick.

    REPOSITORY/metadata/N.root.json, N.targets.json, N.snapshot.json, timestamp.json
    REPOSITORY/targets/sets/NAME/VERSION/HASH.set.toml ...
    REPOSITORY/targets/firmware/BOARD/VERSION/HASH.FILE

The Update Framework's four roles: two of three root keys say which keys count; the targets key
vouches for files; snapshot and timestamp keys say which state is the newest, and may lie on the
machine that renews it every few days. A publication becomes visible with its last file, the
timestamp, which is renamed into place.
"""

import shutil
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import (
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from edge_runtime.update.repository import SIGNED_AT
from firmware_bridge.records.writing import replace_file
from model_build.errors import KeyFileError, ReleaseError
from model_build.release.keys import NAME_FIELD, KeyFolders

Role = Literal["root", "targets", "snapshot", "timestamp"]
N_ROOT_KEYS: Final = 3
ROOT_THRESHOLD: Final = 2
LASTS: Final[dict[str, timedelta]] = {
    "root": timedelta(days=730),
    "targets": timedelta(days=365),
    "snapshot": timedelta(days=30),
    "timestamp": timedelta(days=7),
}
"""How long a signature counts. Whoever can hold back the timestamp can hide a release for so long
and no longer, so it is short and its key is online; the offline ones are taken out once a year."""
_Signed = TypeVar("_Signed", Root, Targets, Snapshot, Timestamp)


class PublishedRepository:
    """A repository folder and the keys at hand. Raises ReleaseError, KeyFileError."""

    def __init__(
        self,
        folder: Path,
        keys: KeyFolders,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._metadata = folder / "metadata"
        self._files = folder / "targets"
        self._keys = keys
        self._now = now

    # --- keys

    def create(self) -> None:
        """Fresh keys and an empty repository, all signed. Never over one that is there."""
        if (self._metadata / "1.root.json").exists():
            raise ReleaseError(f"{self._metadata} holds a repository already")
        self._metadata.mkdir(parents=True, exist_ok=True)
        self._files.mkdir(exist_ok=True)
        root = _blank(Root)
        names = [f"root-{n + 1}" for n in range(N_ROOT_KEYS)]
        for name in (*names, "targets-1", "snapshot-1", "timestamp-1"):
            root.add_key(self._keys.make(name).public_key, role_of(name))
        root.roles["root"].threshold = ROOT_THRESHOLD
        self._write_root(Metadata(root), Metadata(root))
        self._publish(_blank(Targets))

    def replace_key(self, name: str) -> str:
        """A new key in place of the key `name`, which is not needed for it; the new one's name.

        Everything that the old key had signed is signed anew. Of a root key: two of the others.
        """
        old = self._root()
        new = Metadata.from_bytes(old.to_bytes())
        root = new.signed
        keyid = next((k for k, key in root.keys.items() if _name(key) == name), None)
        if keyid is None:
            known = ", ".join(sorted(_name(key) for key in root.keys.values()))
            raise KeyFileError(f"{name} is no key of this repository; its keys are {known}")
        role = role_of(name)
        fresh = f"{role}-{1 + self._highest_number(role)}"
        self._require_root_keys(old.signed, without=name)
        for online in ("snapshot", "timestamp"):
            if role not in {"root", online}:
                list(self._signers(online, 1))  # before anything is changed
        root.revoke_key(keyid, role)
        root.add_key(self._keys.make(fresh).public_key, role)
        self._write_root(old, new)
        if role == "targets":
            self._publish(self._newest(Targets, "targets").signed)
        elif role != "root":
            self.renew()
        return fresh

    def renew_root(self) -> None:
        """The same keys for another two years."""
        old = self._root()
        self._write_root(old, Metadata.from_bytes(old.to_bytes()))

    def key_names(self) -> dict[str, tuple[str, ...]]:
        """Names of the keys that count, by role."""
        root = self._root().signed
        return {
            name: tuple(sorted(_name(root.keys[k]) for k in role.keyids))
            for name, role in root.roles.items()
        }

    @property
    def root_file(self) -> Path:
        """The newest root: what a device is given to trust."""
        return self._metadata / f"{self._root().signed.version}.root.json"

    # --- files

    def targets(self) -> dict[str, Any]:
        """Every file that is vouched for, by its path, and what is said of it (None: nothing)."""
        signed = self._newest(Targets, "targets").signed
        return {path: one.unrecognized_fields.get("custom") for path, one in signed.targets.items()}

    def add(self, files: Mapping[str, tuple[Path, dict[str, Any] | None]]) -> None:
        """Vouch for files: target path to the file and what is said of it. Visible at once."""
        targets = self._newest(Targets, "targets").signed
        for path, (source, custom) in files.items():
            target = TargetFile.from_file(path, str(source), ["sha256"])
            if custom is not None:
                target.unrecognized_fields["custom"] = custom
            known = targets.targets.get(path)
            if known is not None and known.hashes != target.hashes:
                raise ReleaseError(f"{path} is published and differs; give it a new version")
            targets.targets[path] = target
            folder, _, name = path.rpartition("/")
            place = self._files / folder / f"{target.hashes['sha256']}.{name}"
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, place)
        self._publish(targets)

    def withdraw(self, prefix: str) -> list[str]:
        """No longer vouch for what lies below `prefix`; its paths. Devices that have it keep it."""
        targets = self._newest(Targets, "targets").signed
        gone = [path for path in targets.targets if path.startswith(prefix)]
        if not gone:
            raise ReleaseError(f"nothing is published below {prefix}")
        for path in gone:
            del targets.targets[path]
        self._publish(targets)
        return gone

    def renew(self) -> None:
        """The same state for another while: snapshot and timestamp, with the online keys alone."""
        self._sign_state(self._newest(Targets, "targets").signed.version)

    # --- signing

    def _publish(self, targets: Targets) -> None:
        targets.version += 1
        self._write(targets, "targets")
        self._sign_state(targets.version)

    def _sign_state(self, targets_version: int) -> None:
        snapshot = self._next(Snapshot, "snapshot")
        snapshot.meta["targets.json"] = MetaFile(targets_version)
        self._write(snapshot, "snapshot")
        timestamp = self._next(Timestamp, "timestamp")
        timestamp.snapshot_meta = MetaFile(snapshot.version)
        self._write(timestamp, "timestamp")

    def _write(self, signed: _Signed, role: Role) -> None:
        signed.expires = self._expiry(role)
        if role == "timestamp":
            signed.unrecognized_fields[SIGNED_AT] = self._now().isoformat(timespec="seconds")
        metadata = Metadata(signed)
        for signer in self._signers(role, 1):
            metadata.sign(signer, append=True)
        name = "timestamp.json" if role == "timestamp" else f"{signed.version}.{role}.json"
        replace_file(self._metadata / name, metadata.to_bytes(), sync=True)

    def _write_root(self, old: Metadata[Root], new: Metadata[Root]) -> None:
        """The next root, signed by enough keys of the old one and of the new one."""
        root = new.signed
        root.version += 1
        root.expires = self._expiry("root")
        root.unrecognized_fields[SIGNED_AT] = self._now().isoformat(timespec="seconds")
        new.signatures.clear()
        counting = {**old.signed.keys, **root.keys}
        ids = {*old.signed.roles["root"].keyids, *root.roles["root"].keyids}
        for name in sorted(_name(counting[keyid]) for keyid in ids):
            signer = self._keys.open(name)
            if signer is not None:
                new.sign(signer, append=True)
        for judge in (old.signed, root):
            result = judge.get_root_verification_result(None, new.signed_bytes, new.signatures)
            if not result:
                raise KeyFileError(_too_few(len(result.signed)))
        file = self._metadata / f"{root.version}.root.json"
        replace_file(file, new.to_bytes(), sync=True)

    def _require_root_keys(self, root: Root, without: str) -> None:
        """Before a new key is made: are there enough to sign the root with?"""
        names = [_name(root.keys[keyid]) for keyid in root.roles["root"].keyids]
        at_hand = [name for name in names if name != without and self._keys.open(name)]
        if len(at_hand) < ROOT_THRESHOLD:
            raise KeyFileError(_too_few(len(at_hand)))

    def _signers(self, role: Role, least: int) -> Iterator[CryptoSigner]:
        root = self._root().signed
        names = sorted(_name(root.keys[keyid]) for keyid in root.roles[role].keyids)
        found = [signer for name in names if (signer := self._keys.open(name)) is not None]
        if len(found) < least:
            raise KeyFileError(f"no folder given by --keys has {' or '.join(names)}.pem")
        yield from found

    # --- reading

    def _root(self) -> Metadata[Root]:
        return self._newest(Root, "root")

    def _next(self, kind: type[_Signed], role: Role) -> _Signed:
        """The newest metadata of a role, one version on; the first, where there is none."""
        try:
            signed = self._newest(kind, role).signed
        except ReleaseError:
            signed = _blank(kind)
        signed.version += 1
        return signed

    def _newest(self, kind: type[_Signed], role: Role) -> Metadata[_Signed]:
        files = [self._metadata / "timestamp.json"]
        if role != "timestamp":
            numbered = self._metadata.glob(f"*.{role}.json")
            files = sorted(numbered, key=lambda file: int(file.name.partition(".")[0]))
        if not files or not files[-1].is_file():
            raise ReleaseError(
                f"{self._metadata} holds no repository; `model-build keys init` makes one"
            )
        try:
            found: Metadata[_Signed] = Metadata.from_file(str(files[-1]))
        except RepositoryError as error:
            raise ReleaseError(f"{files[-1]}: {error}") from error
        if not isinstance(found.signed, kind):
            raise ReleaseError(f"{files[-1]} is no {role} metadata")
        return found

    def _highest_number(self, role: str) -> int:
        """Of all keys that a root has ever named for the role: a name is never used twice."""
        numbers = [0]
        for file in self._metadata.glob("*.root.json"):
            keys = Metadata[Root].from_file(str(file)).signed.keys.values()
            names = [_name(key) for key in keys]
            numbers += [int(name.rpartition("-")[2]) for name in names if role_of(name) == role]
        return max(numbers)

    def _expiry(self, role: Role) -> datetime:
        return (self._now() + LASTS[role]).replace(microsecond=0)


def _blank(kind: type[_Signed]) -> _Signed:
    """Metadata whose first version is still to be written."""
    signed = kind()
    signed.version = 0
    return signed


def role_of(name: str) -> str:
    """The role that a key of this name was made for."""
    return name.rpartition("-")[0]


def _name(key: Any) -> str:
    return str(key.unrecognized_fields.get(NAME_FIELD, key.keyid[:8]))


def _too_few(found: int) -> str:
    return (
        f"{found} of the {ROOT_THRESHOLD} root keys that are needed are at hand; "
        "give the folders of two of them by --keys"
    )
