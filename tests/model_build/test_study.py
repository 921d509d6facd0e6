"""Studies: changes of recipes, cells named by content, the ledger, and the ablation table."""

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from firmware_bridge.records import Annotations
from model_build.cli import main
from model_build.errors import RecipeError
from model_build.evaluate.ec57 import compare_beats
from model_build.evaluate.fibrillation import AfErrors
from model_build.evaluate.out_of_fold import FoldScores
from model_build.evaluate.reliability import BINS, Reliability
from model_build.recipe import read_recipe
from model_build.recipe_changes import Change
from model_build.recipe_files import recipe_path
from model_build.study import ablation
from model_build.study.plan import cells, read_study, study_path
from model_build.study.results import CellResult, read

BEATS = recipe_path("beats-first")


def test_a_change_sets_drops_and_adds():
    view = {"name": "third", "channel": 2}
    change = Change({"optimizer.ema": 0.9, "view.native.gain": [0.5, 2.0]},
                    ("view.second",), {"view": (view,)})  # fmt: skip
    before, after = read_recipe(BEATS), read_recipe(BEATS, change)
    assert (before.optimizer.ema, after.optimizer.ema) == (0.995, 0.9)
    assert after.view[0].gain == (0.5, 2.0)
    assert [v.name for v in after.view] == ["native", "recorder", "second-recorder", "third"]
    assert before.digest == read_recipe(BEATS, Change()).digest != after.digest


@pytest.mark.parametrize(
    "change",
    [
        Change({"optimizer.emma": 1.0}),
        Change({"view.fourth.gain": [1.0, 1.0]}),
        Change(drop=("view.fourth",)),
        Change(drop=("loss.cat",)),
        Change({"seed.x": 1}),
    ],
)
def test_a_change_that_leads_nowhere_is_refused(change):
    with pytest.raises(RecipeError):
        read_recipe(BEATS, change)


def test_the_shipped_study_can_be_read():
    study = read_study(study_path("beats"))
    found = cells(study)
    assert len({cell.identity for cell in found}) == len(found)
    assert found[0].switch == "base"
    assert [cell.seed for cell in found] == sorted(cell.seed for cell in found)


STUDY = """
base = "beats-first"
folds = [0, 1]
seeds = [1, 2]

[switch.better]
why = "finds more"
set = { "optimizer.ema" = 0.9 }

[switch.same]
why = "changes nothing that is scored"
set = { "optimizer.epochs" = 3 }
"""


@pytest.fixture
def study_file(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(STUDY)
    return path


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('base = "beats-first"\nfold = [1]', "fold"),
        ('base = "beats-first"\nfolds = [1.5]', "folds"),
        ('base = "beats-first"\nstage = "x"', "no stage x"),
        ('base = "beats-first"\n[switch.base]\nwhy = "x"', "otherwise"),
        ('base = "beats-first"\n[switch.a]\nset = { a = 1 }', "why"),
    ],
)
def test_a_wrong_study_is_refused(text, words, tmp_path):
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=words):
        read_study(path)


def test_a_cell_is_named_by_what_it_depends_on(study_file):
    study = read_study(study_file)
    found = cells(study, ["better"])
    assert {cell.switch for cell in found} == {"base", "better"}
    again = {cell.name: cell.identity for cell in cells(study, ["better"])}
    assert {cell.name: cell.identity for cell in found} == again
    other = replace(found[0], code="another")
    assert other.identity != found[0].identity
    elsewhere = replace(found[0], stage="student-second-lead")
    assert elsewhere.identity != found[0].identity
    assert elsewhere.training == found[0].training != other.training
    with pytest.raises(RecipeError, match="no switch worse"):
        cells(study, ["worse"])


def scored(seed: int, fold: int | str, missed: float) -> FoldScores:
    """Ten people, of whose V and S a share is missed."""
    random = np.random.default_rng((seed, len(str(fold))))
    matrices, af = {}, {}
    for k in range(10):
        key = f"svdb/8{fold}{k}"
        at = 200 + 300 * np.arange(1500)
        symbols = np.full(1500, "N")
        symbols[::10], symbols[5::10] = "V", "A"
        said = np.where(symbols == "A", "S", symbols)
        said[random.random(1500) < missed * (0.5 + k / 10)] = "N"
        test = Annotations.of(at, said)
        matrices[key] = compare_beats(Annotations.of(at, symbols), test, 360.0, 450_500)
        af[key] = AfErrors(100, int(10 * missed))
    none = Reliability(("N", "S", "V", "F"), np.zeros((5, BINS, 3)))
    return FoldScores(matrices, af, {key: key for key in matrices}, none)


def fake_stage(trial):
    missed = {0.9: 0.1}.get(trial.own.optimizer.ema, 0.3)
    trial.report(0, 1, 1, 0.5)
    return scored(trial.own.seed, trial.fold, missed)


