"""The commands: help like documentation, refusals that say what to do."""

import json
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from model_build.cli import main
from model_build.errors import BuildError
from model_build.recipe import read_recipe
from model_build.recipe_files import recipe_path
from model_build.student_files import student_folder


def run(*words: str):
    return CliRunner().invoke(main, words)


@pytest.mark.parametrize("name", ["card", "evaluate"])
def test_a_set_that_is_not_there_is_named(name, tmp_path):
    result = run(name, "--bundles", str(tmp_path / "none"))
    assert result.exit_code == 1
    assert "holds no set.toml" in result.output


@pytest.mark.parametrize(
    "name",
    [
        "prepare",
        "pretrain",
        "teach",
        "train",
        "prune",
        "quantize",
        "stages",
        "export",
        "evaluate",
        "study",
        "all",
        "peers",
        "denoise-study",
    ],
)
def test_help_reads_like_documentation(name):
    result = run(name, "--help")
    assert result.exit_code == 0
    assert len(result.output) > 600
    assert "ECG_DATA_DIR" in result.output


def test_an_unknown_recipe_is_one_clear_line(tmp_path):
    result = run("prepare", "--recipe", "beets", "--data", str(tmp_path))
    assert result.exit_code == 1
    assert result.output.count("\n") == 1
    assert "beets" in result.output


def test_quantize_without_a_student_says_what_comes_first(tmp_path):
    pytest.importorskip("tensorflow")
    result = run("quantize", "--data", str(tmp_path), "--work", str(tmp_path))
    assert result.exit_code == 1
    assert "model-build train" in result.output


def run_without(module, *words):
    """`model-build WORDS` in a process of its own that cannot import `module`."""
    program = (
        f"import sys; sys.modules[{module!r}] = None; from model_build.cli import main; main()"
    )
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, words)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("command", "missing"),
    [("train", "keras"), ("quantize", "keras"), ("prepare", "wfdb")],
)
def test_without_the_build_extra_it_says_what_to_install(command, missing, tmp_path):
    folder = student_folder(tmp_path, read_recipe(recipe_path("beats-first")))
    folder.mkdir(parents=True)
    trained_on = json.dumps({"recordings": [], "code": "", "n_beats": 0})
    np.savez(folder / "student.npz", centre=[0.0], scale=[1.0], trained_on=np.array(trained_on))
    result = run_without(missing, command, "--data", tmp_path / "none", "--work", tmp_path)
    assert result.returncode == 1
    assert result.stderr == (
        f"Error: {missing} is not installed; this command needs the build extra: "
        "pip install 'ecg-edge[build]'\n"
    )


def test_another_missing_module_is_a_defect():
    assert "Traceback" in run_without("numpy", "train").stderr


def test_a_list_of_folds_is_checked(tmp_path):
    pytest.importorskip("tensorflow")
    result = run("train", "--cross-validate", "--folds", "x", "--work", str(tmp_path))
    assert result.exit_code == 2
    assert "--folds" in result.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--without", "x"], "a list like 0,1"),
        (["--without", "0,7"], "folds are 0 to 4"),
        (["--without", "0,1", "--cross-validate"], "without one fold each"),
        (["--pairs", "--cross-validate"], "without one fold each"),
        (["--seed", "9"], "no member 9"),
    ],
)
def test_who_teaches_is_checked_first(words, said, tmp_path):
    pytest.importorskip("tensorflow")
    result = run("teach", "--recipe", "teacher", "--work", str(tmp_path), *words)
    assert result.exit_code == 2
    assert said in result.output


def test_a_student_whose_teachers_are_not_trained_says_what_comes_first(tmp_path):
    pytest.importorskip("tensorflow")
    from model_build.teacher.members import Membership, load_member

    which = Membership(read_recipe(recipe_path("teacher")), frozenset({0, 1}), 2)
    with pytest.raises(BuildError, match="model-build teach --recipe teacher --without 0,1"):
        load_member(which, [], tmp_path)


@pytest.mark.data
def test_prepare_tells_what_it_found(data_dir, tmp_path):
    text = recipe_path("beats-first").read_text()
    text = text.replace('["mitdb", "svdb", "cpsc2021", "cinc2017"]', '["cpsc2021"]')
    recipe = tmp_path / "few.toml"
    recipe.write_text(text)
    words = ("--recipe", str(recipe), "--data", str(data_dir), "--work", str(tmp_path), "--json")
    result = run("prepare", *words)
    assert result.exit_code == 0
    rows = json.loads(result.output)["beats"]
    assert {row["view"] for row in rows} >= {"native", "recorder"}
    native = next(row for row in rows if row["view"] == "native")
    assert native["recordings"] == 18
    assert native["N"] > 4000
    assert native["S"] > 20
