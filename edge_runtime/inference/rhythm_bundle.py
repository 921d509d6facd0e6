"""A rhythm bundle in memory."""

from dataclasses import dataclass
from pathlib import Path

from edge_runtime.errors import BundleError
from edge_runtime.inference.interpreter import Graph, Runtime
from edge_runtime.inference.rhythm_manifest import RhythmManifest, rhythm_problems
from edge_runtime.signal.features import FEATURE_SET_VERSION
from edge_runtime.signal.rhythm import RHYTHM_FEATURE_SET_VERSION, RHYTHM_FEATURES


@dataclass(frozen=True, slots=True, eq=False)
class RhythmBundle:
    """A verified rhythm bundle."""

    manifest: RhythmManifest
    fingerprint: str
    """SHA-256 of the manifest, which hashes everything else."""
    graph: bytes
    golden: bytes
    where: Path

    def open(self, runtime: Runtime | None = None) -> Graph:
        """A fresh interpreter. Raises BundleError, InterpreterError."""
        graph = self.manifest.graph
        where = str(self.where / graph.file)
        return Graph(self.graph, graph.inputs, graph.outputs, where, runtime)


def check_rhythm_manifest(manifest: RhythmManifest, what: str) -> None:
    """Refuse a manifest that contradicts itself, or is of other features than are computed."""
    problems = rhythm_problems(manifest)
    versions = manifest.feature_set, manifest.beat_feature_set
    if versions != (RHYTHM_FEATURE_SET_VERSION, FEATURE_SET_VERSION) or (
        tuple(feature.name for feature in manifest.features) != RHYTHM_FEATURES
    ):
        problems.append("it was trained on other features than this version computes")
    if problems:
        raise BundleError(f"{what} is not acceptable: " + "; ".join(problems))
