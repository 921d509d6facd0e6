"""Sets that come onto a shelf, and what lies there."""

from pathlib import Path

from edge_runtime.update.shelf import Shelf
from tests.edge_runtime.update.publisher import release


def arrive(shelf: Shelf, version: str) -> str:
    """A verified set comes in and is staged; its id."""
    incoming = shelf.folder / "incoming" / version
    incoming.parent.mkdir(parents=True, exist_ok=True)
    return shelf.add(release(incoming, version), "signed")


def keep(shelf: Shelf, version: str) -> str:
    """It came in, ran and was confirmed; its id."""
    set_id = arrive(shelf, version)
    shelf.switch()
    shelf.confirm()
    return set_id


def on_disk(shelf: Shelf) -> list[str]:
    return sorted(folder.name for folder in (shelf.folder / "sets").iterdir())


def link(shelf: Shelf) -> str | None:
    """The set that the link names."""
    current: Path = shelf.folder / "current"
    return current.resolve().name if current.is_symlink() else None
