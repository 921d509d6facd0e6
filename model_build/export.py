"""Writing a bundle set: graphs, manifest, golden vectors, hashes.

The set is written beside its destination, loaded and checked as a device would, and only then
moved into place: a set that this machine cannot use is never left behind.
"""

import io
import logging
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import cattrs
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from edge_runtime.errors import BundleError
from edge_runtime.inference.bundle import BundleSet, load_bundle_set, sha256
from edge_runtime.inference.excerpt import Excerpt
from edge_runtime.inference.golden import (
    RunEngine,
    Status,
    check_bundle_set,
    condition,
    record_events,
    record_graphs,
    require_golden,
)
from edge_runtime.inference.interpreter import TensorSpec, find_runtime
from edge_runtime.inference.manifest import (
    BEATS,
    GRAPH_ROLES,
    LEADS_OF_ROLE,
    RUNTIME,
    SCHEMA,
    FeatureScaling,
    Golden,
    GraphManifest,
    Manifest,
    SetManifest,
    Training,
)
from edge_runtime.inference.rhythm_manifest import RHYTHM
from edge_runtime.signal.features import FEATURE_SET_VERSION, FEATURES
from edge_runtime.signal.history import BeatBlock
from edge_runtime.signal.spec import read_spec
from model_build.datasets.recording import CLASSES
from model_build.errors import ExportError
from model_build.etpu import edge_tpu_problems
from model_build.quantize import QuantizedStudent

log = logging.getLogger(__name__)

GOLDEN_BEATS: Final = 64
"""Beats of tier (b): two full histories."""
MAX_GRAPH_BYTES: Final = 64 * 1024
"""All graphs of a bundle together; what the smallest device of the plan has room for."""


SCORE_TOLERANCE: Final = 0.05
"""One INT8 step of an embedding moves a score by up to 0.04 (measured on the shipped set between
LiteRT 1.2 and 2.3, and 0.033 on an emulated Cortex-A72)."""


@dataclass(frozen=True, slots=True)
class BundleDescription:
    """What the manifest says beside tensors and hashes. `features` in the network's order."""

    version: str
    features: tuple[FeatureScaling, ...]
    training: Training
    scores: Mapping[str, float] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)
    classes: tuple[str, ...] = CLASSES
    temperature: float = 1.0
    log_bias: tuple[float, ...] = (0.0,) * len(CLASSES)
    score_tolerance: float = SCORE_TOLERANCE
    set_name: str = "default"


@dataclass(frozen=True, slots=True, eq=False)
class GoldenSource:
    """What golden vectors are made of: raw signal, beats in context, and the engine.

    `beats`: consecutive ones, the first `GOLDEN_BEATS` valid of them are used. `run_engine`
    None: the set gets no tier (c). Signal and beats come from training records only. `companion`:
    the same beats on the second lead, for a bundle of two.
    """

    excerpt: Excerpt
    beats: BeatBlock
    run_engine: RunEngine | None = None
    companion: BeatBlock | None = None


def feature_scaling(
    centre: NDArray[np.float32], scale: NDArray[np.float32], clip: float
) -> tuple[FeatureScaling, ...]:
    """Fitted standardization (F,), joined with the names and units of the shipped feature set."""
    if not len(FEATURES) == len(centre) == len(scale):
        raise ExportError(f"{len(centre)} features were scaled, the path has {len(FEATURES)}")
    return tuple(
        FeatureScaling(spec.name, spec.unit, float(c), float(s), clip)
        for spec, c, s in zip(FEATURES, centre, scale, strict=True)
    )


