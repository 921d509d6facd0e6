"""Beat windows to the places of their waves: one invoke a beat, everything else by the block."""

import numpy as np
from numpy.typing import NDArray

from edge_runtime.inference.bundle import GraphBundle
from edge_runtime.inference.interpreter import Int8Array, Runtime
from edge_runtime.inference.landmark_reader import LandmarkReader
from edge_runtime.inference.landmarks import PRESENT, Landmarks


class Delineator:
    """One delineation bundle. Deterministic, clock-free, without memory, one thread.

    Raises BundleError where the graph is not what the manifest says, InterpreterError where no
    TFLite runtime is installed.
    """

    def __init__(self, bundle: GraphBundle, runtime: Runtime | None = None) -> None:
        self._graph = bundle.open(runtime)
        limits = bundle.manifest.thresholds
        scales = self._graph.quantization
        thresholds = tuple(limits.get(wave, 0.5) for wave in PRESENT)
        self._read = LandmarkReader(scales["places"], scales["present"], thresholds)

    def __call__(self, window: NDArray[np.float32]) -> Landmarks:
        """Windows (k, 160) in QRS heights of the template, as `BeatBlock` has them."""
        return self.read(*self.run(self.steps(window)))

    def steps(self, window: NDArray[np.float32]) -> Int8Array:
        """Windows in the graph's INT8 steps."""
        return self._graph.quantization["window"].to_int8(window)

    def run(self, steps: Int8Array) -> tuple[Int8Array, Int8Array]:
        """Windows (k, 160) in INT8 steps to both outputs, (k, 160, 9) and (k, 2)."""
        k = len(steps)
        places = np.empty((k, *self._graph.shape("places")), np.int8)
        present = np.empty((k, *self._graph.shape("present")), np.int8)
        self._graph.run_all(
            {"window": steps[:, :, np.newaxis]}, {"places": places, "present": present}
        )
        return places[:, 0], present

    def read(self, places: Int8Array, present: Int8Array) -> Landmarks:
        """What outputs in INT8 steps mean."""
        return self._read(places, present)
