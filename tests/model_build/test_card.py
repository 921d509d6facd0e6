"""The model card says what was measured, and what was not."""

from dataclasses import replace

import pytest
from click.testing import CliRunner

from edge_runtime.inference.bundle import load_bundle_set
from model_build.card import compose, write_card
from model_build.cli import main
from model_build.evaluate.document import to_markdown
from model_build.evaluate.out_of_fold import OutOfFold, join
from model_build.recipe import read_recipe
from model_build.recipe_files import recipe_path
from tests.model_build.evaluate.test_measures import fold_scores

RECIPE = read_recipe(recipe_path("beats-first"))
MODEL = {"multiply_adds": 390_000, "weights": 28_000, "latency_ms": 0.31, "runtime": "litert 1"}


@pytest.fixture(scope="module")
def bundles():
    return load_bundle_set()


def test_nothing_is_claimed_that_was_not_measured(bundles):
    text = to_markdown(compose(bundles, RECIPE, None, None, None))
    for words in ("Not cross-validated yet", "has not been opened", "no medical device"):
        assert words in text
    assert "latency" not in text
    assert "| measure |" not in text


def test_scores_failures_and_cost_are_told(bundles):
    folds = [fold_scores("svdb/800", 30), fold_scores("svdb/801", 1)]
    found = OutOfFold({1: join(folds), 2: join(folds)}, (0, 1, 2, 3, 4))
    rates = {"f1": 0.5}
    results = {"veb": {"f1": 0.943}, "sveb": rates, "sveb_without_232": rates}
    opening = {"date": "2026-11-23", "results": results}
    text = to_markdown(compose(bundles, RECIPE, found, MODEL, opening))
    veb = next(line for line in text.splitlines() if line.startswith("| VEB F1 % | out of fold"))
    assert "± 0.0" in veb
    assert "| VEB F1 % | DS2, INT8, opened 2026-11-23 | 94.3 |" in text
    failures = [line for line in text.splitlines() if line.startswith("| VEB | svdb/")]
    assert [line.split(" | ")[1] for line in failures] == ["svdb/800", "svdb/801"]
    assert "| multiply-adds a beat | 0.39 million |" in text
    assert "0.31 ms (litert 1)" in text
    assert "ODC-By 1.0" in text


def test_a_card_alters_no_fingerprint(bundles, tmp_path):
    import shutil

    shutil.copytree(bundles.where, tmp_path / "set")
    copied = load_bundle_set(tmp_path / "set")
    path = write_card(copied, RECIPE, None, MODEL)
    assert path.read_text().startswith("# Model card: beats")
    assert load_bundle_set(tmp_path / "set").fingerprint == bundles.fingerprint


def test_a_bundle_of_two_leads_has_a_card_of_its_own(bundles, tmp_path):
    paired = replace(
        bundles.beats,
        where=tmp_path,
        manifest=replace(bundles.beats.manifest, name="beats-2lead", leads=2),
    )
    recipe = replace(RECIPE, student={"leads": 2})
    path = write_card(replace(bundles, paired_beats=paired), recipe, None, None)
    assert path.parent == tmp_path
    text = path.read_text()
    assert text.startswith("# Model card: beats-2lead")
    assert "of 2 leads, or either alone," in text


def test_a_set_of_another_recipe_gets_no_card(tmp_path):
    other = tmp_path / "other.toml"
    other.write_text(recipe_path("beats-first").read_text() + "\n# another\n")
    result = CliRunner().invoke(main, ["card", "--recipe", str(other), "--work", str(tmp_path)])
    assert result.exit_code == 2
    assert "another recipe" in result.output
