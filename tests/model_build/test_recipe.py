"""Recipes: strict reading."""

from dataclasses import replace

import pytest

from model_build.errors import RecipeError
from model_build.provenance import archives
from model_build.recipe import read_recipe
from model_build.recipe_changes import Change
from model_build.recipe_files import calibration_path, recipe_path
from model_build.study.results import own_results


def test_the_shipped_recipe_reads_and_is_named_by_its_content(tmp_path):
    path = recipe_path("beats-first")
    recipe = read_recipe(path)
    assert recipe.name == "beats-first"
    assert recipe.view[0].name == "native"
    copy = tmp_path / "other.toml"
    copy.write_bytes(path.read_bytes() + b"\n")
    assert read_recipe(copy).digest != recipe.digest
    assert calibration_path("beats-first").name == "beats-first.calibration.txt"


def test_every_problem_is_named(tmp_path):
    text = recipe_path("beats-first").read_text()
    text = text.replace("epochs = ", "epoch = ").replace("seed = 1", 'seed = "one"', 1)
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(RecipeError) as caught:
        read_recipe(path)
    assert "epoch" in str(caught.value)
    assert "seed" in str(caught.value)


def test_an_unknown_name_is_refused():
    with pytest.raises(RecipeError, match="shipped name"):
        recipe_path("beets")


def test_a_file_that_is_no_toml_is_refused(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text("name = ")
    with pytest.raises(RecipeError, match=r"x\.toml"):
        read_recipe(path)


def test_compression_is_off_unless_a_recipe_asks_for_it(tmp_path):
    shipped = recipe_path("beats-first").read_text()
    recipe = read_recipe(recipe_path("beats-first"))
    assert recipe.prune is None
    assert (recipe.quantize.method, recipe.quantize.bias_correction) == ("ptq", False)
    asked = tmp_path / "asked.toml"
    asked.write_text(shipped + 'method = "qat"\n[qat]\nepochs = 2\n[prune]\nshare = 0.4\n')
    recipe = read_recipe(asked)
    assert recipe.prune is not None
    assert (recipe.prune.share, recipe.qat.epochs, recipe.quantize.method) == (0.4, 2, "qat")
    asked.write_text(shipped + 'method = "magic"\n')
    with pytest.raises(RecipeError, match="method"):
        read_recipe(asked)


def test_every_archive_that_a_model_is_made_from_is_credited():
    first = archives(read_recipe(recipe_path("beats-first")))
    assert first == ("mitdb", "svdb", "cpsc2021", "cinc2017")
    assert {"nstdb", "ludb", "ptbxl"} < set(archives(read_recipe(recipe_path("beats-one-lead"))))
    assert "nstdb" in archives(read_recipe(recipe_path("beats-two-leads")))


def test_a_recipe_may_say_only_what_it_changes_in_another(tmp_path):
    path = tmp_path / "bolder.toml"
    path.write_text('name = "bolder"\nbase = "beats-first"\n[set]\n"optimizer.epochs" = 2\n')
    base, bolder = read_recipe(recipe_path("beats-first")), read_recipe(path)
    assert bolder == replace(
        base, name="bolder", digest=bolder.digest, optimizer=replace(base.optimizer, epochs=2)
    )
    switch = Change(set={"optimizer.epochs": 2})
    assert bolder.digest == read_recipe(recipe_path("beats-first"), switch).digest
    assert read_recipe(path, Change(set={"seed": 3})).optimizer.epochs == 2
    assert calibration_path(str(path)) == calibration_path("beats-first")
    upon = tmp_path / "upon.toml"
    upon.write_text(f'name = "upon"\nbase = "{path}"\ndrop = ["pretrain"]\n')
    with pytest.raises(RecipeError, match="pretrain cannot be dropped"):
        read_recipe(upon)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('name = "x"\nbase = "beets"\n', "shipped name"),
        ('name = "x"\nbase = "beats-first"\nseed = 2\n', "seed"),
        ('name = "x"\nbase = "beats-first"\n[set]\n"seed" = "two"\n', "seed"),
    ],
)
def test_what_is_wrong_with_a_recipe_that_changes_another(tmp_path, text, problem):
    path = tmp_path / "wrong.toml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=problem):
        read_recipe(path)


def test_the_table_of_nstdb_needs_a_set_that_has_not_met_its_patients():
    shipped, stress = (read_recipe(recipe_path(name)) for name in ("beats", "beats-stress"))
    assert stress.data.exclude == ("mitdb/118", "mitdb/119")
    assert replace(stress, name="", digest="", data=shipped.data) == replace(
        shipped, name="", digest=""
    )
    assert calibration_path("beats") == calibration_path("beats-one-lead")
    assert calibration_path("beats-stress").name == "beats-stress.calibration.txt"


def test_what_ships_was_cross_validated_as_a_switch_of_its_base():
    found = own_results(read_recipe(recipe_path("beats")))
    assert found is not None
    assert found.in_set  # what the device does is told, where it is known
