"""CPSC 2021: Holter excerpts of six people, with beats; mostly negatives for S within AF."""

from pathlib import Path

from model_build.datasets.catalogue import database
from model_build.datasets.locate import ensure
from model_build.datasets.recording import Group, Recording
from model_build.datasets.subjects import subject


def training(directory: Path) -> list[Recording]:
    """All pinned records; several are of one person."""
    folder = ensure(directory, "cpsc2021")
    return [
        Recording("cpsc2021", r, subject("cpsc2021", r), folder / r, Group.AF_BEATS, "atr")
        for r in database("cpsc2021").records
    ]
