"""The patient's own beats: a few morphology clusters, and the dominant one's robust mean.

A function of signal and peaks only; no label, score or decision enters. Each beat joins the
cluster it resembles most, or founds one in the place of the least weighty. A cluster's mean moves
by a bounded step per beat. Premature beats weigh less, so that in bigeminy the beat that comes on
time stays the template, and their P region, where the T wave before lies, teaches nothing.
"""

from dataclasses import dataclass
from math import fsum, sqrt
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.signal.windows import LENGTH, QRS, QRST_START

CLUSTERS: Final = 5
ALIKE: Final = 0.75
"""Least similarity 2<a,b> / (<a,a> + <b,b>) of a member: correlation and amplitude in one."""
LEARNING: Final = 1 / 20
"""Steady weight of a new beat in its cluster's mean; the first 20 beats are averaged equally."""
STEP_LIMIT: Final = 1.0
"""A beat's difference from the mean counts up to this many times the mean's QRS rms."""
FORGET: Final = 1 - 1 / 128
"""Factor on every cluster's weight per beat."""
PREMATURE_WEIGHT: Final = 0.25
TAKEOVER: Final = 1.25
"""Another cluster becomes dominant when it weighs this many times as much."""
WEIGHT_AFTER_BREAK: Final = 32.0
"""Weights are cut to this at a gap: electrodes may have moved, so about 20 beats may take over."""

_HEAD: Final = QRST_START.start
_TAIL: Final = QRST_START.stop


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """What was known of the patient's morphologies before each of k beats.

    `template` (k, 160) in mV, zero where `count` is 0; `count` (k,) beats averaged in it;
    `age` (k,) contract samples since a beat was averaged in; `share` (k,) the weight, of all, of
    the cluster the beat joins (0: it resembles none); `dominant` (k,) whether that one is the
    template's.
    """

    template: NDArray[np.float64]
    count: NDArray[np.int64]
    age: NDArray[np.int64]
    share: NDArray[np.float64]
    dominant: NDArray[np.bool_]


class Morphologies:
    """The clusters. Fed beat by beat in any blocks, it gives the same bits."""

    def __init__(self) -> None:
        self._means = np.zeros((CLUSTERS, LENGTH))
        self._energies = [0.0] * CLUSTERS
        self._weights = [0.0] * CLUSTERS
        self._counts = [0] * CLUSTERS
        self._updated = [0] * CLUSTERS
        self._dominant = 0

    def doubt(self) -> None:
        """A gap: the template stays, but a new morphology may soon take its place."""
        self._weights = [min(weight, WEIGHT_AFTER_BREAK) for weight in self._weights]

    def place(self, shape: NDArray[np.float64], energy: float) -> tuple[int, float, bool]:
        """The cluster a readable beat resembles (-1: none), its share, and whether it is dominant.

        `shape` (160,) in mV, `energy` its sum of squares over `QRST_START`.
        """
        cluster = self._nearest(shape, energy)
        weights = self._weights
        total = fsum(weights)
        share = weights[cluster] / total if cluster >= 0 and total > 0 else 0.0
        return cluster, share, cluster == self._dominant and self._counts[cluster] > 0

    def learn(
        self,
        at: int,
        shape: NDArray[np.float64],
        energy: float,
        cluster: int,
        premature: bool,
    ) -> None:
        """Take a beat into the cluster that `place` gave."""
        if cluster < 0:
            cluster = self._found(shape, energy)
        else:
            self._learn(cluster, shape, premature)
        self._updated[cluster] = at
        self._weigh(cluster, PREMATURE_WEIGHT if premature else 1.0)

    def _nearest(self, shape: NDArray[np.float64], energy: float) -> int:
        # Rows of fixed length and number: the sums have the same order whatever the block.
        products = np.add.reduce(self._means[:, _HEAD:_TAIL] * shape[_HEAD:_TAIL], axis=1).tolist()
        best, found = ALIKE, -1
        for cluster, product in enumerate(products):
            if self._counts[cluster]:
                alike = 2 * product / (energy + self._energies[cluster])
                if alike > best:
                    best, found = alike, cluster
        return found

    def _found(self, shape: NDArray[np.float64], energy: float) -> int:
        others = [c for c in range(CLUSTERS) if c != self._dominant or not self._counts[c]]
        cluster = min(others, key=self._weights.__getitem__)
        self._means[cluster] = shape
        self._energies[cluster] = energy
        self._weights[cluster] = 0.0
        self._counts[cluster] = 1
        return cluster

    def _learn(self, cluster: int, shape: NDArray[np.float64], premature: bool) -> None:
        mean = self._means[cluster]
        self._counts[cluster] += 1
        limit = STEP_LIMIT * sqrt(self._energies[cluster] / (_TAIL - _HEAD))
        step = shape - mean
        np.minimum(step, limit, out=step)
        np.maximum(step, -limit, out=step)
        step *= max(LEARNING, 1 / self._counts[cluster])
        if premature:
            step[: QRS.start] = 0.0
        mean += step
        qrst = mean[_HEAD:_TAIL]
        self._energies[cluster] = float(np.add.reduce(qrst * qrst))

    def _weigh(self, cluster: int, weight: float) -> None:
        self._weights = [w * FORGET for w in self._weights]
        self._weights[cluster] += weight
        if self._weights[cluster] > TAKEOVER * self._weights[self._dominant]:
            self._dominant = cluster

    def follow_block(
        self,
        at: NDArray[np.int64],
        shapes: NDArray[np.float64],
        readable: NDArray[np.bool_],
        premature: NDArray[np.bool_],
        breaks: NDArray[np.bool_],
        tentative: NDArray[np.bool_],
    ) -> Followed:
        """Take k beats in order; what was known before each.

        Unreadable and tentative ones teach nothing. `breaks` (k,): a gap lies before this beat.
        """
        k = len(at)
        qrst = np.ascontiguousarray(shapes[:, QRST_START])
        energies = np.add.reduce(qrst * qrst, axis=1).tolist()
        template = np.empty((k, LENGTH))
        count, share, dominant, updated = [0] * k, [0.0] * k, [False] * k, [0] * k
        clock, early, usable, torn = (a.tolist() for a in (at, premature, readable, breaks))
        teaches = (~tentative).tolist()
        for i in range(k):
            if torn[i]:
                self.doubt()
            top = self._dominant
            template[i] = self._means[top]
            count[i], updated[i] = self._counts[top], self._updated[top]
            if usable[i]:
                cluster, share[i], dominant[i] = self.place(shapes[i], energies[i])
                if teaches[i]:
                    self.learn(clock[i], shapes[i], energies[i], cluster, early[i])
        counts = np.array(count, dtype=np.int64)
        age = np.where(counts > 0, at - np.array(updated, dtype=np.int64), 0)
        return Followed(template, counts, age, np.array(share), np.array(dominant, dtype=np.bool_))

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """All state, as arrays."""
        return {
            "means": self._means.copy(),
            "energies": np.array(self._energies),
            "weights": np.array(self._weights),
            "counts": np.array(self._counts, dtype=np.int64),
            "updated": np.array(self._updated, dtype=np.int64),
            "top": np.array(self._dominant, dtype=np.int64),
        }

    def restore(self, state: dict[str, NDArray[Any]]) -> None:
        """Take over what `snapshot` gave."""
        self._means = np.array(state["means"], dtype=np.float64)
        self._energies = [float(e) for e in state["energies"]]
        self._weights = [float(w) for w in state["weights"]]
        self._counts = [int(c) for c in state["counts"]]
        self._updated = [int(u) for u in state["updated"]]
        self._dominant = int(state["top"])
