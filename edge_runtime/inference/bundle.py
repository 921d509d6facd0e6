"""Reading a bundle set: every file against its hash, then structure, then graphs.

    SET/set.toml                 names and hashes the next two
    SET/conditioning.toml        the one conditioning spec all bundles were trained with
    SET/beats/manifest.toml      names and hashes the rest
    SET/beats/encoder.tflite, context.tflite, golden.npz
    SET/beats-2lead/...          the same for two leads; a set may lack it
    SET/delineation/manifest.toml, graph.tflite, golden.npz     a set may lack it
    SET/rhythm/...               manifest, one graph, golden vectors; a set may lack it

A set is released, activated and rolled back whole. Files that no manifest names are not read.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

from edge_runtime.errors import BundleError
from edge_runtime.inference.interpreter import Graph, Runtime
from edge_runtime.inference.manifest import (
    BEATS,
    DELINEATION,
    GRAPH_ROLES,
    LEADS_OF_ROLE,
    PAIRED_BEATS,
    GraphBundleManifest,
    GraphManifest,
    Manifest,
    SetManifest,
    check_graph_manifest,
    check_manifest,
    parse_manifest,
)
from edge_runtime.inference.rhythm_bundle import RhythmBundle, check_rhythm_manifest
from edge_runtime.inference.rhythm_manifest import RHYTHM, RhythmManifest
from edge_runtime.signal.features import FEATURE_SET_VERSION, FEATURES
from edge_runtime.signal.spec import ConditioningSpec, read_spec

_AnyManifest = TypeVar("_AnyManifest", Manifest, GraphBundleManifest, RhythmManifest)

_REINSTALL: Final = (
    "the set is damaged or was edited; install it again "
    "(pip install --force-reinstall ecg-edge), or roll back to the set before"
)


def default_set() -> Path:
    """Folder of the bundle set that this package ships."""
    return Path(__file__).parent.parent / "bundles" / "default"


def sha256(content: bytes) -> str:
    """The hash that manifests use, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class BeatBundle:
    """A verified beat bundle, in memory."""

    manifest: Manifest
    fingerprint: str
    """SHA-256 of the manifest, which hashes everything else."""
    encoder: bytes
    context: bytes
    golden: bytes
    where: Path

    def open_encoder(self, runtime: Runtime | None = None) -> Graph:
        """A fresh interpreter over the encoder. Raises BundleError, InterpreterError."""
        return self._open(self.manifest.encoder, self.encoder, runtime)

    def open_context(self, runtime: Runtime | None = None) -> Graph:
        """A fresh interpreter over the context network. Raises BundleError, InterpreterError."""
        return self._open(self.manifest.context, self.context, runtime)

    def _open(self, graph: GraphManifest, model: bytes, runtime: Runtime | None) -> Graph:
        where = str(self.where / graph.file)
        return Graph(model, graph.inputs, graph.outputs, where, runtime)


@dataclass(frozen=True, slots=True, eq=False)
class GraphBundle:
    """A verified bundle of one graph, in memory."""

    manifest: GraphBundleManifest
    fingerprint: str
    """SHA-256 of the manifest, which hashes everything else."""
    graph: bytes
    golden: bytes
    where: Path

    def open(self, runtime: Runtime | None = None) -> Graph:
        """A fresh interpreter over the graph. Raises BundleError, InterpreterError."""
        described = self.manifest.graph
        where = str(self.where / described.file)
        return Graph(self.graph, described.inputs, described.outputs, where, runtime)


@dataclass(frozen=True, slots=True, eq=False)
class BundleSet:
    """A verified bundle set, in memory."""

    name: str
    version: str
    fingerprint: str
    """SHA-256 of `set.toml`: identifies the set in sessions and reports."""
    conditioning: ConditioningSpec
    beats: BeatBundle
    where: Path
    paired_beats: BeatBundle | None = None
    """For sources of two leads and more."""
    graph_bundles: Mapping[str, GraphBundle] = field(default_factory=dict)
    """Bundles of one graph by their role (`GRAPH_ROLES`), those that the set has."""

    @property
    def delineation(self) -> GraphBundle | None:
        """Where the waves of a beat begin and end; None where the set cannot say."""
        return self.graph_bundles.get(DELINEATION)

    rhythm: RhythmBundle | None = None

    def for_leads(self, n_leads: int) -> BeatBundle:
        """The bundle that a source of so many leads is classified with."""
        return self.beats if n_leads < 2 or self.paired_beats is None else self.paired_beats

    @property
    def bundles(self) -> dict[str, BeatBundle]:
        """Every bundle that classifies beats, by its role."""
        found = {BEATS: self.beats}
        return found if self.paired_beats is None else {**found, PAIRED_BEATS: self.paired_beats}

    @property
    def roles(self) -> tuple[str, ...]:
        """Roles of every bundle of the set."""
        rhythm = () if self.rhythm is None else (RHYTHM,)
        return *self.bundles, *self.graph_bundles, *rhythm