@pytest.fixture
def faked(monkeypatch):
    stage = f"{__name__}:fake_stage"
    monkeypatch.setattr("model_build.study.stages.STAGES", {"student": stage})
    monkeypatch.setattr("model_build.study.plan.code_of", lambda *_: "code")
    monkeypatch.setattr("model_build.study.cell.training_recordings", lambda *_: [])
    monkeypatch.setattr("model_build.study.cell.prepare", lambda *_: [])
    monkeypatch.setattr("model_build.pipeline.prepare.training_recordings", lambda *_: [])


@pytest.mark.tensorflow
def test_a_study_runs_keeps_results_and_is_not_run_twice(study_file, tmp_path, faked, monkeypatch):
    ledger, base = tmp_path / "ledger.jsonl", tmp_path / "table"
    words = ["study", str(study_file), "--work", str(tmp_path), "--data", str(tmp_path),
             "--jobs", "0", "--ledger", str(ledger), "--report", str(base)]  # fmt: skip
    first = CliRunner().invoke(main, [*words, "--only", "better"])
    assert first.exit_code == 0, first.output
    assert len(read(ledger)) == 8
    done = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("result.json")}
    second = CliRunner().invoke(main, [*words, "--json"])
    assert second.exit_code == 0, second.output
    assert len(read(ledger)) == 12
    assert all(path.stat().st_mtime_ns == before for path, before in done.items())
    rows = {row["switch"]: row for row in json.loads(second.stdout)["rows"]}
    assert rows["base"]["gain"] is None
    assert rows["better"]["gain"]["keep"]
    assert rows["better"]["gain"]["share_above_zero"] == 1.0
    assert rows["better"]["mean_and_deviation"]["j"][1] > 0
    assert rows["same"]["gain"]["j"] == pytest.approx(0.0)
    assert not rows["same"]["gain"]["keep"]
    assert rows == {
        r["switch"]: r for r in json.loads(base.with_suffix(".json").read_text())["rows"]
    }
    monkeypatch.setattr("model_build.study.plan.code_of", lambda *_: "newer code")
    listed = [CliRunner().invoke(main, [*words, "--list", *more]) for more in ([], ["--any-code"])]
    assert ["to do" in one.output for one in listed] == [True, False]
    text = base.with_suffix(".md").read_text()
    assert "| better | " in text
    assert "| yes | " in text


def test_a_bootstrap_by_subject_is_as_unsure_as_few_subjects_make_it(study_file):
    study = read_study(study_file)
    planned = cells(study)

    def result(cell, scores):
        digests = (cell.base_digest, cell.recipe.digest, cell.code)
        place = (cell.seed, cell.fold, 60.0)
        return CellResult(cell.identity, "t", cell.switch, "student", *digests, *place, scores)

    results = []
    for cell in planned:
        scores = scored(cell.seed, cell.fold, 0.3)
        if cell.switch == "better" and cell.fold == 0:
            # One person of twenty becomes much better, another a little worse.
            worse, better = scored(cell.seed, 0, 0.34), scored(cell.seed, 0, 0.0)
            swapped = {**scores.matrices, "svdb/809": better.matrices["svdb/809"],
                       "svdb/800": worse.matrices["svdb/800"]}  # fmt: skip
            scores = replace(scores, matrices=swapped)
        results.append(result(cell, scores))
    table = {row.switch: row for row in ablation.rows(study, planned, results)}
    gain = table["better"].gain
    assert gain.j > 0
    assert gain.low < gain.j < gain.high
    assert 0.5 < gain.share < 1.0
    assert len(table["better"].compared) == 4
    half = [r for r in results if r.switch == "base" or r.seed == 1]
    assert sorted(ablation.rows(study, planned, half)[1].scores.by_seed) == [1]
    other_code = [replace(r, code="old") for r in results]
    assert ablation.rows(study, planned, other_code) == []
    assert len(ablation.rows(study, planned, other_code, any_code=True)) == 3


def test_help_says_how_a_study_goes_on():
    result = CliRunner().invoke(main, ["study", "--help"])
    assert result.exit_code == 0
    assert "goes on where it stood" in " ".join(result.output.split())


@pytest.mark.parametrize(
    "path", sorted(study_path("beats").parent.glob("*.toml")), ids=lambda p: p.stem
)
def test_every_switch_that_ships_changes_its_recipe(path):
    planned = cells(read_study(path))
    digests = {cell.switch: cell.recipe.digest for cell in planned if isinstance(cell.fold, int)}
    assert len(set(digests.values())) == len(digests) > 1
    assert len({cell.identity for cell in planned}) == len(planned)


def test_a_cell_depends_on_the_teachers_it_hears(tmp_path):
    teacher = tmp_path / "teacher.toml"
    teacher.write_text(recipe_path("teacher").read_text())
    path = tmp_path / "s.toml"
    path.write_text(
        'base = "beats-first"\nfolds = [0]\nseeds = [1]\n[switch.taught]\nwhy = "?"\n'
        f'set = {{ "distil.teacher" = "{teacher}" }}\n'
    )
    base, taught = (cell.identity for cell in cells(read_study(path)))
    teacher.write_text(teacher.read_text().replace("epochs = 24", "epochs = 25"))
    after = [cell.identity for cell in cells(read_study(path))]
    assert (after[0] == base, after[1] == taught) == (True, False)
