"""Copies of the shipped bundle set, to be damaged."""

import hashlib
import shutil
from pathlib import Path

import pytest

from edge_runtime.inference.bundle import BundleSet, default_set, load_bundle_set


@pytest.fixture(scope="session")
def shipped() -> BundleSet:
    return load_bundle_set()


class SetCopy:
    """A copy of the shipped set. `edit` changes a text file and seals what lies above it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        shutil.copytree(default_set(), folder)

    def edit(self, name: str, old: str, new: str) -> None:
        path = self.folder / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))
        self.seal(name)

    def seal(self, name: str) -> None:
        """Correct the hash of `name` in the manifest above it, up to the set."""
        if name == "set.toml":
            return
        folder, last = Path(name).parent, Path(name).name
        inside = folder.name and last != "manifest.toml"
        above = f"{folder}/manifest.toml" if inside else "set.toml"
        key = name if above == "set.toml" else Path(name).name
        digest = hashlib.sha256((self.folder / name).read_bytes()).hexdigest()
        lines = (self.folder / above).read_text().splitlines()
        sealed = [f'"{key}" = "{digest}"' if li.startswith(f'"{key}" = ') else li for li in lines]
        (self.folder / above).write_text("\n".join(sealed) + "\n")
        self.seal(above)


@pytest.fixture
def copy(tmp_path: Path) -> SetCopy:
    return SetCopy(tmp_path / "set")