def export_bundle_set(
    out: Path,
    graphs: QuantizedStudent,
    description: BundleDescription,
    conditioning: Path,
    golden: GoldenSource,
) -> BundleSet:
    """Write the student as a bundle of the set in the folder `out`, in place of the one there.

    The bundle's role follows from the leads that its context takes. Other bundles of a set that is
    there stay in it where they still fit (`_keep_others`). The same inputs give the same bytes.

    Raises ExportError where the parts do not fit together, BundleError where the written set does
    not load or does not reproduce its own vectors.
    """
    size = graphs.encoder.stat().st_size + graphs.context.stat().st_size
    if size > MAX_GRAPH_BYTES:
        raise ExportError(f"the graphs are {size} bytes together, allowed are {MAX_GRAPH_BYTES}")
    _require_edge_tpu(graphs)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as name:
        folder = Path(name) / "set"
        folder.mkdir()
        shutil.copyfile(conditioning, folder / "conditioning.toml")
        role = _role(graphs.context)
        _keep_others(out, folder, role, golden.run_engine)
        (folder / role).mkdir()
        shutil.copyfile(graphs.encoder, folder / role / "encoder.tflite")
        shutil.copyfile(graphs.context, folder / role / "context.tflite")
        manifest = _manifest(folder / role, description)
        _fill_golden(folder, manifest, description, golden)
        require_golden(check_bundle_set(folder, golden.run_engine))
        _replace(out, folder, Path(name) / "old")
    return load_bundle_set(out)


def _role(context: Path) -> str:
    leads = graph_manifest(context).shape("history")[1]
    return next(role for role, n in LEADS_OF_ROLE.items() if n == leads)


def _keep_others(out: Path, folder: Path, role: str, run_engine: RunEngine | None) -> None:
    """Copy the other bundles of the set at `out`, so far as they hold with this version.

    `beats`, which every set has, must be there already; another that no longer holds is left out.
    """
    try:
        old = load_bundle_set(out)
    except BundleError as error:
        if role != BEATS:
            raise ExportError(
                f"{out} holds no set that a {role} bundle could join ({error}); export a student "
                "of one lead first"
            ) from error
        return
    for other in old.roles:
        if other == role:
            continue
        if other == BEATS or _holds(out, other, run_engine):
            shutil.copytree(out / other, folder / other)
        else:
            log.warning("%s no longer holds and leaves the set; export it again", out / other)


def _holds(out: Path, role: str, run_engine: RunEngine | None) -> bool:
    tiers = check_bundle_set(out, run_engine).tiers
    return all(tier.status is not Status.FAILED for tier in tiers if tier.bundle == role)


def install(source: Path, out: Path) -> BundleSet:
    """Put a copy of the set `source`, with what lies beside its manifests, in the place of `out`.

    It is loaded, as a device would, before and after.
    """
    load_bundle_set(source)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as name:
        shutil.copytree(source, Path(name) / "set")
        _replace(out, Path(name) / "set", Path(name) / "old")
    return load_bundle_set(out)


def _require_edge_tpu(graphs: QuantizedStudent) -> None:
    for path in (graphs.encoder, graphs.context):
        problems = edge_tpu_problems(path.read_bytes())
        if problems:
            raise ExportError(f"{path.name} would not run whole on an Edge TPU: {problems[0]}")


def _replace(out: Path, folder: Path, aside: Path) -> None:
    for file in folder.rglob("*"):
        file.chmod(0o755 if file.is_dir() else 0o644)
    if out.exists():
        out.rename(aside)
    folder.rename(out)


def _fill_golden(
    folder: Path, manifest: Manifest, description: BundleDescription, golden: GoldenSource
) -> None:
    """Golden vectors in two steps: tier (c) needs a set that loads, so the others come first."""
    spec = read_spec(folder / "conditioning.toml")
    arrays: dict[str, NDArray[Any]] = {
        **golden.excerpt.to_arrays(),
        "conditioned": condition(spec, golden.excerpt),
    }
    loaded = _write_set(folder, manifest, description, arrays)
    chosen = _first_valid(golden.beats)
    companion = None if golden.companion is None else golden.companion[chosen]
    block = golden.beats[chosen]
    arrays |= record_graphs(loaded.bundles[manifest.name], block, companion)
    loaded = _write_set(folder, manifest, description, arrays)
    if golden.run_engine is not None:
        events = golden.run_engine(loaded, golden.excerpt.items(), golden.excerpt.mains_hz)
        arrays |= record_events(events, manifest.classes)
        _write_set(folder, manifest, description, arrays)


