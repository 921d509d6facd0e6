"""The list of what is shipped: models beside packages, and licences that must be looked at."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
BUNDLES = ROOT / "edge_runtime" / "bundles" / "default"


def package(name: str, *licences: dict[str, Any]) -> dict[str, Any]:
    return {"type": "library", "name": name, "version": "1.0", "licenses": list(licences)}


def sbom(folder: Path, *packages: dict[str, Any]) -> tuple[int, str, dict[str, Any], str]:
    """Exit status, complaints, the list and the table."""
    file, table = folder / "bom.json", folder / "LICENCES.md"
    bom = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": list(packages)}
    file.write_text(json.dumps(bom))
    done = subprocess.run(
        [sys.executable, ROOT / "deploy" / "sbom.py", file, BUNDLES, table],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr, json.loads(file.read_text()), table.read_text()


GOOD = (
    package("one", {"license": {"id": "MIT"}}),
    package("two", {"license": {"name": "License :: OSI Approved :: BSD License"}}),
    package("three", {"expression": "MPL-2.0 AND MIT"}),
    package("four", {"license": {"id": "LGPL-2.1-or-later"}}),
    package("five", {"license": {"id": "GPL-3.0-only"}}, {"license": {"id": "MIT"}}),
)


def test_models_are_listed_beside_packages(tmp_path: Path) -> None:
    status, complaints, bom, table = sbom(tmp_path, *GOOD)
    assert (status, complaints) == (0, "")
    model = bom["components"][-1]
    assert model["type"] == "machine-learning-model"
    assert "set.toml" in [file["name"] for file in model["components"]]
    assert any("MIT-BIH" in data["value"] for data in model["properties"])
    assert "| two | 1.0 | BSD License |" in table
    assert "MIT-BIH Arrhythmia Database (ODC-By 1.0)" in table


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (package("none"), "none 1.0 names no licence"),
        (package("gnu", {"expression": "GPL-2.0-or-later"}), "gnu 1.0 is under GPL-2.0-or-later"),
        (package("net", {"license": {"id": "AGPL-3.0-only"}}), "net 1.0 is under AGPL-3.0-only"),
    ],
)
def test_what_must_be_looked_at_is_told(bad: dict[str, Any], words: str, tmp_path: Path) -> None:
    status, complaints, _, _ = sbom(tmp_path, *GOOD, bad)
    assert status == 1
    assert complaints.strip() == words


@pytest.mark.slow
def test_the_list_is_valid_cyclonedx(tmp_path: Path) -> None:
    validation = pytest.importorskip("cyclonedx.validation.json")
    from cyclonedx.schema import SchemaVersion

    _, _, bom, _ = sbom(tmp_path, *GOOD[:4])
    strict = validation.JsonStrictValidator(SchemaVersion.V1_6)
    assert strict.validate_str(json.dumps(bom)) is None
