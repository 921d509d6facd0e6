"""Cross-fitting: which teachers may speak about whom, and what they say.

Nothing used for fold k has seen fold k's labels. About the subjects of fold j speak teachers
trained without j; while fold k is scored, teachers trained without j and k.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from model_build.datasets.recording import Recording
from model_build.datasets.splits import FOLDS, fold_of
from model_build.errors import RecipeError
from model_build.evaluate.fold_scores import Fold, held_out, score_logits
from model_build.evaluate.out_of_fold import CrossValidation, FoldScores, join
from model_build.prepare import training_recordings
from model_build.recipe import Recipe, read_recipe
from model_build.recipe_files import recipe_path
from model_build.teacher.beats import whole_beats
from model_build.teacher.members import Membership, Roll, folder_of, load_member, roll_of, rule_of
from model_build.teacher.predict import Advice, Opinion, Opinions, code_of_predictions
from model_build.training.beats import PreparedBeats


def singles() -> list[frozenset[int]]:
    """What the teachers of the shipped student are trained without: each fold."""
    return [frozenset({fold}) for fold in range(FOLDS)]


def pairs() -> list[frozenset[int]]:
    """What the teachers of the scored students are trained without: each pair of folds."""
    return [frozenset(pair) for pair in combinations(range(FOLDS), 2)]


@dataclass(frozen=True, slots=True, eq=False)
class Ensembles:
    """The trained members of a recipe: one ensemble for every set of folds left out."""

    recipe: Recipe
    roll: Roll
    work: Path

    def opinions(self, prepared: Sequence[PreparedBeats], scored: int | None) -> Opinions:
        """On beats that a student trains on, while fold `scored` (or none) is left for scoring.

        Raises `BuildError` where a member is not trained, `RecipeError` where a subject of the
        scored fold is among `prepared`: nothing may be said about those.
        """
        pupils: dict[frozenset[int], list[PreparedBeats]] = {}
        for item in prepared:
            pupils.setdefault(left_out(fold_of(item.subject), scored), []).append(item)
        return {
            (item.key, item.view): opinion
            for without, items in pupils.items()
            for item, opinion in zip(items, self.speak(items, without), strict=True)
        }

    def speak(self, pupils: Sequence[PreparedBeats], without: frozenset[int]) -> list[Opinion]:
        """The mean probability of the ensemble trained without these folds.

        The representation is that of the first member: those of two members have no axes in
        common.
        """
        each = [
            self._member_says(pupils, Membership(self.recipe, without, seed))
            for seed in rule_of(self.recipe).seeds
        ]
        return [averaged(said) for said in zip(*each, strict=True)]

    def _member_says(self, pupils: Sequence[PreparedBeats], which: Membership) -> list[Opinion]:
        folder = folder_of(which, self.roll, self.work)
        path = folder / f"opinions-{_content(pupils)}.npz"
        if not path.is_file():
            said = load_member(which, self.roll, self.work).opinions(list(map(whole_beats, pupils)))
            _save(path, said)
        return _load(path, pupils)


def advisers(recipe: Recipe, directory: Path, work: Path) -> dict[str, Ensembles]:
    """The ensembles that a student's recipe learns from or is cleaned by; none if it does not."""
    wanted = {part.teacher for part in (recipe.distil, recipe.cleaning) if part is not None}
    found = {}
    for name in sorted(wanted):
        theirs = read_recipe(recipe_path(name))
        roll = roll_of(training_recordings(directory, theirs), theirs)
        found[name] = Ensembles(theirs, roll, work)
    return found


def advice(
    by_name: Mapping[str, Ensembles], prepared: Sequence[PreparedBeats], scored: Fold | None
) -> Advice:
    """What each of the ensembles says about the beats of a student's training.

    Raises `RecipeError` where a whole database is scored: teachers are cross-fitted by fold.
    """
    if by_name and isinstance(scored, str):
        raise RecipeError(f"no teacher was trained without {scored}; score this recipe by fold")
    fold = scored if isinstance(scored, int) else None
    return {name: one.opinions(prepared, fold) for name, one in by_name.items()}


def left_out(fold: int, scored: int | None) -> frozenset[int]:
    """What a teacher for pupils of `fold` is trained without. Raises `RecipeError` if scored."""
    if fold == scored:
        raise RecipeError(f"fold {fold} is scored: no student may learn from its subjects")
    return frozenset({fold} if scored is None else {fold, scored})


def averaged(said: Sequence[Opinion]) -> Opinion:
    """Mean probabilities of members on the same beats."""
    mean = np.mean([np.exp(one.log_probability) for one in said], axis=0)
    return Opinion(np.log(np.maximum(mean, 1e-9)).astype(np.float32), said[0].representation)


def cross_validate_teachers(
    recordings: Sequence[Recording],
    prepared: Sequence[PreparedBeats],
    ensembles: Ensembles,
    folds: Sequence[int],
) -> CrossValidation:
    """Score the ensemble trained without each fold on that fold's subjects, first view only.

    The other views are seen as far as they show the second lead.
    """
    return join([_score_fold(recordings, prepared, ensembles, fold) for fold in folds])


def _score_fold(
    recordings: Sequence[Recording],
    prepared: Sequence[PreparedBeats],
    ensembles: Ensembles,
    fold: int,
) -> FoldScores:
    outside = [item for item in prepared if fold_of(item.subject) == fold]
    said = ensembles.speak(outside, frozenset({fold}))
    opinion = {(p.key, p.view): o.log_probability for p, o in zip(outside, said, strict=True)}
    first = held_out(prepared, ensembles.recipe, fold)
    logits = np.concatenate([opinion[item.key, item.view] for item in first])
    return score_logits(recordings, first, logits, ensembles.recipe)


def _content(pupils: Sequence[PreparedBeats]) -> str:
    """Name of what is asked about, and how: beats as they were prepared, not their labels."""
    digest = hashlib.sha256(code_of_predictions())
    for item in pupils:
        digest.update(f"{item.key} {item.view} {len(item)}\n".encode())
        for array in (
            item.at,
            item.window,
            item.template,
            item.features,
            item.valid,
            item.tentative,
        ):
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:12]


def _save(path: Path, said: Sequence[Opinion]) -> None:
    part = path.with_name(f"{path.stem}.part.npz")
    np.savez(
        part,
        log_probability=np.concatenate([one.log_probability for one in said]),
        representation=np.concatenate([one.representation for one in said]),
    )
    part.replace(path)


def _load(path: Path, pupils: Sequence[PreparedBeats]) -> list[Opinion]:
    ends = np.cumsum([len(item) for item in pupils])[:-1]
    with np.load(path) as stored:
        parts = (np.split(stored[name], ends) for name in Opinion.__slots__)
        return [Opinion(*part) for part in zip(*parts, strict=True)]
