"""A publisher's desk in a temporary folder: real keys, a real repository, releases of the shipped
set under other version numbers."""

import re
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from edge_runtime.inference.bundle import default_set
from edge_runtime.update.catalogue import Catalogue, SetOffer
from edge_runtime.update.repository import Repository
from model_build.release.keys import KeyFolders
from model_build.release.publishing import firmware_files, package_files
from model_build.release.repository import PublishedRepository

PASSPHRASE = "correct horse battery"


def release(folder: Path, version: str) -> Path:
    """The shipped set as a release of that version."""
    shutil.copytree(default_set(), folder)
    description = folder / "set.toml"
    text = re.sub(r'(?m)^version = ".*"$', f'version = "{version}"', description.read_text())
    description.write_text(text)
    return folder


@dataclass
class Publisher:
    """Keys and a repository below `folder`. `now` None: the present."""

    folder: Path
    now: datetime | None = None
    key_folders: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.key_folders = [self.folder / "keys"]
        self.desk().create()
        self.first_root = (self.metadata / "1.root.json").read_bytes()

    @property
    def repository(self) -> Path:
        return self.folder / "repository"

    @property
    def metadata(self) -> Path:
        return self.repository / "metadata"

    @property
    def url(self) -> str:
        return self.repository.as_uri()

    def desk(self) -> PublishedRepository:
        keys = KeyFolders(self.key_folders, PASSPHRASE)
        return PublishedRepository(self.repository, keys, lambda: self.now or datetime.now(UTC))

    def publish(self, version: str) -> None:
        """A set, without replaying its golden vectors: it is the shipped one."""
        folder = release(self.folder / f"set-{version}", version)
        self.publish_folder(folder, version)

    def publish_folder(self, folder: Path, version: str, **changes: Any) -> None:
        offer = SetOffer(
            **{"name": "default", "version": version, "minimum_runtime": 1, "feature_set": 2}
            | changes
        )
        custom = {"kind": "bundle-set"} | {
            name: getattr(offer, name)
            for name in ("name", "version", "minimum_runtime", "feature_set")
        }
        files: dict[str, tuple[Path, dict[str, Any] | None]] = {
            offer.folder + file.relative_to(folder).as_posix(): (file, None)
            for file in sorted(folder.rglob("*"))
            if file.is_file()
        }
        files[offer.folder + "set.toml"] = (folder / "set.toml", custom)
        self.desk().add(files)

    def publish_firmware(self, image: Path, *models: str) -> None:
        self.desk().add(firmware_files(image, models))

    def publish_package(self, package: Path) -> None:
        self.desk().add(package_files(package))

    def target_file(self, path: str) -> Path:
        """Where the content of a target lies."""
        folder, _, name = path.rpartition("/")
        (found,) = (self.repository / "targets" / folder).glob(f"*.{name}")
        return found


@dataclass
class Device:
    """What a device keeps of a repository, and its look at it."""

    publisher: Publisher
    folder: Path
    synchronized: bool = True
    url: str = ""

    def repository(self) -> Repository:
        return Repository(
            self.url or self.publisher.url,
            self.publisher.first_root,
            self.folder,
            synchronized=lambda: self.synchronized,
        )

    def refresh(self) -> Catalogue:
        return self.repository().refresh()

    def versions(self) -> list[str]:
        return sorted(offer.version for offer in self.refresh().sets)
