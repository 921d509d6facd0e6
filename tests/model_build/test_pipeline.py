"""From archives to a bundle set: the suite's end-to-end training, whole and interrupted."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge_runtime.inference.bundle import load_bundle_set
from model_build.cli import main
from model_build.datasets.splits import FOLDS
from model_build.errors import JobError
from model_build.pipeline.stage import Stage, jobs_of
from model_build.pipeline.stages import stages_of
from model_build.recipe import Distil, read_recipe
from model_build.recipe_files import recipe_path

RECIPE = """
name = "tiny"
seed = 3

[data]
sources = ["mitdb"]
only = ["mitdb/208", "mitdb/209"]

[[view]]
name = "native"

[weight]

[loss]
class_weight = { N = 1.0, S = 1.2, V = 1.2, F = 0.5, X = 1.0 }

[segments]

[augmentation]
gain_sd = 0.1
noise_sd = 0.03

[optimizer]
epochs = 2

[student]
stem = 8
blocks = [[8, 2], [16, 2], [16, 2]]
feature_units = 8
embedding = 8
context_channels = 8

[quantize]
calibration_beats = 60
"""


@pytest.fixture
def tiny(tmp_path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(RECIPE)
    return path


def make(tiny: Path, data: Path, work: Path):
    words = ["all", "--recipe", str(tiny), "--data", str(data), "--work", str(work), "--jobs", "0"]
    return CliRunner().invoke(main, [*words, "--out", str(work / "set"), "--json"])


def hashed(folder: Path) -> dict[str, bytes]:
    """Everything of a set but its card, which tells how long a call took."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != "CARD.md")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.mark.data
@pytest.mark.tensorflow
@pytest.mark.timeout(400)  # a minute on an idle core
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_an_interrupted_chain_ends_with_the_bytes_of_an_unbroken_one(
    tiny, data_dir, tmp_path, monkeypatch
):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    first = make(tiny, data_dir, whole)
    assert first.exit_code == 0, first.output
    loaded = load_bundle_set(whole / "set")
    assert json.loads(first.stdout)["sha256"] == loaded.fingerprint
    assert "Not cross-validated yet" in (loaded.beats.where / "CARD.md").read_text()

    shutil.copytree(whole / "prepared", broken / "prepared")
    runs = broken / "runs"
    # Time is up as soon as the first epoch is on disk.
    monkeypatch.setattr("time.monotonic", lambda: float(any(runs.glob("*.npz"))))
    words = ["all", "--recipe", str(tiny), "--data", str(data_dir), "--work", str(broken)]
    words += ["--jobs", "0", "--out", str(broken / "set"), "--stop-after", "0.5s"]
    stopped = CliRunner().invoke(main, words)
    assert stopped.exit_code == 3
    assert "goes on from there" in stopped.output
    assert not (broken / "set").exists()
    monkeypatch.undo()
    second = make(tiny, data_dir, broken)
    assert second.exit_code == 0, second.output
    assert hashed(broken / "set") == hashed(whole / "set")

    shutil.rmtree(broken / "set")
    done = {path: path.stat().st_mtime_ns for path in broken.rglob("done.json")}
    third = make(tiny, data_dir, broken)
    assert third.exit_code == 0, third.output
    assert {path: path.stat().st_mtime_ns for path in broken.rglob("done.json")} == done
    assert hashed(broken / "set") == hashed(whole / "set")


def folders(tiny: Path, tmp_path: Path, **changed) -> dict[str, str]:
    recipe = replace(read_recipe(tiny), **changed)
    stages = stages_of(recipe, tmp_path / "none.txt", "1")
    return {job.name: job.folder.name for job in jobs_of(stages, tiny, tmp_path, tmp_path)}


def test_a_stage_is_named_by_what_it_depends_on(tiny, tmp_path):
    before = folders(tiny, tmp_path)
    tiny.write_text("# a comment\n" + RECIPE)
    commented = folders(tiny, tmp_path)
    assert {name for name in before if before[name] != commented[name]} == {"export"}
    tiny.write_text(RECIPE.replace("calibration_beats = 60", "calibration_beats = 61"))
    quantized = folders(tiny, tmp_path)
    changed = {name for name in before if before[name] != quantized[name]}
    assert changed == {"quantize", "measure", "export"}
    tiny.write_text(RECIPE.replace("epochs = 2", "epochs = 3"))
    longer = folders(tiny, tmp_path)
    assert longer["prepare"] == before["prepare"]
    assert longer["student"] != before["student"]
    (tmp_path / "none.txt").write_text("mitdb/208 1000\n")
    tiny.write_text(RECIPE)
    assert folders(tiny, tmp_path)["quantize"] != before["quantize"]


