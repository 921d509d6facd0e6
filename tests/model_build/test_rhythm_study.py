"""The rhythm study: switches that mean something, a ledger that holds each result once."""

import json
from pathlib import Path

import pytest

from model_build.errors import RecipeError
from model_build.recipe_files import recipe_path
from model_build.recipe_study import BASE
from model_build.rhythm import study
from model_build.rhythm.recipe import read_rhythm_recipe
from model_build.rhythm.stages import MEASURED

RECIPE = recipe_path(study.RECIPE)


def measured(af_f1: float) -> dict[str, dict[str, dict[str, float]]]:
    scores = {
        "cinc2017_af_f1": af_f1, "cinc2017_mean_nao_f1": 0.8,
        "false_af_minutes_per_24_h": 12.34, "af_seconds_found": 0.955,
    }  # fmt: skip
    return {way: {"scores": scores} for way in ("student", "trees", "baseline")}


def test_every_switch_makes_another_recipe() -> None:
    digests = [read_rhythm_recipe(RECIPE, one.change).digest for one in study.switches().values()]
    assert len(set(digests)) == len(digests)
    assert digests[0] == read_rhythm_recipe(RECIPE).digest
    assert read_rhythm_recipe(RECIPE, study.switches()["no-synthetic"].change).synthetic is None


def test_an_unknown_switch_is_named() -> None:
    assert list(study.switches(["wide"])) == [BASE, "wide"]
    with pytest.raises(RecipeError, match="wilder"):
        study.switches(["wilder"])


def test_folds_that_a_switch_does_not_touch_are_shared(tmp_path: Path) -> None:
    base, dull, wide, alone = (
        study.jobs(study.switches()[name], RECIPE, tmp_path, tmp_path)
        for name in (BASE, "dull", "wide", "no-synthetic")
    )
    shared = [
        [mine.folder == theirs.folder for mine, theirs in zip(base, jobs, strict=True)]
        for jobs in (dull, wide, alone)
    ]
    # Preparation, five folds, the measure.
    assert shared == [[True] * 6 + [False], [True] + [False] * 6, [False] * 7]
    assert all(job.arguments["set"] == {"smoothing.sharpness": 0.1} for job in dull)


def test_a_result_is_written_once_and_the_newest_counts(tmp_path: Path) -> None:
    ledger, switch = tmp_path / "results.jsonl", study.switches()["wide"]
    job = study.jobs(switch, RECIPE, tmp_path, tmp_path)[-1]
    job.folder.mkdir(parents=True)
    (job.folder / MEASURED).write_text(json.dumps(measured(0.9)))
    for _ in range(2):
        study.append(ledger, "wide", switch, RECIPE, job)
    assert len(ledger.read_text().splitlines()) == 1
    row = study.markdown(study.newest(ledger)).splitlines()[-1]
    assert row.startswith("| `wide`: Twice the network. | 0.900 (0.900) | 0.800")
    assert row.endswith("| 12.3 (12.3) | 95.5 (95.5) |")
