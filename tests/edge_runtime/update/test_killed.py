"""`kill -9` in the middle of an update: the old set or the new one runs, and the next one works."""

import json
import os
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
STEPS = 200
"""More than a life takes."""


def killed_before(folder: Path, steps: list[int]) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.edge_runtime.update.killing", folder, *map(str, steps)],
        cwd=ROOT,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_killed_before_a_few_steps(tmp_path: Path) -> None:
    found = killed_before(tmp_path, sorted(Random(1).sample(range(90), 3)))
    assert all(one["killed"] for one in found)
    assert {one["runs"] for one in found} <= {"8.3.0", "8.4.0", "8.5.0"}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_before_every_step(tmp_path: Path) -> None:
    found = killed_before(tmp_path, list(range(STEPS)))
    points = [one["runs"] for one in found if one["killed"]]
    assert 50 <= len(points) < STEPS
    assert set(points) <= {"8.3.0", "8.4.0", "8.5.0"}
    counts = {version: points.count(version) for version in sorted(set(points))}
    print(f"\n{len(points)} steps, killed before each; what ran then: {counts}")
