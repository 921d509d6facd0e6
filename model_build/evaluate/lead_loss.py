"""What a lost or noisy lead costs, out-of-fold: the same students, other views of the records."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from firmware_bridge.records import read_header
from model_build.crossval import Advise, fit_fold, unadvised
from model_build.datasets.recording import Recording
from model_build.datasets.splits import FOLDS, fold_of
from model_build.errors import RecipeError
from model_build.evaluate.fold_scores import score_logits
from model_build.evaluate.out_of_fold import CrossValidation, FoldScores, join
from model_build.prepare import prepare
from model_build.pretraining.prior import NOTHING, Prior
from model_build.recipe import Recipe, View
from model_build.training.beats import PreparedBeats, pool
from model_build.training.loop import Report
from model_build.training.predict import Predictor


@dataclass(frozen=True, slots=True)
class Condition:
    """What is left of two leads. Beats are found on the view's first lead, the good one."""

    name: str
    view: View
    companion_lost: bool = False


def conditions(recipe: Recipe) -> tuple[Condition, ...]:
    """The conditions that the recipe's students are scored under, the plain one first.

    A student of one lead is scored on each lead alone: what the two-lead student's loss of the
    other lead compares with.
    """
    plain = recipe.view[0]
    if recipe.n_leads == 1:
        second = replace(plain, name=f"{plain.name} on the second lead", channel=1 - plain.channel)
        return Condition("first lead", plain), Condition("second lead", second)
    if plain.companion < 0:
        raise RecipeError(f"the first view of {recipe.name} has no companion to lose")
    turned = replace(
        plain, name=f"{plain.name} turned", channel=plain.companion, companion=plain.channel
    )

    def noisy(view: View) -> View:
        return replace(view, name=f"{view.name} at 0 dB", companion_snr_db=(0.0, 0.0))

    return (
        Condition("both leads", plain),
        Condition("second lead lost", plain, companion_lost=True),
        Condition("first lead lost", turned, companion_lost=True),
        Condition("second lead at 0 dB", noisy(plain)),
        Condition("first lead at 0 dB", noisy(turned)),
    )


def cross_validate_conditions(
    recordings: Sequence[Recording],
    prepared: Sequence[PreparedBeats],
    recipe: Recipe,
    work: Path,
    report: Callable[[int], Report],
    folds: Sequence[int] = tuple(range(FOLDS)),
    prior: Prior = NOTHING,
    advise: Advise = unadvised,
) -> Mapping[str, CrossValidation]:
    """Out-of-fold scores by condition; a fold that was trained before is not trained again.

    Only recordings of two leads are scored: the same ones under every condition.
    """
    chosen = conditions(recipe)
    paired = [r for r in recordings if len(read_header(r.path).signals) > 1]
    scores: dict[str, list[FoldScores]] = {condition.name: [] for condition in chosen}
    for fold in folds:
        tested = [r for r in paired if fold_of(r.subject) == fold]
        path = work / "runs" / f"{recipe.short}-fold{fold}.npz"
        fitted = fit_fold(prepared, recipe, fold, path, report(fold), prior, advise)
        predict = Predictor(fitted.student, fitted.scaling)
        for condition in chosen:
            outside = list(_seen(tested, condition, recipe, work))
            logits = predict(pool(outside, recipe.weight))
            scores[condition.name].append(score_logits(recordings, outside, logits, recipe))
    return {name: join(of_folds) for name, of_folds in scores.items()}


def _seen(
    recordings: Sequence[Recording], condition: Condition, recipe: Recipe, work: Path
) -> Iterator[PreparedBeats]:
    for item in prepare(recordings, [condition.view], recipe.seed, work):
        yield replace(item, companion=None) if condition.companion_lost else item


def table(results: Mapping[str, CrossValidation]) -> str:
    """Markdown: F1 in percent and J, and the loss of J against the first condition."""
    plain = next(iter(results.values())).j
    rows = [
        f"| {name} | {_percent(one.total.veb.f1)} | {_percent(one.total.sveb.f1)} "
        f"| {one.af.per_thousand:.1f} | {one.j:.4f} | {plain - one.j:+.4f} |"
        for name, one in results.items()
    ]
    head = "| | VEB F1 % | SVEB F1 % | false S per 1000 in AF | J | loss of J |"
    return "\n".join([head, "|---|---|---|---|---|---|", *rows])


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f}"
