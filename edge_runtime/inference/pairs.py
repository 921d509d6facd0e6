"""Beats on two leads to class scores: the encoder over each, the context over both histories.

A lead keeps its place in the history whichever of the two beats are taken from, so a switch
loses nothing. A lead that shows nothing is masked row by row; one that leaves for another is
forgotten.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import BundleError
from edge_runtime.inference.beats import Embedder, ScoreTable
from edge_runtime.inference.bundle import BeatBundle
from edge_runtime.inference.interpreter import Int8Array, Runtime

if TYPE_CHECKING:
    from edge_runtime.signal.history import BeatBlock
    from edge_runtime.signal.observations import CompanionBeats

_LEADS: Final = 2


@dataclass(frozen=True, slots=True)
class PairState:
    """What a classifier remembers between beats, for a restart with the same bundle."""

    bundle: str
    """Fingerprint of the bundle whose encoder made the embeddings."""
    leads: tuple[int | None, ...]
    """Numbers of the source's leads that the places of the history are of."""
    embeddings: bytes
    """INT8, (2, history, E), oldest first; masked rows are the tensor's zero."""
    valid: bytes
    """INT8 steps of the `valid` tensor, (2, history, 1)."""


class PairClassifier:
    """Scores beats with a two-lead bundle. Deterministic, clock-free, one thread.

    Raises BundleError where a graph is not what the manifest says, InterpreterError where no
    TFLite runtime is installed.
    """

    def __init__(self, bundle: BeatBundle, runtime: Runtime | None = None) -> None:
        self.bundle = bundle
        self._context = bundle.open_context(runtime)
        self._score = ScoreTable(bundle.manifest, self._context.quantization["logits"])
        history = self._context.quantization["history"]
        self._embedder = Embedder(bundle, history, runtime)
        self._masked = history.zero_point
        valid = self._context.quantization["valid"]
        self._off, self._on = valid.to_int8(np.array([0.0, 1.0], np.float32)).tolist()
        self.reset()

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes in the order of the scores' columns."""
        return self.bundle.manifest.classes

    @property
    def leads(self) -> tuple[int | None, ...]:
        """Numbers of the source's leads that are remembered, in the order of their places."""
        return self._leads

    def reset(self) -> None:
        """Forget every beat, as at the start of a stream."""
        n = self.bundle.manifest.history
        self._leads: tuple[int | None, ...] = (None,) * _LEADS
        self._rows = np.full((_LEADS, n, self._embedder.width), self._masked, np.int8)
        self._valid = np.full((_LEADS, n, 1), self._off, np.int8)

    def classify(
        self, block: "BeatBlock", companion: "CompanionBeats | None" = None
    ) -> NDArray[np.float64]:
        """Scores (k, K) of the beats, in order; each row sums to 1.

        A beat that is masked on both leads is not looked at: its row is NaN. Without a companion
        the beats are of lead 0, and the second is masked.
        """
        k, n = len(block), self.bundle.manifest.history
        shown = {0: block} if companion is None else {companion.analysis_lead: block}
        if companion is not None:
            shown[companion.lead] = companion.block
        self._seat(list(shown))
        rows, valid = self._grown(k)
        for number, lead in shown.items():
            place = self._leads.index(number)
            which = lead.valid.nonzero()[0]
            rows[place, n + which] = self._embedder.rows(lead, which)
            valid[place, n + which] = self._on
        seen = (valid[:, n:, 0] == self._on).any(axis=0).nonzero()[0]
        scores = np.full((k, len(self.classes)), np.nan)
        scores[seen] = self._contexts(rows, valid, seen + 1)
        self._rows, self._valid = rows[:, k:].copy(), valid[:, k:].copy()
        return scores

    def subset_scores(self) -> dict[tuple[int, ...], NDArray[np.float64]]:
        """Scores (K,) of the newest beat by the leads that are looked at: both, then each alone.

        For explanations. Keys are numbers of the source's leads. A subset that shows nothing of
        the newest beat is absent; the history is not touched.
        """
        newest = (self._valid[:, -1, 0] == self._on).nonzero()[0].tolist()
        alone = [[place] for place in newest]
        found = {}
        for subset in [newest, *alone] if len(newest) > 1 else alone:
            rows, valid = (
                np.full_like(self._rows, self._masked),
                np.full_like(self._valid, self._off),
            )
            rows[subset], valid[subset] = self._rows[subset], self._valid[subset]
            names = tuple(lead for place in subset if (lead := self._leads[place]) is not None)
            found[names] = self._contexts(rows, valid, np.zeros(1, np.intp))[0]
        return found

    def evidence(self, block: "BeatBlock") -> NDArray[np.float32]:
        """Class evidence maps (k, T, K) of one lead's beats; the history is not touched."""
        return self._embedder.evidence(block)

    def _seat(self, numbers: list[int]) -> None:
        """Give each lead a place: the one it has, or that of a lead no longer looked at."""
        for number in numbers:
            if number in self._leads:
                continue
            place = next(p for p, lead in enumerate(self._leads) if lead not in numbers)
            self._leads = tuple(number if p == place else x for p, x in enumerate(self._leads))
            self._rows[place], self._valid[place] = self._masked, self._off

    def _grown(self, k: int) -> tuple[Int8Array, Int8Array]:
        """The history with k masked beats behind it: rows (2, history + k, E), valid (..., 1)."""
        rows = np.full((_LEADS, k, self._embedder.width), self._masked, np.int8)
        valid = np.full((_LEADS, k, 1), self._off, np.int8)
        return (
            np.concatenate([self._rows, rows], axis=1),
            np.concatenate([self._valid, valid], axis=1),
        )

    def _contexts(
        self, rows: Int8Array, valid: Int8Array, firsts: NDArray[np.intp]
    ) -> NDArray[np.float64]:
        """Scores (m, K) of the histories that begin at `firsts` (m,)."""
        n = self.bundle.manifest.history
        pasts = [slice(first, first + n) for first in firsts.tolist()]
        logits = np.empty((len(pasts), len(self.classes)), np.int8)
        inputs = {
            "history": [rows[:, past] for past in pasts],
            "valid": [valid[:, past] for past in pasts],
        }
        self._context.run(inputs, "logits", logits)
        return self._score(logits)

    def snapshot(self) -> PairState:
        """What `restore` needs to go on as if nothing had happened."""
        return PairState(
            self.bundle.fingerprint, self._leads, self._rows.tobytes(), self._valid.tobytes()
        )

    def restore(self, state: PairState) -> None:
        """Take up a snapshot. Raises BundleError if another bundle made it; then `reset`."""
        if state.bundle != self.bundle.fingerprint:
            raise BundleError("the saved beat history was made by another bundle; start afresh")
        self._leads = tuple(state.leads)
        self._rows = np.frombuffer(state.embeddings, np.int8).reshape(self._rows.shape).copy()
        self._valid = np.frombuffer(state.valid, np.int8).reshape(self._valid.shape).copy()
