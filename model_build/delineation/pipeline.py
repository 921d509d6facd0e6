"""The bundle's stages for `model-build all`: train on everybody, quantize, join the set."""

import hashlib
import json
from pathlib import Path
from typing import Any, Final

import numpy as np

from model_build.code_digest import digest_of
from model_build.delineation.cell import corpus
from model_build.delineation.export import SET, export
from model_build.delineation.graph import GRAPH, write_graph
from model_build.delineation.network import NetworkConfig, build_network
from model_build.delineation.recipe import read_delineation_recipe
from model_build.delineation.training import train
from model_build.jobs.job import Job, Tell
from model_build.training.loop import one_thread

WEIGHTS: Final = "network.npz"
CALIBRATION: Final = "calibration.json"


def jobs_of(recipe: Path, data: Path, work: Path, version: str, joined: Path) -> list[Job]:
    """The stages' jobs; the last one's folder holds the set `SET` that `joined` becomes."""
    read = read_delineation_recipe(recipe)
    places = {"recipe": str(recipe), "data": str(data), "work": str(work)}

    def job(name: str, depends: list[Any], arguments: dict[str, str], *needs: str) -> Job:
        content = json.dumps([name, depends, digest_of([__name__])])
        digest = hashlib.sha256(content.encode()).hexdigest()[:16]
        folder = work / "stages" / f"delineation-{name}-{digest}"
        return Job(name, folder, f"{__name__}:{name}", {**places, **arguments}, needs)

    network = job("fit", [read.trained_by], {})
    sizes = [read.calibration_beats, read.trained_by]
    graph = job("quantize", sizes, {"network": str(network.folder)}, "fit")
    manifest = (joined / "set.toml").read_bytes() if joined.is_dir() else b""
    rest = [read.digest, version, hashlib.sha256(manifest).hexdigest()]
    into = {"graph": str(graph.folder), "version": version, "joined": str(joined)}
    return [network, graph, job("publish", rest, into, "quantize")]


def fit(folder: Path, arguments: dict[str, Any], tell: Tell) -> None:
    """Train on every subject; `network.npz` holds the weights."""
    one_thread()
    recipe, data, work = _given(arguments)
    beats = corpus(data, work, recipe, tell)
    checkpoint = work / "runs" / f"delineation-{recipe.trained_by}-all.npz"

    def report(epoch: int, done: int, total: int, loss: float) -> None:
        share = (epoch + done / total) / recipe.training.epochs
        tell(f"epoch {epoch + 1}/{recipe.training.epochs} loss {loss:.3f}", share)

    model = train(beats, recipe, checkpoint, report)
    np.savez(folder / WEIGHTS, *model.get_weights())


def quantize(folder: Path, arguments: dict[str, Any], tell: Tell) -> None:
    """The network as `graph.tflite`; `calibration.json` holds the hash of the beats behind it."""
    one_thread()
    recipe, data, work = _given(arguments)
    beats = corpus(data, work, recipe, tell)
    model = build_network(NetworkConfig(**recipe.network))
    with np.load(Path(arguments["network"]) / WEIGHTS) as stored:
        model.set_weights([stored[name] for name in stored.files])
    listed = write_graph(model, beats[beats.teaches], recipe, folder / GRAPH)
    (folder / CALIBRATION).write_text(json.dumps({"sha256": listed}))


def publish(folder: Path, arguments: dict[str, Any], tell: Tell) -> None:
    """The set with the bundle in it, in `folder/set`."""
    recipe, data, work = _given(arguments)
    graph = Path(arguments["graph"])
    listed = json.loads((graph / CALIBRATION).read_text())["sha256"]
    beats = corpus(data, work, recipe, tell)
    export(
        Path(arguments["joined"]), folder / SET, graph / GRAPH, recipe, beats, listed,
        arguments["version"],
    )  # fmt: skip


def _given(arguments: dict[str, Any]) -> tuple[Any, Path, Path]:
    recipe = read_delineation_recipe(Path(arguments["recipe"]))
    return recipe, Path(arguments["data"]), Path(arguments["work"])
