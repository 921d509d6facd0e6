"""Whom the rules' second opinion on ventricular beats disputes, on the training subjects.

    python -m model_build.alarms.agreement [WORK]

Prints a table for docs/alarms.md: how many beats of each annotated class would be disputed if the
model called them ventricular. Archives lie in ECG_DATA_DIR; tensors are kept in WORK.
"""

import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from edge_runtime.rules.second_opinion import EVIDENCE, objection
from edge_runtime.signal.features import FEATURES
from model_build.command_options import load_recipe, load_training
from model_build.datasets.recording import Group, Target
from model_build.training.beats import PreparedBeats

_CLASSES = (Target.N, Target.S, Target.V, Target.F)


def disputed(prepared: Iterable[PreparedBeats]) -> dict[Target, tuple[int, int]]:
    """Of each class: beats, and how many of them are neither wide nor early."""
    columns = [[spec.name for spec in FEATURES].index(name) for name in EVIDENCE]
    beats, against = Counter[int](), Counter[int]()
    for item in prepared:
        for target, row in zip(item.target, item.features[:, columns].tolist(), strict=True):
            beats[int(target)] += 1
            against[int(target)] += bool(objection(dict(zip(EVIDENCE, row, strict=True))))
    return {name: (beats[name], against[name]) for name in _CLASSES}


def _main(work: Path) -> None:
    recipe = load_recipe("beats")
    first = replace(recipe, view=recipe.view[:1])
    _, prepared = load_training(first, None, work)
    print("| annotated | beats | disputed |\n|---|---|---|")
    annotated = (item for item in prepared if item.group == Group.BEATS)
    for name, (n, against) in disputed(annotated).items():
        print(f"| {name.name} | {n:,} | {100 * against / max(n, 1):.1f} % |")


if __name__ == "__main__":
    _main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("var/model_build"))
