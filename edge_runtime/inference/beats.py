"""Beat windows to class scores: the encoder once a beat, the context over the last embeddings.

Everything that can be done for a whole block is (standardizing, quantizing, softmax); a beat
itself costs two invokes and a few copies. All of it is row-wise, and the softmax goes through
tables of 256 entries, so the scores do not depend on how beats are cut into blocks.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import BundleError
from edge_runtime.inference.bundle import BeatBundle
from edge_runtime.inference.interpreter import Graph, Int8Array, Quantization, Runtime
from edge_runtime.inference.manifest import ENCODER_INPUTS, FeatureScaling, Manifest
from edge_runtime.inference.rhythm_manifest import RhythmManifest

if TYPE_CHECKING:
    from edge_runtime.signal.history import BeatBlock
    from edge_runtime.signal.observations import CompanionBeats

_BYTES: Final = np.arange(-128, 128).astype(np.int8)


@dataclass(frozen=True, slots=True)
class ClassifierState:
    """What a classifier remembers between beats, for a restart with the same bundle."""

    bundle: str
    """Fingerprint of the bundle whose encoder made the embeddings."""
    embeddings: bytes
    """INT8, (history, E), oldest first; masked rows are the tensor's zero."""
    valid: bytes
    """INT8 steps of the `valid` tensor, (history,)."""


class FeatureScaler:
    """Standardizes context features as the manifest says: clip((x - centre) / scale, ±clip)."""

    __slots__ = ("_centre", "_clip", "_scale")

    def __init__(self, features: tuple[FeatureScaling, ...]) -> None:
        self._centre = np.array([f.centre for f in features], np.float32)
        self._scale = np.array([f.scale for f in features], np.float32)
        self._clip = np.array([f.clip for f in features], np.float32)

    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Features (k, F), finite, in their units, to what the network sees, (k, F)."""
        scaled: NDArray[np.float32] = features - self._centre
        scaled /= self._scale
        np.minimum(scaled, self._clip, out=scaled)
        np.maximum(scaled, -self._clip, out=scaled)
        return scaled


class ScoreTable:
    """INT8 logits to class scores, softmax(logits / temperature + log_bias), by table."""

    __slots__ = ("_column", "_weights")

    def __init__(self, manifest: Manifest | RhythmManifest, logits: Quantization) -> None:
        real = logits.to_real(_BYTES).astype(float) / manifest.temperature
        # One common shift keeps exp in range without depending on the row.
        top = real.max() + max(manifest.log_bias)
        self._weights = np.array(
            [[math.exp(max(r + b - top, -700.0)) for r in real] for b in manifest.log_bias]
        ).ravel()
        self._column = np.arange(len(manifest.log_bias)) * len(_BYTES) + 128

    def __call__(self, logits: Int8Array) -> NDArray[np.float64]:
        """Logits (k, K) in INT8 steps to scores (k, K), each row summing to 1."""
        weights = self._weights[logits + self._column]
        scores: NDArray[np.float64] = weights / np.add.reduce(weights, axis=1)[:, np.newaxis]
        return scores


class Embedder:
    """The encoder of a bundle: beats of any lead to rows of the context's history."""

    def __init__(self, bundle: BeatBundle, history: Quantization, runtime: Runtime | None) -> None:
        self._manifest = bundle.manifest
        self._encoder = bundle.open_encoder(runtime)
        self._scale_features = FeatureScaler(bundle.manifest.features)
        # Where both tensors have the same scale the table changes nothing.
        # Rolled, so that a negative step finds its entry by counting from the end.
        self._to_history = np.roll(self._encoder.quantization["embedding"].table_to(history), 128)
        self.width = bundle.manifest.encoder.shape("embedding")[-1]

    def rows(self, block: "BeatBlock", which: NDArray[np.intp]) -> Int8Array:
        """Embeddings (n, E) of the beats `which`, in INT8 steps of the context's history."""
        return self._to_history[self._encode(block, which, "embedding")]

    def evidence(self, block: "BeatBlock") -> NDArray[np.float32]:
        """Class evidence maps (k, T, K) of the block's beats, NaN for masked ones."""
        which = block.valid.nonzero()[0]
        seen = self._encode(block, which, "cam")[:, 0]
        maps = np.full((len(block.valid), *seen.shape[1:]), np.nan, np.float32)
        maps[which] = self._encoder.quantization["cam"].to_real(seen)
        return maps

    def _encode(self, block: "BeatBlock", which: NDArray[np.intp], output: str) -> Int8Array:
        """An output of the encoder, (n, *shape), over the beats `which`."""
        steps = encoder_steps(self._encoder, self._scale_features, block, which)
        shape = self._manifest.encoder.shape(output)[1:]
        into = np.empty((len(which), *shape), np.int8)
        self._encoder.run(dict(zip(ENCODER_INPUTS, steps, strict=True)), output, into)
        return into