def test_a_stage_is_named_by_the_files_it_takes_from_outside(tiny, tmp_path):
    recipe = read_recipe(tiny)
    fitted = replace(recipe, quantize=replace(recipe.quantize, fit_head=True))
    head, joined = tmp_path / "head.json", tmp_path / "set"

    def names(which):
        stages = stages_of(which, tmp_path / "none.txt", "1", head, joined)
        return {job.name: job.folder.name for job in jobs_of(stages, tiny, tmp_path, tmp_path)}

    before, wanted = names(recipe), names(fitted)
    head.write_text("{}")
    assert names(recipe) == before
    assert names(fitted)["quantize"] != wanted["quantize"]
    for role, changes in (("beats", False), ("beats-2lead", True)):
        (joined / role).mkdir(parents=True)
        (joined / role / "manifest.toml").write_text("")
        assert (names(recipe)["export"] != before["export"]) == changes


@pytest.mark.tensorflow
def test_a_set_is_made_beside_what_stays_of_the_one_it_replaces(tiny, tmp_path, monkeypatch):
    from model_build.pipeline import export

    here, folder, measured = tmp_path / "here", tmp_path / "stage", tmp_path / "measure"
    (here / "beats-2lead").mkdir(parents=True)
    (here / "beats-2lead" / "manifest.toml").write_text("")
    (folder / "set" / "left-over").mkdir(parents=True)
    measured.mkdir()
    (measured / "model.json").write_text("{}")
    found = []
    monkeypatch.setattr(export, "load_student", lambda *_: None)
    monkeypatch.setattr(
        export, "export_student", lambda out, *_: found.append([p.name for p in out.iterdir()])
    )
    arguments = {
        "recipe": str(tiny), "set": {}, "drop": [], "add": {},
        "data": str(tmp_path), "work": str(tmp_path),
        "inputs": dict.fromkeys(("student", "quantize", "measure"), str(measured)),
        "stage": {"version": "1", "joined": str(here)},
    }  # fmt: skip
    export.run(folder, arguments, lambda *_: None)
    assert found == [["beats-2lead"]]


def test_a_fit_that_is_wanted_and_missing_ends_all_before_it_begins(tiny, data_dir, tmp_path):
    tiny.write_text(RECIPE.replace("[quantize]", "[quantize]\nfit_head = true"))
    ended = make(tiny, data_dir, tmp_path / "work")
    assert ended.exit_code == 1
    assert "train --cross-validate" in ended.output
    assert not (tmp_path / "work").exists()


def test_a_stage_stands_after_what_it_needs(tiny, tmp_path):
    stages = [Stage("b", "model_build.pipeline.prepare:run", needs=("a",))]
    with pytest.raises(JobError, match="needs a before it"):
        jobs_of(stages, tiny, tmp_path, tmp_path)


def test_a_distilled_student_stands_after_its_teachers(tiny, tmp_path):
    teachers = read_recipe(recipe_path("teacher")).teacher
    assert teachers is not None
    recipe = replace(read_recipe(tiny), distil=Distil(teacher="teacher"))
    stages = {stage.name: stage for stage in stages_of(recipe, tmp_path / "none.txt", "1")}
    names = {f"teacher-without-{k}-seed-{seed}" for k in range(FOLDS) for seed in teachers.seeds}
    assert names < set(stages["student"].needs)
    fold = stages["teacher-without-3-seed-1"].arguments["fold"]
    assert (fold, stages["teacher-without-3-seed-1"].needs) == (3, ("prepare",))


def test_people_can_be_left_out(data_dir, tiny):
    from model_build.prepare import training_recordings

    recipe = read_recipe(tiny)
    assert [r.record for r in training_recordings(data_dir, recipe)] == ["208", "209"]
    without = replace(recipe.data, only=(), exclude=("mitdb/118", "mitdb/119"))
    found = training_recordings(data_dir, replace(recipe, data=without))
    assert len(found) == 19
    shipped = read_recipe(recipe_path("beats-first"))
    assert shipped.data.only == shipped.data.exclude == ()
