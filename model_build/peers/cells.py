"""One cell: a peer trained without one fold and scored on it, as a small JSON file."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_runtime.rules.beat_label import LabelPolicy
from firmware_bridge.records import read_header
from model_build.datasets.recording import CLASSES, Recording
from model_build.datasets.splits import fold_of
from model_build.errors import RecipeError
from model_build.evaluate.ec57 import BeatMatrix
from model_build.evaluate.ec57.classes import class_table
from model_build.evaluate.fibrillation import AfErrors
from model_build.evaluate.fold_scores import af_errors, score_recording
from model_build.evaluate.labels import device_labels
from model_build.evaluate.out_of_fold import CrossValidation
from model_build.peers.beats import PeerBeats, peer_beats
from model_build.peers.peer import Peer, new_peer
from model_build.prepare import code_digest
from model_build.recipe import Recipe
from model_build.training.beats import PreparedBeats

_PAPERS_POLICY = LabelPolicy(CLASSES, {})
"""Papers emit the best class; thresholds are the recipe's own."""


@dataclass(frozen=True, slots=True)
class CellName:
    """What a cell's result depends on besides the data: two digests, a peer, a fold, a seed."""

    peer: str
    fold: int
    seed: int
    recipe: str
    code: str

    def path(self, work: Path) -> Path:
        """Where its result lies."""
        digest = hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()[:12]
        return work / "peers" / f"{self.peer}-fold{self.fold}-seed{self.seed}-{digest}.json"


def cell_name(peer: str, fold: int, seed: int, recipe: Recipe) -> CellName:
    """The name of a cell by the code as it is now."""
    whole = hashlib.sha256(code_digest().encode())
    for file in sorted(Path(__file__).parent.glob("*.py")):
        whole.update(file.read_bytes())
    return CellName(peer, fold, seed, recipe.digest, whole.hexdigest())


def fit_peer(
    name: str, recordings: Sequence[Recording], prepared: Sequence[PreparedBeats], seed: int
) -> Peer:
    """A peer that has learnt from every beat with a class in these recordings.

    Raises `RecipeError` where there are none of two classes.
    """
    peer, _ = new_peer(name)
    rates = _rates(recordings)
    beats = PeerBeats.join([peer_beats(p, rates[p.key]).learnable for p in prepared])
    if len(np.unique(beats.number)) < 2:
        raise RecipeError(f"{name} has no beats of two classes to learn from")
    peer.fit(beats, seed)
    return peer


def labels_of(peer: Peer, prepared: PreparedBeats, fs: float) -> list[str | None]:
    """What the peer says of every peak of one recording.

    Q where a firm peak's window is unreadable; None for a tentative one, which it never sees.
    """
    beats = peer_beats(prepared, fs)
    firm = np.zeros(len(beats), bool)
    said = iter(device_labels(_PAPERS_POLICY, peer.scores(beats), beats.valid, firm))
    return [None if doubted else next(said) for doubted in prepared.tentative.tolist()]


def run_cell(
    name: str,
    recordings: Sequence[Recording],
    prepared: Sequence[PreparedBeats],
    fold: int,
    seed: int,
) -> CrossValidation:
    """Train on the other folds' subjects, score on the fold's. `prepared` is of one view."""
    by_key = {recording.key: recording for recording in recordings}
    inside = [p for p in prepared if fold_of(p.subject) != fold]
    peer = fit_peer(name, recordings, inside, seed)
    rates = _rates(recordings)
    matrices: dict[str, BeatMatrix] = {}
    af: list[AfErrors] = []
    for one in prepared:
        if fold_of(one.subject) == fold:
            labels = labels_of(peer, one, rates[one.key])
            score_recording(by_key[one.key], one, labels, matrices)
            af.append(af_errors(by_key[one.key], one, labels))
    return CrossValidation(matrices, _added(af))


def _rates(recordings: Sequence[Recording]) -> dict[str, float]:
    return {r.key: float(read_header(r.path).fs_fraction) for r in recordings}


def _added(errors: Sequence[AfErrors]) -> AfErrors:
    return AfErrors(sum(e.beats for e in errors), sum(e.false_s for e in errors))


def joined(cells: Sequence[CrossValidation]) -> CrossValidation:
    """Folds of one peer and seed as one result."""
    matrices: dict[str, BeatMatrix] = {}
    for cell in cells:
        matrices |= cell.matrices
    return CrossValidation(matrices, _added([cell.af for cell in cells]))


def write_cell(path: Path, name: CellName, result: CrossValidation) -> None:
    """Write a result with everything that pooling and a paired bootstrap need."""
    entries = {
        **asdict(name),
        "af": asdict(result.af),
        "records": {key: _as_entries(matrix) for key, matrix in result.matrices.items()},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(entries) + "\n", "utf-8")
    part.replace(path)


def read_cell(path: Path) -> CrossValidation:
    """Read what `write_cell` wrote."""
    entries = json.loads(path.read_text("utf-8"))
    matrices = {key: _of_entries(stored) for key, stored in entries["records"].items()}
    return CrossValidation(matrices, AfErrors(**entries["af"]))


def _as_entries(matrix: BeatMatrix) -> dict[str, Any]:
    return {
        "counts": matrix.counts.tolist(),
        "escapes": matrix.table.escapes,
        "rr_squares": float(matrix.rr_squares),
        "rr_pairs": int(matrix.rr_pairs),
        "shutdown_s": int(matrix.shutdown_s),
        "learning_s": float(matrix.learning_s),
        "window_s": float(matrix.window_s),
    }


def _of_entries(stored: Mapping[str, Any]) -> BeatMatrix:
    counts = np.array(stored["counts"], np.int64)
    counts.flags.writeable = False
    rest = {k: v for k, v in stored.items() if k not in ("counts", "escapes")}
    return BeatMatrix(counts=counts, table=class_table(stored["escapes"]), **rest)
