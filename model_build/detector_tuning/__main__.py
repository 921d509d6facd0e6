"""`python -m model_build.detector_tuning`: choose the detector's constants, log to stderr."""

import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import add
from pathlib import Path

import click
import numpy as np

from edge_runtime.signal.qrs import QrsDetector
from edge_runtime.signal.qrs_constants import FEATURES, QrsConstants, shipped_constants
from model_build.datasets.locate import data_directory
from model_build.datasets.splits import FOLDS, fold_of
from model_build.detector_tuning.corpus import Case, cases
from model_build.detector_tuning.network import Examples, Schedule, fit
from model_build.detector_tuning.study import Count, Truth, collect, count, label, run
from model_build.detector_tuning.tentative import choose, try_thresholds

SHIPPED = Path("edge_runtime/signal/qrs_constants.toml")
HEADING = "# Constants of the R-peak detector, made by `python -m model_build.detector_tuning`.\n"


@dataclass(frozen=True, slots=True)
class Plan:
    """Rounds on its own decisions after the guided one; examples of the last three are kept."""

    rounds: int = 3
    schedule: Schedule = field(default_factory=lambda: Schedule(epochs=4))
    last: Schedule = field(default_factory=lambda: Schedule(epochs=14))


def say(text: str, began: float) -> None:
    """One line to stderr with the seconds since the start."""
    click.echo(f"{time.monotonic() - began:7.1f} s  {text}", err=True)


def measure(subset: Sequence[Case], constants: QrsConstants) -> dict[str, Count]:
    """Errors summed by database and variant."""
    table: dict[str, Count] = {}
    for case in subset:
        database, _, rest = case.key.partition("/")
        kind = f"{database}:{rest.partition(':')[2]}"
        found = count(case, run(QrsDetector(constants), case))
        table[kind] = table.get(kind, Count()) + found
    return table


def untrained(hidden: int) -> QrsConstants:
    """Constants whose score says nothing; the guided round does not ask it."""
    return QrsConstants(np.zeros((hidden, len(FEATURES) + 1)), np.zeros(hidden + 1))


def learn(
    pairs: Sequence[tuple[Case, Truth]], seed: int, plan: Plan, began: float
) -> tuple[QrsConstants, list[list[Examples]]]:
    """The constants, and the examples of each round and case they were made from."""
    constants = untrained(plan.schedule.hidden)
    rounds = [collect(pairs, constants, guided=True)]
    for turn in range(plan.rounds):
        pooled = reduce(add, (part for examples in rounds for part in examples))
        hidden, output = fit(pooled, seed + turn, plan.schedule)
        constants = replace(constants, hidden=hidden, output=output)
        say(f"round {turn}: {len(pooled)} examples", began)
        rounds = [*rounds[-2:], collect(pairs, constants, guided=False)]
    pooled = reduce(add, (part for examples in rounds for part in examples))
    hidden, output = fit(pooled, seed, plan.last)
    return replace(constants, hidden=hidden, output=output), rounds


def cross_validate(
    pairs: Sequence[tuple[Case, Truth]],
    rounds: Sequence[Sequence[Examples]],
    seed: int,
    plan: Plan,
) -> dict[str, Count]:
    """Errors on each fold's people by a score fitted to the others'."""
    fold = [fold_of(case.who) for case, _ in pairs]
    table: dict[str, Count] = {}
    for k in range(FOLDS):
        others = [e for examples in rounds for e, f in zip(examples, fold, strict=True) if f != k]
        hidden, output = fit(reduce(add, others), seed, plan.schedule)
        held_out = [case for (case, _), f in zip(pairs, fold, strict=True) if f == k]
        for kind, found in measure(held_out, QrsConstants(hidden, output)).items():
            table[kind] = table.get(kind, Count()) + found
    return table


def doubt(training: Iterable[Case], constants: QrsConstants, began: float) -> QrsConstants:
    """The constants with the threshold of tentative peaks that the training cases choose."""
    trials = try_thresholds(training, constants)
    for trial in trials:
        say(f"tentative from {trial}", began)
    return replace(constants, tentative_threshold=choose(trials).threshold)


@click.command()
@click.option("--data", type=click.Path(path_type=Path), help="Folder of archives; ECG_DATA_DIR.")
@click.option("--out", type=click.Path(path_type=Path), default=SHIPPED, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--validate/--no-validate", default=True, help="Also report held-out people.")
@click.option("--only-tentative", is_flag=True, help="Keep the score: choose tentative_threshold.")
def main(data: Path | None, out: Path, seed: int, validate: bool, only_tentative: bool) -> None:
    """Choose the R-peak detector's constants and write them to OUT (about twenty minutes)."""
    began = time.monotonic()
    if only_tentative:
        constants = doubt(cases(data_directory(data), seed), shipped_constants(), began)
        out.write_text(HEADING + constants.to_toml(), encoding="utf-8")
        return
    plan = Plan()
    blank = untrained(plan.schedule.hidden)
    pairs = [(case, label(case, blank)) for case in cases(data_directory(data), seed)]
    say(f"{len(pairs)} cases", began)
    constants, rounds = learn(pairs, seed, plan, began)
    constants = doubt((case for case, _ in pairs), constants, began)
    out.write_text(HEADING + constants.to_toml(), encoding="utf-8")
    for kind, found in measure([case for case, _ in pairs], constants).items():
        say(f"trained on   {kind:22s} {found}", began)
    if validate:
        for kind, found in cross_validate(pairs, rounds, seed, plan).items():
            say(f"held out     {kind:22s} {found}", began)


if __name__ == "__main__":
    sys.exit(main())
