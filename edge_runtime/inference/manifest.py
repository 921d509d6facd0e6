"""What a bundle set says of itself: `set.toml` and each bundle's `manifest.toml`.

Both are read strictly: unknown keys, missing keys and wrong types are refused, each with its
path. Versions are whole numbers and are checked before anything else is believed.
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import PurePosixPath
from typing import Any, Final, TypeVar

import cattrs

from edge_runtime.errors import BundleError
from edge_runtime.inference.interpreter import Kernels, TensorSpec

SCHEMA: Final = 1
"""Version of the two files' form."""

RUNTIME: Final = 1
"""What this runtime can do with a bundle; a manifest states the least it needs."""

BEATS: Final = "beats"
"""Role of the bundle that takes any one lead; every set has it."""
PAIRED_BEATS: Final = "beats-2lead"
"""Role of the bundle that takes two leads, or what is left of them."""
LEADS_OF_ROLE: Final = {BEATS: 1, PAIRED_BEATS: 2}
DELINEATION: Final = "delineation"
"""Role of the bundle that says where the waves of a beat begin and end."""
GRAPH_ROLES: Final = {DELINEATION: (("window",), ("places", "present"))}
"""Bundles of one graph that a set may have beside those for beats: roles of inputs and outputs."""

ENCODER_INPUTS: Final = ("window", "template", "features")
ENCODER_OUTPUTS: Final = ("embedding", "cam")
CONTEXT_INPUTS: Final = ("history", "valid")
CONTEXT_OUTPUTS: Final = ("logits",)


@dataclass(frozen=True, slots=True)
class GraphManifest:
    """One graph file and its tensors."""

    file: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def shape(self, role: str) -> tuple[int, ...]:
        """Shape of the tensor with that role."""
        return next(t.shape for t in (*self.inputs, *self.outputs) if t.role == role)


@dataclass(frozen=True, slots=True)
class FeatureScaling:
    """One context feature: the network sees clip((value - centre) / scale, -clip, clip)."""

    name: str
    unit: str
    centre: float
    scale: float
    clip: float


@dataclass(frozen=True, slots=True)
class Training:
    """Where the weights came from: data sets and records, the split, the recipe's hash."""

    data: tuple[str, ...]
    split: str
    recipe: str
    calibration: str
    """Hash of the list of beats the INT8 ranges were taken from."""


@dataclass(frozen=True, slots=True)
class Golden:
    """The golden vectors, the arithmetic they were recorded with, and how closely scores must
    agree on other processors (tier c)."""

    file: str
    kernels: Kernels
    score_tolerance: float


@dataclass(frozen=True, slots=True)
class Manifest:
    """A beat bundle. Scores are softmax(logits / temperature + log_bias) over `classes`."""

    schema: int
    name: str
    version: str
    minimum_runtime: int
    feature_set: int
    conditioning: str
    """SHA-256 of the conditioning file the bundle was trained with."""
    classes: tuple[str, ...]
    temperature: float
    log_bias: tuple[float, ...]
    history: int
    look_ahead_s: float
    encoder: GraphManifest
    context: GraphManifest
    features: tuple[FeatureScaling, ...]
    thresholds: dict[str, float]
    training: Training
    scores: dict[str, float]
    golden: Golden
    files: dict[str, str]
    """SHA-256 of every other file of the bundle, by name."""
    leads: int = 1
    """How many leads the context sees; the encoder sees each on its own."""


@dataclass(frozen=True, slots=True)
class GraphBundleManifest:
    """A bundle of one graph. `thresholds` are the least scores at which something is said."""

    schema: int
    name: str
    version: str
    minimum_runtime: int
    conditioning: str
    graph: GraphManifest
    thresholds: dict[str, float]
    training: Training
    scores: dict[str, float]
    golden: Golden
    files: dict[str, str]
    """SHA-256 of every other file of the bundle, by name."""


@dataclass(frozen=True, slots=True)
class SetManifest:
    """A bundle set: one conditioning, bundles by role (the folder's name)."""

    schema: int
    name: str
    version: str
    conditioning: str
    """File name of the conditioning spec."""
    bundles: dict[str, str]
    """Role (of `LEADS_OF_ROLE`, `GRAPH_ROLES`, or `RHYTHM`) to folder."""
    files: dict[str, str]
    """SHA-256 of the conditioning file and of each bundle's manifest, by relative path."""


Form = TypeVar("Form")


