"""A bundle that joins a set makes another set of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from edge_runtime.inference.bundle import default_set, load_bundle_set
from model_build.graph_export import join_set


def test_a_bundle_that_joins_gives_the_set_its_version(tmp_path: Path) -> None:
    shipped = load_bundle_set()
    assert shipped.delineation is not None
    folder = default_set() / "delineation"
    with np.load(folder / "golden.npz") as stored:
        golden = {name: stored[name] for name in stored.files}
    manifest = replace(shipped.delineation.manifest, version="7.1.0")
    graph = folder / manifest.graph.file
    joined = join_set(default_set(), tmp_path / "set", "delineation", graph, manifest, golden)
    assert joined.version == "7.1.0"
    assert joined.roles == shipped.roles
    assert joined.fingerprint != shipped.fingerprint
    assert joined.delineation is not None
    assert joined.delineation.manifest.version == "7.1.0"
    # The others are those that were there, to the byte.
    for role in ("beats", "rhythm"):
        for file in (default_set() / role).iterdir():
            assert (tmp_path / "set" / role / file.name).read_bytes() == file.read_bytes()