def load_bundle_set(path: Path | str | None = None) -> BundleSet:
    """Read and verify a set (None: the shipped one). Builds no interpreter.

    Raises BundleError naming the first file that is missing, altered or not acceptable.
    """
    folder = Path(path) if path is not None else default_set()
    if not (folder / "set.toml").is_file():
        raise BundleError(f"{folder} holds no set.toml; point it at a bundle set's folder")
    text = _read(folder / "set.toml")
    described = parse_manifest(text, SetManifest, str(folder / "set.toml"))
    _verified(folder, described.conditioning, described.files)
    conditioning = read_spec(folder / described.conditioning)
    known = {*LEADS_OF_ROLE, *GRAPH_ROLES, RHYTHM}
    if BEATS not in described.bundles or not set(described.bundles) <= known:
        others = ", ".join(sorted(known - {BEATS}))
        raise BundleError(
            f"{folder / 'set.toml'} offers bundles {sorted(described.bundles)}, "
            f"this version uses: {BEATS}, and where they are there {others}"
        )
    bundles = {
        role: _load_beats(folder, name, described.files, role)
        for role, name in described.bundles.items()
        if role in LEADS_OF_ROLE
    }
    graphs = {
        role: _load_graph(folder, name, described.files, role)
        for role, name in described.bundles.items()
        if role in GRAPH_ROLES
    }
    rhythm = None
    if RHYTHM in described.bundles:
        rhythm = _load_rhythm(folder, described.bundles[RHYTHM], described.files)
    everything: list[BeatBundle | GraphBundle | RhythmBundle]
    everything = [*bundles.values(), *graphs.values(), *([] if rhythm is None else [rhythm])]
    for bundle in everything:
        if bundle.manifest.conditioning != conditioning.sha256:
            raise BundleError(
                f"{bundle.where / 'manifest.toml'} was trained with another conditioning than "
                f"{folder / described.conditioning}; a set must not mix them. {_REINSTALL}"
            )
    return BundleSet(
        name=described.name,
        version=described.version,
        fingerprint=sha256(text),
        conditioning=conditioning,
        beats=bundles[BEATS],
        where=folder,
        paired_beats=bundles.get(PAIRED_BEATS),
        graph_bundles=graphs,
        rhythm=rhythm,
    )


def _load_beats(folder: Path, name: str, hashes: dict[str, str], role: str) -> BeatBundle:
    def check(manifest: Manifest, what: str) -> None:
        check_manifest(manifest, what)
        _check_features(manifest, what)
        if manifest.leads != LEADS_OF_ROLE[role]:
            raise BundleError(
                f"{what} takes {manifest.leads} leads, which is not what {role} is for"
            )

    manifest, fingerprint, where = _verified_bundle(folder, name, hashes, Manifest, check)
    return BeatBundle(
        manifest=manifest,
        fingerprint=fingerprint,
        encoder=_read(where / manifest.encoder.file),
        context=_read(where / manifest.context.file),
        golden=_read(where / manifest.golden.file),
        where=where,
    )


def _load_graph(folder: Path, name: str, hashes: dict[str, str], role: str) -> GraphBundle:
    def check(manifest: GraphBundleManifest, what: str) -> None:
        check_graph_manifest(manifest, role, what)

    manifest, fingerprint, where = _verified_bundle(
        folder, name, hashes, GraphBundleManifest, check
    )
    return GraphBundle(
        manifest=manifest,
        fingerprint=fingerprint,
        graph=_read(where / manifest.graph.file),
        golden=_read(where / manifest.golden.file),
        where=where,
    )


def _load_rhythm(folder: Path, name: str, hashes: dict[str, str]) -> RhythmBundle:
    manifest, fingerprint, where = _verified_bundle(
        folder, name, hashes, RhythmManifest, check_rhythm_manifest
    )
    return RhythmBundle(
        manifest=manifest,
        fingerprint=fingerprint,
        graph=_read(where / manifest.graph.file),
        golden=_read(where / manifest.golden.file),
        where=where,
    )


def _verified_bundle(
    folder: Path,
    name: str,
    hashes: dict[str, str],
    kind: type[_AnyManifest],
    check: Callable[[_AnyManifest, str], None],
) -> tuple[_AnyManifest, str, Path]:
    """The checked manifest, its fingerprint, and the bundle's folder: its files are as it says."""
    text = _verified(folder, f"{name}/manifest.toml", hashes)
    where = folder / name
    what = str(where / "manifest.toml")
    manifest = parse_manifest(text, kind, what)
    check(manifest, what)
    for other in manifest.files:
        _verified(where, other, manifest.files)
    return manifest, sha256(text), where


def _check_features(manifest: Manifest, what: str) -> None:
    """The network must be fed exactly the features it was trained on, in their order."""
    needed = [(f.name, f.unit) for f in manifest.features]
    offered = [(f.name, f.unit) for f in FEATURES]
    if manifest.feature_set != FEATURE_SET_VERSION or needed != offered:
        odd = sorted({name for name, _ in set(needed) ^ set(offered)})
        raise BundleError(
            f"{what} was trained on feature set {manifest.feature_set}, this version computes "
            f"{FEATURE_SET_VERSION}{': ' + ', '.join(odd) if odd else ''}; "
            "install the bundle set that belongs to this ecg-edge release"
        )


def _verified(folder: Path, name: str, hashes: dict[str, str]) -> bytes:
    path = folder / name
    if name not in hashes:
        raise BundleError(f"no hash is given for {path}. {_REINSTALL}")
    if not path.resolve().is_relative_to(folder.resolve()):
        raise BundleError(f"{path} lies outside the bundle set. {_REINSTALL}")
    content = _read(path)
    if sha256(content) != hashes[name]:
        raise BundleError(f"{path} does not match its hash: {_REINSTALL}")
    return content


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path} cannot be read ({error.strerror}). {_REINSTALL}") from error
