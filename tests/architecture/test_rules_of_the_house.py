"""What the layout promises and no linter counts: module size, cheap imports, contracts that run."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("firmware_bridge", "edge_runtime", "model_build")
MAX_LINES = 400
NEVER_ON_THE_DEVICE = {
    "tensorflow",
    "keras",
    "sklearn",
    "pandas",
    "matplotlib",
    "wfdb",
    "sleepecg",
    "scipy.signal",
    "scipy.stats",
    "scipy.interpolate",
}


def modules_after(statement: str) -> set[str]:
    """Names of all modules in a fresh interpreter after `statement`."""
    code = f"{statement}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def python_files() -> list[Path]:
    return [file for package in (*PACKAGES, "tests") for file in (ROOT / package).rglob("*.py")]


def test_no_module_has_grown_past_what_one_can_read() -> None:
    lines = {file: len(file.read_text(encoding="utf-8").splitlines()) for file in python_files()}
    too_long = {str(file.relative_to(ROOT)): n for file, n in lines.items() if n > MAX_LINES}
    assert not too_long


@pytest.mark.parametrize("package", [*PACKAGES, "edge_runtime.cli", "firmware_bridge.cli"])
def test_importing_a_package_or_program_costs_nothing(package: str) -> None:
    """`--help` and completion must answer at once on a small board."""
    heavy = {"numpy", "scipy", "asyncio", "sqlite3", "rich", "serialx", "ai_edge_litert"}
    assert not modules_after(f"import {package}") & (heavy | NEVER_ON_THE_DEVICE)


def test_the_device_s_side_needs_no_training_stack() -> None:
    """Imports everything that the device can run; the daemon's own run is checked in tests/e2e."""
    everything = [
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for package in ("edge_runtime", "firmware_bridge")
        for file in sorted((ROOT / package).rglob("*.py"))
        if file.name != "__main__.py"
    ]
    assert not modules_after("import " + ", ".join(everything)) & NEVER_ON_THE_DEVICE


def test_import_contracts_are_part_of_lint_and_hold() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    lint = makefile.partition("\nlint:")[2].partition("\n\n")[0]
    assert "lint-imports" in lint
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_every_dependency_has_a_lower_bound() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    unbound = [
        line
        for line in (*project["dependencies"], *extras)
        if ">=" not in line and "==" not in line and not line.startswith("ecg-edge[")
    ]
    assert not unbound
