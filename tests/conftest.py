"""Where the ECG archives are, and what it means when they are not there."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from edge_runtime.inference.bundle import BundleSet


def _required(path: Path | None, what: str) -> Path:
    if path is not None and path.is_dir():
        return path
    reason = f"{what} not found; set ECG_DATA_DIR to the folder that holds mitdb/, svdb/, ..."
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def _from_environment(name: str) -> Path | None:
    value = os.environ.get(name)
    return Path(value) if value else None


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of ECG archives (mitdb, svdb, ...)."""
    return _required(_from_environment("ECG_DATA_DIR"), "the ECG archives")


@pytest.fixture(scope="session")
def golden_dir() -> Path:
    """Output of the field's reference tools; lies beside the archives unless said otherwise."""
    data = _from_environment("ECG_DATA_DIR")
    beside = data.parent / "golden" if data else None
    return _required(_from_environment("ECG_GOLDEN_DIR") or beside, "the reference tools' output")


@pytest.fixture(scope="session")
def paired_set(tmp_path_factory: pytest.TempPathFactory) -> "BundleSet":
    """The shipped set with a tiny random bundle of two leads."""
    from tests.paired_set import make_paired_set

    return make_paired_set(tmp_path_factory.mktemp("paired") / "set")