class BeatClassifier:
    """Scores beats with one bundle. Deterministic, clock-free, one thread.

    Raises BundleError where a graph is not what the manifest says, InterpreterError where no
    TFLite runtime is installed.
    """

    def __init__(self, bundle: BeatBundle, runtime: Runtime | None = None) -> None:
        manifest = bundle.manifest
        self.bundle = bundle
        self._context = bundle.open_context(runtime)
        self._score = ScoreTable(manifest, self._context.quantization["logits"])
        history = self._context.quantization["history"]
        self._embedder = Embedder(bundle, history, runtime)
        self._masked = history.zero_point
        valid = self._context.quantization["valid"]
        self._off, self._on = valid.to_int8(np.array([0.0, 1.0], np.float32)).tolist()
        self._width = self._embedder.width
        self.reset()

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes in the order of the scores' columns."""
        return self.bundle.manifest.classes

    def reset(self) -> None:
        """Forget every beat, as at the start of a stream."""
        n = self.bundle.manifest.history
        self._rows = np.full((n, self._width), self._masked, np.int8)
        self._valid = np.full((n, 1), self._off, np.int8)

    def classify(
        self, block: "BeatBlock", companion: "CompanionBeats | None" = None
    ) -> NDArray[np.float64]:
        """Scores (k, K) of the block's beats, in order; each row sums to 1.

        A masked beat is not looked at: its row is NaN, and it enters the history as masked. What
        a companion shows is of no use to a bundle of one lead.
        """
        n, k = len(self._valid), len(block.valid)
        which = block.valid.nonzero()[0]
        rows = np.full((n + k, self._width), self._masked, np.int8)
        rows[:n] = self._rows
        rows[n + which] = self._embedder.rows(block, which)
        valid = np.full((n + k, 1), self._off, np.int8)
        valid[:n] = self._valid
        valid[n + which] = self._on
        pasts = [slice(row + 1, row + 1 + n) for row in which.tolist()]
        logits = np.empty((len(which), len(self.classes)), np.int8)
        inputs = {"history": [rows[p] for p in pasts], "valid": [valid[p] for p in pasts]}
        self._context.run(inputs, "logits", logits)
        self._rows, self._valid = rows[k:].copy(), valid[k:].copy()
        scores = np.full((k, len(self.classes)), np.nan)
        scores[which] = self._score(logits)
        return scores

    def evidence(self, block: "BeatBlock") -> NDArray[np.float32]:
        """Class evidence maps (k, T, K) of the block's beats; the history is not touched.

        Logit-like values over T equal parts of the window: where the encoder sees which class.
        For explanations of single beats; it runs the encoder again. Masked beats give NaN.
        """
        return self._embedder.evidence(block)

    def snapshot(self) -> ClassifierState:
        """What `restore` needs to go on as if nothing had happened."""
        return ClassifierState(self.bundle.fingerprint, self._rows.tobytes(), self._valid.tobytes())

    def restore(self, state: ClassifierState) -> None:
        """Take up a snapshot. Raises BundleError if another bundle made it; then `reset`."""
        if state.bundle != self.bundle.fingerprint:
            raise BundleError("the saved beat history was made by another bundle; start afresh")
        self._rows = np.frombuffer(state.embeddings, np.int8).reshape(-1, self._width).copy()
        self._valid = np.frombuffer(state.valid, np.int8).reshape(-1, 1).copy()


def encoder_steps(
    encoder: Graph, scale: FeatureScaler, block: "BeatBlock", which: NDArray[np.intp]
) -> tuple[Int8Array, ...]:
    """The encoder's inputs for the beats `which`, in INT8 steps: window and template
    (n, 160, 1), features (n, F), in the order of `ENCODER_INPUTS`."""
    real = (
        block.window[which, :, np.newaxis],
        block.template[which, :, np.newaxis],
        scale(block.features[which]),
    )
    return tuple(
        encoder.quantization[role].to_int8(values)
        for role, values in zip(ENCODER_INPUTS, real, strict=True)
    )