@cache
def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True)
    for kind in (str, int, float):
        # cattrs would cast: "1" to 1, 1.5 to 1. A manifest that needs a cast is a wrong one.
        converter.register_structure_hook(kind, _exactly)
    converter.register_structure_hook(Kernels, lambda value, _: Kernels(value))
    return converter


def _exactly(value: Any, kind: type) -> Any:
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise TypeError(f"expected {kind.__name__}, found {value!r}")
    return value


def parse_manifest(text: bytes, form: type[Form], what: str) -> Form:
    """Structure a TOML file. Raises BundleError naming `what` and every problem's path."""
    try:
        table = tomllib.loads(text.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BundleError(f"{what} is no TOML file: {error}") from error
    if table.get("schema") != SCHEMA:
        raise BundleError(
            f"{what} has schema {table.get('schema')}, this version reads schema {SCHEMA}; "
            "install the ecg-edge release that belongs to the bundle set"
        )
    try:
        return _converter().structure(table, form)
    except cattrs.BaseValidationError as error:
        problems = "; ".join(cattrs.transform_error(error, path=what))
        raise BundleError(f"{what} is not acceptable: {problems}") from error


def check_manifest(manifest: Manifest, what: str) -> None:
    """Refuse a manifest that contradicts itself or asks for more than this runtime offers."""
    problems = [*_version_problems(manifest.minimum_runtime), *_shape_problems(manifest)]
    problems += [f"file name {name!r} is not plain" for name in manifest.files if not _plain(name)]
    named = {manifest.encoder.file, manifest.context.file, manifest.golden.file}
    problems += [f"no hash for {name}" for name in sorted(named - set(manifest.files))]
    problems += [f"feature {f.name}: scale {f.scale}" for f in manifest.features if f.scale <= 0]
    if manifest.temperature <= 0:
        problems.append(f"temperature {manifest.temperature} is not positive")
    if problems:
        raise BundleError(f"{what} is not acceptable: " + "; ".join(problems))


def check_graph_manifest(manifest: GraphBundleManifest, role: str, what: str) -> None:
    """Refuse a manifest of one graph that contradicts itself, its role or this runtime."""
    problems = [*_version_problems(manifest.minimum_runtime)]
    problems += [f"file name {name!r} is not plain" for name in manifest.files if not _plain(name)]
    named = {manifest.graph.file, manifest.golden.file}
    problems += [f"no hash for {name}" for name in sorted(named - set(manifest.files))]
    problems += _role_problems(manifest.graph, *GRAPH_ROLES[role])
    if problems:
        raise BundleError(f"{what} is not acceptable: " + "; ".join(problems))


def _role_problems(
    graph: GraphManifest, inputs: tuple[str, ...], outputs: tuple[str, ...]
) -> list[str]:
    found = {t.role for t in graph.inputs}, {t.role for t in graph.outputs}
    if found == (set(inputs), set(outputs)):
        return []
    return [f"{graph.file} has roles {found}, needed {inputs} -> {outputs}"]


def _plain(name: str) -> bool:
    return PurePosixPath(name).name == name and name not in {"", ".", ".."}


def _version_problems(minimum_runtime: int) -> list[str]:
    if minimum_runtime <= RUNTIME:
        return []
    return [f"it needs runtime {minimum_runtime}, this is {RUNTIME}: update ecg-edge"]


def _shape_problems(manifest: Manifest) -> list[str]:
    problems = _role_problems(manifest.encoder, ENCODER_INPUTS, ENCODER_OUTPUTS)
    problems += _role_problems(manifest.context, CONTEXT_INPUTS, CONTEXT_OUTPUTS)
    if problems:
        return problems
    n, leads = len(manifest.classes), manifest.leads
    width = manifest.encoder.shape("embedding")[-1]
    window = manifest.encoder.shape("window")
    cam = manifest.encoder.shape("cam")
    expected = {
        "template": (manifest.encoder.shape("template"), window),
        "features": (manifest.encoder.shape("features"), (1, len(manifest.features))),
        "history": (manifest.context.shape("history"), (1, leads, manifest.history, width)),
        "valid": (manifest.context.shape("valid"), (1, leads, manifest.history, 1)),
        "logits": (manifest.context.shape("logits"), (1, n)),
        "cam": (cam, (1, 1, cam[-2] if len(cam) > 1 else 0, n)),
        "log_bias": ((len(manifest.log_bias),), (n,)),
    }
    return [
        f"{role} is {found}, expected {needed}"
        for role, (found, needed) in expected.items()
        if found != needed
    ]
