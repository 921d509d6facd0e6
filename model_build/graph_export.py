"""Putting a bundle of one graph into a bundle set that is there."""

import io
import logging
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import cattrs
import numpy as np

from edge_runtime.inference.bundle import BundleSet, load_bundle_set, sha256
from edge_runtime.inference.golden import check_bundle_set, require_golden
from edge_runtime.inference.manifest import GraphBundleManifest, SetManifest, parse_manifest
from model_build.errors import ExportError
from model_build.etpu import edge_tpu_problems
from model_build.export import MAX_GRAPH_BYTES, to_toml

log = logging.getLogger(__name__)

MANIFEST: Final = "manifest.toml"


def join_set(
    base: Path,
    out: Path,
    role: str,
    graph: Path,
    manifest: GraphBundleManifest,
    golden: Mapping[str, Any],
) -> BundleSet:
    """Write into the new folder `out` the set `base` with the bundle `role` added or replaced.

    Raises ExportError for a graph that is too large or not for an Edge TPU, BundleError where the
    set does not load or does not reproduce its own vectors. The same inputs give the same bytes.
    """
    content = graph.read_bytes()
    if len(content) > MAX_GRAPH_BYTES:
        raise ExportError(f"{graph.name} has {len(content)} bytes, allowed are {MAX_GRAPH_BYTES}")
    problems = edge_tpu_problems(content)
    if problems:
        raise ExportError(f"{graph.name} would not run whole on an Edge TPU: {problems[0]}")
    load_bundle_set(base)
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(base, out)
    folder = out / role
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **dict(golden))
    files = {manifest.graph.file: content, manifest.golden.file: buffer.getvalue()}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    hashed = replace(manifest, files={name: sha256(data) for name, data in files.items()})
    (folder / MANIFEST).write_text(to_toml(cattrs.unstructure(hashed)))
    name_in_set(out, role, manifest.version)
    require_golden(check_bundle_set(out))
    return load_bundle_set(out)


def name_in_set(folder: Path, role: str, version: str) -> None:
    """Name the bundle `role`, which lies in the set's folder, in `set.toml`.

    The set is another one with it, and takes its version.
    """
    path = folder / "set.toml"
    described = parse_manifest(path.read_bytes(), SetManifest, str(path))
    listed = f"{role}/{MANIFEST}"
    named = replace(
        described,
        version=version,
        bundles={**described.bundles, role: role},
        files={**described.files, listed: sha256((folder / listed).read_bytes())},
    )
    path.write_text(to_toml(cattrs.unstructure(named)))
