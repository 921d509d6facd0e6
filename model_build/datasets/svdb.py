"""MIT-BIH Supraventricular Arrhythmia Database: every pinned record trains."""

from pathlib import Path

from model_build.datasets.catalogue import database
from model_build.datasets.locate import ensure
from model_build.datasets.recording import Group, Recording
from model_build.datasets.subjects import subject


def training(directory: Path) -> list[Recording]:
    """All pinned records, one person each."""
    folder = ensure(directory, "svdb")
    return [
        Recording("svdb", r, subject("svdb", r), folder / r, Group.BEATS, "atr")
        for r in database("svdb").records
    ]
