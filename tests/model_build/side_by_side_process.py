"""Trains two members side by side on JAX, and asks one: `python -m ... WORK`, KERAS_BACKEND=jax."""

import json
import sys

# What is loaded below must do without it.
sys.modules["tensorflow"] = None  # type: ignore[assignment]

from dataclasses import replace  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402

from model_build.teacher.members import Membership, load_member, roll_of_beats  # noqa: E402
from model_build.teacher.side_by_side import train_side_by_side  # noqa: E402
from tests.model_build.test_teacher import made_up_recipe, recording  # noqa: E402


def main(work: Path) -> None:
    """Leave the members in WORK, and in `said.npz` what the first says about a stranger."""
    items = [item for number in range(5) for item in recording(number)]
    recipe = made_up_recipe()
    recipe = replace(recipe, optimizer=replace(recipe.optimizer, epochs=6))
    wanted = [Membership(recipe, frozenset({1}), seed) for seed in (1, 2)]
    losses: list[float] = []
    train_side_by_side(wanted, items, work, lambda *told: losses.append(told[-1]))
    roll = roll_of_beats(item.beats for item in items)
    stranger = [item for item in items if item.beats.subject.endswith("1")]
    said = load_member(wanted[0], roll, work).opinions(stranger)
    np.savez(work / "said.npz", log_probability=said[0].log_probability)
    (work / "losses.json").write_text(json.dumps(losses))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
