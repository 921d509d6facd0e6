"""The wheel is the same, byte for byte, wherever and whenever it is built."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = (
    "firmware_bridge", "edge_runtime", "model_build", "pyproject.toml", "README.md", "LICENSE",
)  # fmt: skip


def built(folder: Path, mtime_s: int, umask: int) -> tuple[str, bytes]:
    """Name and content of the wheel of a copy whose files are so old."""
    source = folder / "source"
    source.mkdir(parents=True)
    for name in PARTS:
        part = ROOT / name
        if part.is_dir():
            shutil.copytree(part, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(part, source / name)
    for file in source.rglob("*"):
        os.utime(file, (mtime_s, mtime_s))
        file.chmod((0o777 if file.is_dir() else 0o666) & ~umask)
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder / "dist"],
        cwd=source,
        env=environment,
        check=True,
        capture_output=True,
        umask=umask,
    )
    (wheel,) = (folder / "dist").glob("*.whl")
    return wheel.name, wheel.read_bytes()


def test_a_wheel_built_twice_is_the_same(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    first = built(tmp_path / "here", 1_700_000_000, 0o022)
    assert first == built(tmp_path / "elsewhere", 1_790_000_000, 0o077)