def _first_valid(block: BeatBlock) -> NDArray[np.intp]:
    which = np.flatnonzero(block.valid)[:GOLDEN_BEATS]
    if len(which) < GOLDEN_BEATS:
        raise ExportError(f"golden vectors take {GOLDEN_BEATS} valid beats, {len(which)} given")
    return which


def _write_set(
    folder: Path, manifest: Manifest, description: BundleDescription, arrays: dict[str, Any]
) -> BundleSet:
    beats = folder / manifest.name
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    (beats / manifest.golden.file).write_bytes(buffer.getvalue())
    names = (manifest.encoder.file, manifest.context.file, manifest.golden.file)
    hashed = replace(manifest, files={n: sha256((beats / n).read_bytes()) for n in names})
    (beats / "manifest.toml").write_text(to_toml(cattrs.unstructure(hashed)))
    roles = [
        role
        for role in (*LEADS_OF_ROLE, *GRAPH_ROLES, RHYTHM)
        if (folder / role / "manifest.toml").is_file()
    ]
    described = SetManifest(
        schema=SCHEMA,
        name=description.set_name,
        version=description.version,
        conditioning="conditioning.toml",
        bundles={role: role for role in roles},
        files={
            name: sha256((folder / name).read_bytes())
            for name in ("conditioning.toml", *(f"{role}/manifest.toml" for role in roles))
        },
    )
    (folder / "set.toml").write_text(to_toml(cattrs.unstructure(described)))
    return load_bundle_set(folder)


def _manifest(folder: Path, description: BundleDescription) -> Manifest:
    encoder = graph_manifest(folder / "encoder.tflite")
    context = graph_manifest(folder / "context.tflite")
    return Manifest(
        schema=SCHEMA,
        name=folder.name,
        version=description.version,
        minimum_runtime=RUNTIME,
        feature_set=FEATURE_SET_VERSION,
        conditioning=sha256((folder.parent / "conditioning.toml").read_bytes()),
        classes=description.classes,
        temperature=description.temperature,
        log_bias=description.log_bias,
        history=context.shape("history")[2],
        leads=context.shape("history")[1],
        look_ahead_s=0.0,
        encoder=encoder,
        context=context,
        features=description.features,
        thresholds=dict(description.thresholds),
        training=description.training,
        scores=dict(description.scores),
        golden=Golden("golden.npz", find_runtime().kernels, description.score_tolerance),
        files={},
    )


def graph_manifest(path: Path) -> GraphManifest:
    """Tensors by role: the graph's signature tells which tensor has which role."""
    interpreter = Interpreter(model_path=str(path), num_threads=1)
    runner = interpreter.get_signature_runner()
    sides = (runner.get_input_details(), runner.get_output_details())
    inputs, outputs = (
        tuple(
            TensorSpec(role, str(detail["name"]), tuple(int(n) for n in detail["shape"]))
            for role, detail in sorted(side.items())
        )
        for side in sides
    )
    return GraphManifest(path.name, inputs, outputs)


def to_toml(table: Mapping[str, Any]) -> str:
    """A table of scalars, lists, tables and lists of tables as TOML, in the given order."""
    return "\n".join(_lines(table, ())).lstrip("\n") + "\n"


def _lines(table: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    lines = [f"{_key(k)} = {_value(v)}" for k, v in table.items() if not _is_nested(v)]
    for key, value in table.items():
        here = (*path, key)
        title = ".".join(_key(part) for part in here)
        if isinstance(value, Mapping):
            lines += ["", f"[{title}]", *_lines(value, here)]
        elif _is_nested(value):
            for entry in value:
                lines += ["", f"[[{title}]]", *_lines(entry, here)]
    return lines


def _is_nested(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return bool(value) and isinstance(value[0], Mapping)
    return isinstance(value, Mapping)


def _key(name: str) -> str:
    plain = name.replace("_", "").replace("-", "")
    return name if plain.isascii() and plain.isalnum() else _value(name)


def _value(value: Any) -> str:
    match value:
        case str():
            escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
            return f'"{escaped}"'
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case list() | tuple():
            return "[" + ", ".join(_value(v) for v in value) + "]"
        case _:
            raise ExportError(f"a manifest cannot hold {value!r}")
