"""Pre-training on windows made up here, its transfer, and P waves beside the classes."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from edge_runtime.signal.windows import R_AT
from model_build.datasets.recording import Target
from model_build.datasets.waves import Kind
from model_build.errors import RecipeError, StoppedError
from model_build.pretraining.batches import gather, plan_epoch
from model_build.pretraining.beats import WaveBeats
from model_build.pretraining.scores import held_out, score
from model_build.pretraining.targets import NONE, UNKNOWN, PWave
from model_build.recipe import Pretrain, PWaves, read_recipe
from model_build.recipe_files import recipe_path
from model_build.stopping import stop_when

RULE = Pretrain(delineated=("made",), masked=("made",), epochs=2, batch=16)


def made_up(n: int = 320, seed: int = 0) -> WaveBeats:
    """A narrow QRS at R, a T after it, and in half the beats a P before it."""
    random = np.random.default_rng(seed)
    t = np.arange(160.0)
    has_p = random.random(n) < 0.5
    waves = [(R_AT - 20, 5, 0.4, Kind.P), (R_AT, 2, 1.0, Kind.QRS), (R_AT + 36, 8, 0.3, Kind.T)]
    window = 0.02 * random.standard_normal((n, 160))
    classes = np.full((n, 160), NONE, np.uint8)
    for centre, width, height, kind in waves:
        there = has_p if kind == Kind.P else np.ones(n, bool)
        window[there] += height * np.exp(-0.5 * ((t - centre) / width) ** 2)
        classes[np.ix_(there, np.abs(t - centre) <= 2 * width)] = kind
    return WaveBeats(
        window=window.astype(np.float16),
        template=np.tile(window[has_p][0], (n, 1)).astype(np.float16),
        classes=classes,
        p_wave=np.where(has_p, PWave.PRESENT, PWave.ABSENT).astype(np.uint8),
        lead=np.arange(n) % 20,
        keys=tuple(f"ludb/{k + 1}:0" for k in range(20)),
        subjects=tuple(f"ludb/{k + 1}" for k in range(20)),
    )


def test_beats_survive_the_disk(tmp_path):
    before = made_up(40)
    before.save(tmp_path / "beats.npz")
    after = WaveBeats.load(tmp_path / "beats.npz")
    assert (after.keys, after.subjects) == (before.keys, before.subjects)
    np.testing.assert_array_equal(after.classes, before.classes)
    twice = WaveBeats.join([before, after])
    assert twice.lead.max() == 39
    assert len(twice[twice.lead == 21]) == 2


def test_a_batch_hides_stretches_of_the_second_half_only():
    beats = made_up(32)
    random = np.random.default_rng(4)
    ((marked, masked), (also, _)) = plan_epoch(32, 32, RULE, random)
    assert sorted([*marked, *also]) == list(range(32))
    batch = gather(beats[marked], beats[masked], RULE, random)
    assert not batch.hidden[:16].any()
    assert batch.hidden[16:, :, 0].any(axis=1).all()
    assert 0.15 < batch.hidden[16:, :, 0].mean() < 0.35
    assert not batch.window[batch.hidden[..., 0] > 0].any()
    # Where the template is hidden, the window is.
    assert not (batch.hidden[..., 1] > batch.hidden[..., 0]).any()
    np.testing.assert_array_equal(batch.window[:16], batch.true[:16, :, 0])
    assert (batch.classes[16:] == UNKNOWN).all()
    assert not batch.p_wave[16:].any()


def test_scores_are_of_known_samples():
    classes = np.array([[0, 1, 2, UNKNOWN]], np.uint8)
    logits = np.zeros((1, 4, 4), np.float32)
    logits[0, [0, 1, 2, 3], [0, 1, 1, 3]] = 5
    found = score(logits, np.array([1.0]), classes, np.array([PWave.PRESENT]))
    assert found.samples == 3
    assert found.segments == {"none": 1.0, "P": 2 / 3, "QRS": 0.0, "T": None}
    assert (found.p_present, found.p_absent) == (1.0, None)


def test_every_tenth_record_of_ludb_only_judges():
    keys = ["ludb/9:0", "ludb/10:3", "ludb/200:11", "qtdb/sel30:0", "ptbxl/00010_hr:1"]
    assert [held_out(key) for key in keys] == [False, True, True, False, False]


def _config():
    from model_build.models.student import StudentConfig

    return StudentConfig(n_features=5, blocks=((8, 2), (12, 2)), stem=6, dropout=0.0)


def _pretraining(seed: int = 3):
    import keras

    from model_build.pretraining.network import build_pretraining

    keras.utils.set_random_seed(seed)
    return build_pretraining(_config())


@pytest.mark.tensorflow
def test_a_tiny_pretraining_learns(tmp_path):
    from model_build.pretraining.run import judge, train

    rule = replace(RULE, epochs=12, learning_rate=2e-2, p_wave_loss=0.5, inverted_share=0.0)
    models = _pretraining()
    losses = train(models, {"made": made_up()}, rule, 1, tmp_path / "run.npz", _silent)
    assert losses[-1] < 0.5 * losses[0]
    found = judge(models, made_up(seed=9))
    assert found.segments["QRS"] > 0.9
    assert found.segments["T"] > 0.8
    assert found.p_present > 0.8


@pytest.mark.tensorflow
def test_an_interrupted_pretraining_ends_where_an_unbroken_one_does(tmp_path):
    from model_build.pretraining.network import trunk_weights
    from model_build.pretraining.run import train

    archives = {"made": made_up(100)}
    whole, broken, resumed = (_pretraining() for _ in range(3))
    losses = train(whole, archives, RULE, 1, tmp_path / "whole.npz", _silent)
    with stop_when(lambda: True), pytest.raises(StoppedError):
        train(broken, archives, RULE, 1, tmp_path / "broken.npz", _silent)
    assert train(resumed, archives, RULE, 1, tmp_path / "broken.npz", _silent) == losses
    for name, array in trunk_weights(resumed).items():
        np.testing.assert_array_equal(array, trunk_weights(whole)[name])


def _silent(*_):
    """No progress to show."""


@pytest.mark.tensorflow
def test_a_pretraining_is_made_once_and_kept_by_its_content(
    beats_and_recipe, tmp_path, monkeypatch
):
    from model_build.pretraining import run

    monkeypatch.setattr(run, "leads_of", lambda directory, name: [])
    monkeypatch.setattr(run, "prepare_archive", lambda *_: made_up(100))
    recipe = replace(beats_and_recipe[1], pretrain=replace(RULE, epochs=1))
    made = run.pretrain(tmp_path, recipe, _config(), tmp_path, _silent)
    monkeypatch.setattr(run, "train", None)
    again = run.pretrain(tmp_path, recipe, _config(), tmp_path, _silent)
    assert (again.scores, again.losses) == (made.scores, made.losses)
    for name, array in made.weights.items():
        np.testing.assert_array_equal(again.weights[name], array)
    assert [file.name for file in (tmp_path / "pretrained").iterdir()] == [made.path.name]
    others = (
        replace(recipe, seed=recipe.seed + 1),
        replace(recipe, pretrain=replace(RULE, epochs=2)),
    )
    paths = {run.pretrained_path(tmp_path, other, _config(), tmp_path) for other in others}
    assert len({*paths, made.path}) == 3
    with pytest.raises(RecipeError, match="no \\[pretrain\\]"):
        run.pretrain(tmp_path, replace(recipe, pretrain=None), _config(), tmp_path, _silent)


@pytest.mark.tensorflow
def test_the_trunk_moves_into_the_student_and_nothing_else_does():
    import keras

    from model_build.models.student import build_student
    from model_build.pretraining.network import start_from, trunk_weights

    source = _pretraining(seed=8)
    weights = trunk_weights(source)
    keras.utils.set_random_seed(1)
    student = build_student(_config())
    beat = student.training_model.get_layer("beat")
    kept = beat.get_layer("embedding_dense").get_weights()[0]
    start_from(student, weights)
    random = np.random.default_rng(0)
    pair = [random.standard_normal((3, 1, 160, 1)).astype(np.float32) for _ in range(2)]
    inside = keras.Model(beat.inputs[:2], beat.get_layer("block2_point_relu").output)
    np.testing.assert_array_equal(inside(pair), source.trunk(pair))
    np.testing.assert_array_equal(beat.get_layer("embedding_dense").get_weights()[0], kept)


@pytest.mark.tensorflow
def test_a_trunk_of_other_sizes_is_refused():
    import keras

    from model_build.models.student import build_student
    from model_build.pretraining.network import start_from, trunk_weights

    weights = trunk_weights(_pretraining())
    keras.utils.set_random_seed(1)
    for other in ({"stem": 8}, {"blocks": ((8, 2),)}):
        with pytest.raises(RecipeError, match="another trunk"):
            start_from(build_student(replace(_config(), **other)), weights)


@pytest.mark.tensorflow
def test_p_waves_reach_the_beats_of_the_named_views(beats_and_recipe):
    from model_build.pretraining.prior import MarkedP, Prior, with_p_waves
    from model_build.training.beats import pool
    from model_build.training.p_waves import p_waves_of_plan

    prepared, recipe = beats_and_recipe
    prior = Prior(p_waves={"mitdb/101": MarkedP(prepared[0].at - 60, Fraction(360))})
    found = with_p_waves(pool(prepared, recipe.weight), prepared, recipe, prior)
    sizes = np.cumsum([0, *(len(item) for item in prepared)])
    beat = np.isin(prepared[0].target, [Target.N, Target.S, Target.V, Target.F])
    assert not beat.all()
    expected = np.where(beat, PWave.PRESENT, PWave.UNKNOWN)
    np.testing.assert_array_equal(found.p_wave[: sizes[1]], expected)
    # Neither a view that moves beats nor a record without marks.
    assert not found.p_wave[sizes[1] :].any()
    first, last = found.spans[0]
    plan = np.array([[last - 10, 0], [first - 5, 0]])
    inside = p_waves_of_plan(found, plan, recipe.segments)
    assert inside.shape == (2, recipe.segments.beats)
    np.testing.assert_array_equal(inside[0, :10], expected[last - 10 : last])
    assert not inside[0, 10:].any()
    assert not inside[1, :5].any()
    np.testing.assert_array_equal(inside[1, 5:35], expected[:30])
    assert not inside[1, 35:].any()


@pytest.mark.tensorflow
def test_a_student_learns_p_waves_beside_its_classes(beats_and_recipe, tmp_path):
    from model_build.crossval import fit
    from model_build.pretraining.prior import MarkedP, Prior

    prepared, recipe = beats_and_recipe
    with pytest.raises(RecipeError, match="marks"):
        fit(prepared, recipe, tmp_path / "a.npz", _silent)
    prior = Prior(p_waves={"mitdb/101": MarkedP(prepared[0].at - 60, Fraction(360))})
    fitted = fit(prepared, recipe, tmp_path / "a.npz", _silent, prior)
    head = fitted.student.training_model.get_layer("p_wave")
    assert head.get_weights()[1].item() > 0  # all marked beats have a P wave
    assert "p_wave" not in {layer.name for layer in fitted.student.encoder.layers}


@pytest.mark.tensorflow
def test_a_student_s_data_name_what_its_prior_was_made_from(beats_and_recipe):
    from model_build.pretraining.prior import records_of

    _, recipe = beats_and_recipe
    assert records_of(replace(recipe, p_wave=PWaves())) == ()
    everything = records_of(replace(recipe, pretrain=Pretrain()))
    assert len(everything) == len(set(everything))
    assert {"ludb/1", "qtdb/sel30", "ptbxl/00001_hr", "mitdb-pwave/101"} <= set(everything)


@pytest.mark.tensorflow
def test_a_recipe_with_pretraining_does_not_start_without_it(beats_and_recipe, tmp_path):
    from model_build.crossval import fit

    prepared, recipe = beats_and_recipe
    wanted = replace(recipe, pretrain=Pretrain(), p_wave=PWaves())
    with pytest.raises(RecipeError, match="trunk"):
        fit(prepared, wanted, tmp_path / "a.npz", _silent)


@pytest.fixture
def beats_and_recipe():
    from tests.model_build.made_up_beats import made_up_beats as student_beats

    prepared = [
        student_beats("mitdb/101", 60, seed=1),
        replace(student_beats("mitdb/101", 60, seed=2), view="paced faster"),
        student_beats("svdb/800", 60, seed=3),
    ]
    shipped = read_recipe(recipe_path("beats-first"))
    recipe = replace(
        shipped,
        optimizer=replace(shipped.optimizer, epochs=1, batch_segments=2, ema=0.5),
        student={"blocks": [[8, 2], [8, 2]], "stem": 4},
        p_wave=PWaves(weight=1.0),
    )
    return prepared, recipe
