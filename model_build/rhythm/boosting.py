"""Gradient-boosted trees over the rhythm's measures: the teacher, and on RR alone the baseline."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

from edge_runtime.signal.rhythm import RHYTHM_FEATURES
from edge_runtime.signal.rhythm_evidence import OF_INTERVALS
from model_build.rhythm.recipe import Boosting, RhythmRecipe
from model_build.rhythm.recordings import CLASSES, Rhythms
from model_build.rhythm.tensors import RhythmPool

INTERVALS: Final = np.array([name.partition("/")[0] in OF_INTERVALS for name in RHYTHM_FEATURES])
"""Which features are of RR intervals alone."""

_SINUS, _OTHER = CLASSES.index("N"), CLASSES.index("OTHER")
_EITHER: Final = int(Rhythms.SINUS | Rhythms.OTHER)
_WHOLE: Final = "cinc2017"
_LEAST: Final = 1e-5


@dataclass(frozen=True, slots=True, eq=False)
class Trees:
    """A fitted ensemble over some of the features."""

    model: Any
    columns: NDArray[np.bool_]

    def scores(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Scores (k, K) of hops with features (k, F)."""
        out = np.full((len(features), len(CLASSES)), _LEAST)
        if len(features):
            out[:, self.model.classes_] = self.model.predict_proba(features[:, self.columns])
        scores: NDArray[np.float64] = out / out.sum(axis=1, keepdims=True)
        return scores


def fit_trees(pool: RhythmPool, recipe: RhythmRecipe) -> Trees:
    """Train on what has a target.

    Where the annotator does not tell sinus rhythm with ectopic beats from "other", trees trained
    on cinc2017, which does, say how much of either a hop is.
    """
    random = np.random.default_rng(recipe.seed)
    told = _last_hops(pool, recipe.boosting.cinc2017_copies, random)
    x = pool.features
    first = _model(recipe.boosting, recipe.seed).fit(x[told], _classes(pool.target[told]))
    rows = np.union1d(pool.draw(recipe.per_recording, random), told)
    open_to_both = pool.target[rows] == _EITHER
    sure, unsure = rows[~open_to_both], rows[open_to_both]
    chances = first.predict_proba(x[unsure])[:, [*map(first.classes_.tolist().index, _BOTH)]]
    chances /= chances.sum(axis=1, keepdims=True)
    table = np.concatenate([x[sure], *(x[unsure] for _ in _BOTH)])
    labels = [_classes(pool.target[sure]), *(np.full(len(unsure), label) for label in _BOTH)]
    weight = np.concatenate([np.ones(len(sure)), *chances.T])
    model = _model(recipe.boosting, recipe.seed)
    model.fit(table, np.concatenate(labels), sample_weight=weight)
    return Trees(model, np.ones(len(RHYTHM_FEATURES), np.bool_))


def fit_baseline(pool: RhythmPool, recipe: RhythmRecipe) -> Trees:
    """RR intervals alone, on cinc2017 alone: what everything else is measured against."""
    random = np.random.default_rng(recipe.seed)
    told = _last_hops(pool, recipe.boosting.cinc2017_copies, random)
    model = _model(recipe.boosting, recipe.seed)
    model.fit(pool.features[told][:, INTERVALS], _classes(pool.target[told]))
    return Trees(model, INTERVALS)


_BOTH: Final = (_SINUS, _OTHER)


def _last_hops(pool: RhythmPool, copies: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Of each recording of cinc2017 its last hop, which has seen most, and some drawn ones."""
    rows = np.flatnonzero((pool.archive == _WHOLE) & (pool.target > 0))
    ends = np.append(np.flatnonzero(np.diff(pool.recording[rows])), len(rows) - 1)
    drawn = random.choice(rows, size=min(copies * len(ends), len(rows)), replace=False)
    return np.union1d(rows[ends], drawn)


def _classes(target: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Class numbers of targets of one bit."""
    found: NDArray[np.int64] = np.log2(target).astype(np.int64)
    return found


def _model(rule: Boosting, seed: int) -> Any:
    return HistGradientBoostingClassifier(
        max_iter=rule.max_iter,
        learning_rate=rule.learning_rate,
        max_leaf_nodes=rule.max_leaf_nodes,
        min_samples_leaf=rule.min_samples_leaf,
        l2_regularization=rule.l2,
        max_features=rule.max_features,
        early_stopping=False,
        random_state=seed,
    )
