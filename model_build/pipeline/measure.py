"""Stage: figures for report and model card that need the trained student or its graphs."""

import json
import time
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np

from edge_runtime.inference.interpreter import find_runtime
from model_build.evaluate.embeddings import probe_student
from model_build.jobs.job import Tell
from model_build.models.student import multiply_adds
from model_build.pipeline.context import Context
from model_build.student_files import load_student
from model_build.training.loop import one_thread

PROBE: Final = "probe.json"
MODEL: Final = "model.json"
_CALLS: Final = 300


def run(folder: Path, arguments: dict[str, Any], tell: Tell) -> None:
    """Write `probe.json` (where both archives train) and `model.json`: size, work, latency."""
    context = Context.of(folder, arguments, tell)
    one_thread()
    trained = load_student(context.final_student, context.recipe)
    _, prepared = context.training()
    archives = {item.key.partition("/")[0] for item in prepared}
    if {"mitdb", "svdb"} <= archives:
        view = context.recipe.view[0].name
        probe = probe_student(trained.student, trained.scaling, prepared, view)
        (folder / PROBE).write_text(json.dumps(probe))
    graphs = [context.inputs["quantize"] / f"{name}.tflite" for name in ("encoder", "context")]
    runtime = find_runtime()
    model = {
        "bytes": {path.name: path.stat().st_size for path in graphs},
        "weights": trained.student.n_weights,
        "multiply_adds": multiply_adds(trained.student.config),
        "latency_ms": round(sum(map(latency_ms, graphs)), 4),
        "runtime": f"{runtime.name} {runtime.version}",
    }
    (folder / MODEL).write_text(json.dumps(model))


def latency_ms(graph: Path) -> float:
    """Median time of one call on one thread of this machine, zeros in."""
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - only built here

    interpreter = Interpreter(model_path=str(graph), num_threads=1)
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], np.zeros(detail["shape"], detail["dtype"]))
    times = []
    for _ in range(_CALLS):
        began = time.perf_counter()
        interpreter.invoke()
        times.append(time.perf_counter() - began)
    return 1000.0 * median(times)
