"""What a rhythm bundle says of itself."""

from dataclasses import dataclass
from typing import Final

from edge_runtime.inference.manifest import (
    RUNTIME,
    FeatureScaling,
    Golden,
    GraphManifest,
    Training,
)

RHYTHM: Final = "rhythm"
"""Role of the bundle, and its folder; a set may lack it."""

RHYTHM_INPUTS: Final = ("features",)
RHYTHM_OUTPUTS: Final = ("logits",)


@dataclass(frozen=True, slots=True)
class Smoothing:
    """How hops become rhythms (`smoothing.py`).

    `lag`: hops that are waited for; `stay`: the chance that a rhythm goes on from hop to hop;
    `sharpness`: the exponent of a hop's scores, far below 1 because hops see the same beats;
    `bias`: a factor of each class; `suppress`: from which chance of atrial fibrillation on a
    premature beat is not called supraventricular.
    """

    lag: int
    stay: float
    sharpness: float
    bias: tuple[float, ...]
    suppress: float


@dataclass(frozen=True, slots=True)
class RhythmManifest:
    """A rhythm bundle. Scores are softmax(logits / temperature + log_bias) over `classes`."""

    schema: int
    name: str
    version: str
    minimum_runtime: int
    feature_set: int
    beat_feature_set: int
    """Of the beats' features that the rhythm's are made of."""
    conditioning: str
    """SHA-256 of the conditioning file the bundle was trained with."""
    classes: tuple[str, ...]
    temperature: float
    log_bias: tuple[float, ...]
    graph: GraphManifest
    features: tuple[FeatureScaling, ...]
    smoothing: Smoothing
    training: Training
    scores: dict[str, float]
    golden: Golden
    files: dict[str, str]
    """SHA-256 of every other file of the bundle, by name."""


def rhythm_problems(manifest: RhythmManifest) -> list[str]:
    """Where a manifest contradicts itself or asks for more than this runtime offers."""
    problems = []
    if manifest.minimum_runtime > RUNTIME:
        problems.append(f"it needs runtime {manifest.minimum_runtime}, this is {RUNTIME}")
    graph, n, f = manifest.graph, len(manifest.classes), len(manifest.features)
    roles = tuple(t.role for t in graph.inputs), tuple(t.role for t in graph.outputs)
    if roles != (RHYTHM_INPUTS, RHYTHM_OUTPUTS):
        return [*problems, f"{graph.file} has roles {roles}"]
    expected = {"features": (1, f), "logits": (1, n)}
    problems += [
        f"{role} is {graph.shape(role)}, expected {shape}"
        for role, shape in expected.items()
        if graph.shape(role) != shape
    ]
    smoothing = manifest.smoothing
    if not len(manifest.log_bias) == len(smoothing.bias) == n:
        problems.append("log_bias and smoothing.bias must be of every class")
    if not (smoothing.lag > 0 and 0.5 < smoothing.stay < 1.0 and smoothing.sharpness > 0.0):
        problems.append("smoothing: lag, stay or sharpness is out of its range")
    if manifest.temperature <= 0:
        problems.append(f"temperature {manifest.temperature} is not positive")
    problems += [f"feature {x.name}: scale {x.scale}" for x in manifest.features if x.scale <= 0]
    named = {graph.file, manifest.golden.file}
    problems += [f"no hash for {name}" for name in sorted(named - set(manifest.files))]
    return problems
