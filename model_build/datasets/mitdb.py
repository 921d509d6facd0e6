"""MIT-BIH Arrhythmia Database: the training half, and the test half for evaluation only."""

from pathlib import Path

from model_build.datasets.locate import ensure
from model_build.datasets.recording import Group, Recording
from model_build.datasets.splits import DS2, TRAINING_MITDB
from model_build.datasets.subjects import subject


def _recordings(directory: Path, records: tuple[str, ...]) -> list[Recording]:
    folder = ensure(directory, "mitdb", records)
    return [
        Recording("mitdb", r, subject("mitdb", r), folder / r, Group.BEATS, "atr") for r in records
    ]


def training(directory: Path) -> list[Recording]:
    """DS1 without 201."""
    return _recordings(directory, TRAINING_MITDB)


def test(directory: Path) -> list[Recording]:
    """DS2. Only `model-build evaluate --open-test` asks for it."""
    return _recordings(directory, DS2)
