"""What is shipped, for who has to know: models beside the packages, and everybody's licence.

python deploy/sbom.py BOM.json BUNDLE_SET OUT.md

Adds the bundle set to a CycloneDX list of packages (`cyclonedx-py environment`), in place, and
writes licences as a table. Exit status 1 when a package names no licence, or one that may not be
shipped beside Apache-2.0 as part of the same program.
"""

import hashlib
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_REFUSED = re.compile(r"(?<!L)GPL|AGPL|SSPL|Commons Clause|CC-BY-NC", re.IGNORECASE)
"""The whole program would have to go under it, or may not be sold. LGPL stays exchangeable."""
_CLASSIFIER = "License :: OSI Approved :: "


def licences(component: dict[str, Any]) -> list[str]:
    """As the package declares them: SPDX where there is one, else its classifier."""
    found = []
    for one in component.get("licenses", []):
        text = one.get("expression") or one["license"].get("id") or one["license"].get("name", "")
        found.append(" ".join(text.removeprefix(_CLASSIFIER).split()))
    spdx = [text for text in found if "License" not in text]
    return list(dict.fromkeys(spdx or found))


def model_component(folder: Path) -> dict[str, Any]:
    """The bundle set: its files with their hashes, and the data it was trained on with theirs."""
    described = tomllib.loads((folder / "set.toml").read_text(encoding="utf-8"))
    data = dict.fromkeys(_trained_on(folder, described["bundles"].values()))
    return {
        "type": "machine-learning-model",
        "bom-ref": f"bundle-set:{described['name']}",
        "name": f"ecg-edge bundle set {described['name']}",
        "version": described["version"],
        "licenses": [{"license": {"id": "Apache-2.0", "acknowledgement": "declared"}}],
        "hashes": [{"alg": "SHA-256", "content": _sha256(folder / "set.toml")}],
        "components": [
            {
                "type": "file",
                "name": file.relative_to(folder).as_posix(),
                "hashes": [{"alg": "SHA-256", "content": _sha256(file)}],
            }
            for file in sorted(folder.rglob("*"))
            if file.is_file()
        ],
        "properties": [{"name": "ecg-edge:trained-on", "value": one} for one in data],
    }


def _trained_on(folder: Path, bundles: Any) -> Iterator[str]:
    for name in bundles:
        manifest = tomllib.loads((folder / name / "manifest.toml").read_text(encoding="utf-8"))
        # As the manifest has it: NAME (LICENCE): RECORDS, where a name may hold a colon.
        yield from (text.rpartition("): ")[0] + ")" for text in manifest["training"]["data"])


def problems(components: list[dict[str, Any]]) -> list[str]:
    """What must be looked at before anything is shipped."""
    told = []
    for one in components:
        named = licences(one)
        refused = [text for text in named if _REFUSED.search(text)]
        if not named:
            told.append(f"{one['name']} {one['version']} names no licence")
        elif refused and len(refused) == len(named):
            told.append(f"{one['name']} {one['version']} is under {' or '.join(refused)}")
    return told


def table(components: list[dict[str, Any]], model: dict[str, Any]) -> str:
    """Markdown."""
    rows = [f"| {c['name']} | {c['version']} | {'; '.join(licences(c))} |" for c in components]
    data = [f"- {one['value']}" for one in model["properties"]]
    return "\n".join(
        [
            "# Licences of what is shipped",
            "",
            "Made by `make sbom`, with the CycloneDX file beside it.",
            "",
            "| package | version | licence |",
            "|---|---|---|",
            *rows,
            "",
            "The models were trained on:",
            "",
            *data,
            "",
        ]
    )


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def main(bom_file: Path, bundle_set: Path, out: Path) -> int:
    """0: everything shipped has a licence that fits."""
    bom = json.loads(bom_file.read_text(encoding="utf-8"))
    packages = sorted(bom["components"], key=lambda one: str(one["name"]).lower())
    model = model_component(bundle_set)
    bom["components"] = [*packages, model]
    bom_file.write_text(json.dumps(bom, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    out.write_text(table([*packages, model], model), encoding="utf-8")
    found = problems(packages)
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:4])))
