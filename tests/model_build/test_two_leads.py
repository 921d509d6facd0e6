"""Two leads: what the path shows of both, how a student learns to do with one, and its scores."""

from dataclasses import replace

import numpy as np
import pytest

from model_build.datasets import cinc2017, mitdb
from model_build.prepare import prepare_recording
from model_build.recipe import Leads, View, Weight, read_recipe
from model_build.recipe_files import recipe_path
from model_build.training.beats import LeadBeats, PreparedBeats, pool
from model_build.training.lead_loss import keep_leads, lose_leads
from model_build.training.scaling import fit_scaling
from model_build.training.segments import augment, gather

N_FEATURES = 5


def made_up(key: str, *, paired: bool = True, n_beats: int = 300, seed: int = 0) -> PreparedBeats:
    """S beats have a large first feature on either lead, V beats another on the second alone."""
    random = np.random.default_rng(seed)
    target = random.choice([1, 2, 4], n_beats, p=[0.7, 0.15, 0.15]).astype(np.uint8)
    t = np.arange(160) - 88

    def lead(shows_v: bool) -> LeadBeats:
        window = np.exp(-((t / 4.0) ** 2)) + 0.05 * random.standard_normal((n_beats, 160))
        features = random.standard_normal((n_beats, N_FEATURES)).astype(np.float32)
        features[:, 0] += 4.0 * (target == 2)
        features[:, 1] += 6.0 * (target == 4) * shows_v
        template = np.tile(np.exp(-((t / 4.0) ** 2)), (n_beats, 1)).astype(np.float16)
        valid = random.random(n_beats) < 0.97
        return LeadBeats(window.astype(np.float16), template, features, valid)

    first, second = lead(False), lead(True)
    return PreparedBeats(
        key=key, subject=key, group="beats", view="native", starts=np.array([0]),
        at=np.arange(n_beats) * 200, window=first.window, template=first.template,
        features=first.features, valid=first.valid, tentative=np.zeros(n_beats, bool),
        target=target,
        companion=second if paired else None,
    )  # fmt: skip


@pytest.fixture
def recipe():
    shipped = read_recipe(recipe_path("beats-two-leads"))
    return replace(
        shipped,
        optimizer=replace(shipped.optimizer, epochs=2, batch_segments=2, ema=0.5),
        segments=replace(shipped.segments, quiet_share=1.0),
    )


def batch_of(recipe, *prepared):
    beats = pool(prepared or [made_up("a")], Weight())
    plan = np.array([[100, 0], [40, 0]])
    return gather(beats, plan, recipe.segments, 31, fit_scaling(beats.features), leads=2)


def test_a_companion_survives_the_disk(tmp_path):
    before = made_up("mitdb/101")
    before.save(tmp_path / "beats.npz")
    after = PreparedBeats.load(tmp_path / "beats.npz")
    for name in LeadBeats.__slots__:
        expected = getattr(before.companion, name)
        np.testing.assert_array_equal(getattr(after.companion, name), expected)
    made_up("a", paired=False).save(tmp_path / "alone.npz")
    assert PreparedBeats.load(tmp_path / "alone.npz").companion is None


def test_a_recording_without_companion_is_masked_in_the_pool():
    beats = pool([made_up("a", paired=False), made_up("b")], Weight())
    assert not beats.companion.valid[:300].any()
    assert beats.companion.valid[300:].any()
    assert pool([made_up("a", paired=False)], Weight()).companion is None


def test_both_leads_are_gathered_beat_by_beat(recipe):
    beats = pool([made_up("a")], Weight())
    scaling = fit_scaling(beats.features)
    plan = np.array([[100, 0]])
    both = gather(beats, plan, recipe.segments, 31, scaling, leads=2)
    one = gather(beats, plan, recipe.segments, 31, scaling)
    assert both.window.shape == (1, 2, 31 + recipe.segments.beats, 160)
    for name in ("window", "template", "features", "valid"):
        np.testing.assert_array_equal(getattr(both, name)[:, 0], getattr(one, name))
    np.testing.assert_array_equal(both.valid[0, 1], beats.companion.valid[69:196])
    seen = both.valid[0, 1] > 0
    np.testing.assert_array_equal(
        both.window[0, 1][seen], beats.companion.window[69:196][seen].astype(np.float32)
    )


def test_what_fills_a_missing_companion_is_no_blank(recipe):
    batch = batch_of(recipe, made_up("a", paired=False))
    assert not batch.valid[:, 1].any()
    np.testing.assert_array_equal(batch.window[:, 1], batch.window[:, 0])


def test_a_history_cut_short_is_so_on_both_leads(recipe):
    batch = batch_of(recipe)
    cold = replace(recipe.segments, cold_start_share=1.0)
    after = augment(batch, recipe.augmentation, cold, np.random.default_rng(1))
    assert after.window.shape == batch.window.shape
    assert not np.array_equal(after.window, batch.window)
    first = [np.flatnonzero(lead)[0] if lead.any() else 127 for lead in after.valid.reshape(4, -1)]
    assert max(abs(first[0] - first[1]), abs(first[2] - first[3])) < 4


@pytest.mark.parametrize("late", [False, True])
def test_leads_are_lost_whole_or_from_a_beat_on(recipe, late):
    batch = batch_of(recipe)
    rule = Leads(dropout_share=0.0 if late else 1.0, loss_share=1.0 if late else 0.0)
    lost = set()
    for seed in range(20):
        after = lose_leads(batch, rule, np.random.default_rng(seed))
        for now, before in zip(after.valid, batch.valid, strict=True):
            changed = np.flatnonzero((now != before).any(axis=1))
            lost |= set(changed.tolist())
            assert len(changed) <= 1
            for lead in changed:
                gone = np.flatnonzero(now[lead] != before[lead])
                assert not now[lead, gone[0] :].any()
                assert late or not now[lead].any()
        np.testing.assert_array_equal(after.window, batch.window)
    assert lost == {0, 1}


def test_a_lead_that_is_alone_is_never_taken_away(recipe):
    batch = batch_of(recipe, made_up("a", paired=False))
    after = lose_leads(batch, Leads(1.0, 0.0), np.random.default_rng(0))
    np.testing.assert_array_equal(after.valid, batch.valid)


def test_students_of_one_lead_are_left_alone(recipe):
    beats = pool([made_up("a")], Weight())
    plan = np.array([[100, 0]])
    batch = gather(beats, plan, recipe.segments, 31, fit_scaling(beats.features))
    assert lose_leads(batch, Leads(1.0, 0.0), np.random.default_rng(0)) is batch
    assert keep_leads(batch, (False, True)) is batch


def _student(n_features: int = N_FEATURES):
    import keras

    from model_build.models.student import StudentConfig, build_student

    keras.utils.set_random_seed(5)
    return build_student(
        StudentConfig(n_features=n_features, leads=2, blocks=((8, 2), (8, 2)), stem=4, dropout=0.0)
    )


@pytest.mark.tensorflow
def test_two_leads_stay_within_the_limits():
    from model_build.models.student import StudentConfig, build_student, multiply_adds

    config = StudentConfig(n_features=64, leads=2)
    assert multiply_adds(config) < 1_000_000
    assert build_student(config).n_weights < 64_000
    with pytest.raises(ValueError, match="one lead or two, not 3"):
        StudentConfig(n_features=64, leads=3)


@pytest.mark.tensorflow
def test_the_order_of_the_leads_does_not_matter(recipe):
    batch = batch_of(recipe)
    model = _student().training_model
    said = model([*batch.inputs], training=False)
    swapped = model([array[:, ::-1] for array in batch.inputs], training=False)
    for name in ("logits", "evidence"):
        np.testing.assert_allclose(said[name], swapped[name], atol=1e-5)


@pytest.mark.tensorflow
def test_what_a_lost_lead_shows_does_not_matter(recipe):
    batch = keep_leads(batch_of(recipe), (True, False))
    window = batch.window.copy()
    window[:, 1] = 7.0
    model = _student().training_model
    said = model([*batch.inputs], training=False)
    other = model([*replace(batch, window=window).inputs], training=False)
    np.testing.assert_array_equal(said["logits"], other["logits"])
    np.testing.assert_array_equal(said["evidence"], other["evidence"])


@pytest.mark.tensorflow
def test_deployed_graphs_over_31_beats_equal_the_training_model(recipe):
    batch = batch_of(recipe)
    models = _student()
    config = models.config
    expected = models.training_model([*batch.inputs], training=False)["logits"]
    newest = config.history + 40
    last = slice(newest - config.history + 1, newest + 1)
    rows = np.zeros((1, 2, config.history, config.embedding), np.float32)
    for lead in range(2):
        for row, beat in enumerate(range(last.start, last.stop)):
            out = models.encoder(
                {
                    "window": batch.window[0, lead, beat].reshape(1, 1, -1, 1),
                    "template": batch.template[0, lead, beat].reshape(1, 1, -1, 1),
                    "features": batch.features[0, lead, beat].reshape(1, -1),
                }
            )
            rows[0, lead, row] = out["embedding"][0] * batch.valid[0, lead, beat]
    valid = batch.valid[:1, :, last, None]
    logits = models.context({"history": rows, "valid": valid})["logits"]
    np.testing.assert_allclose(np.asarray(logits)[0], expected[0, 40], atol=2e-5)


@pytest.mark.tensorflow
def test_a_student_learns_from_both_leads_and_does_with_one(recipe, tmp_path):
    from model_build.training.loop import train
    from model_build.training.predict import Predictor

    recipe = replace(recipe, optimizer=replace(recipe.optimizer, epochs=20, learning_rate=1e-2))
    beats = pool([made_up("a", seed=1), made_up("b", seed=2)], Weight())
    scaling = fit_scaling(beats.features)
    student = _student()
    train(student, beats, scaling, recipe, tmp_path / "run.npz")

    def right(target: int, *leads: PreparedBeats) -> float:
        logits = Predictor(student, scaling)(pool(leads, Weight()))
        truth = np.concatenate([one.target for one in leads])
        chosen = (truth == target) & np.concatenate([one.seen for one in leads])
        return float(((1 << logits.argmax(axis=1)) == truth)[chosen].mean())

    both = made_up("a", seed=1)
    first = replace(both, companion=None)
    second = replace(first, **{name: getattr(both.companion, name) for name in LeadBeats.__slots__})
    assert right(2, both) > 0.8
    assert right(4, both) > 0.7  # shown by the second lead only
    assert right(4, second) > 0.7
    assert right(4, first) < 0.4
    assert right(2, first) > 0.7


@pytest.mark.data
def test_a_companion_is_prepared_beside_the_first_lead(data_dir, monkeypatch):
    recording = next(r for r in mitdb.training(data_dir) if r.record == "119")
    view = View("native", piece_s=300.0)
    from model_build import prepare

    genuine = prepare.read_physical
    monkeypatch.setattr(prepare, "read_physical", lambda *a, **k: genuine(*a, **k)[: 360 * 400])
    alone = prepare_recording(recording, view, 1)
    both = prepare_recording(recording, replace(view, companion=1), 1)
    assert alone.companion is None
    for name in ("at", "window", "template", "features", "valid", "target"):
        np.testing.assert_array_equal(getattr(both, name), getattr(alone, name))
    assert len(both.companion.valid) == len(both)
    assert both.companion.valid.mean() > 0.9
    assert not np.array_equal(both.companion.window, both.window)
    noisy = prepare_recording(recording, replace(view, companion=1, companion_snr_db=(0, 0)), 1)
    np.testing.assert_array_equal(noisy.window, alone.window)
    assert noisy.companion.valid.mean() < both.companion.valid.mean()


@pytest.mark.data
def test_a_record_of_one_lead_has_no_companion(data_dir):
    recording = cinc2017.training(data_dir)[0]
    assert prepare_recording(recording, View("native", companion=1), 1).companion is None


@pytest.mark.tensorflow
def test_conditions_are_views_of_the_same_records(recipe):
    from model_build.errors import RecipeError
    from model_build.evaluate.lead_loss import conditions

    found = {
        c.name: (c.view.channel, c.view.companion, c.companion_lost) for c in conditions(recipe)
    }
    assert found == {
        "both leads": (0, 1, False),
        "second lead lost": (0, 1, True),
        "first lead lost": (1, 0, True),
        "second lead at 0 dB": (0, 1, False),
        "first lead at 0 dB": (1, 0, False),
    }
    assert len({c.view.name for c in conditions(recipe)}) == 4
    one_lead = conditions(read_recipe(recipe_path("beats-first")))
    assert [(c.name, c.view.channel) for c in one_lead] == [("first lead", 0), ("second lead", 1)]
    blind = replace(recipe, view=(View("native"),))
    with pytest.raises(RecipeError, match="no companion to lose"):
        conditions(blind)


@pytest.mark.tensorflow
@pytest.mark.data
def test_every_condition_is_scored_out_of_fold(recipe, tmp_path, data_dir, monkeypatch):
    from model_build import crossval, prepare
    from model_build.datasets.splits import fold_of
    from model_build.evaluate import lead_loss

    genuine = prepare.read_physical
    monkeypatch.setattr(prepare, "read_physical", lambda *a, **k: genuine(*a, **k)[: 360 * 400])
    recordings = [r for r in mitdb.training(data_dir) if r.record in ("119", "223")]
    folds = sorted({fold_of(r.subject) for r in recordings})
    recordings.append(cinc2017.training(data_dir)[0])
    trained = []

    def fit(prepared, recipe, *_):
        trained.append({p.key for p in prepared})
        return crossval.Fitted(_student(len(prepared[0].features[0])), None, ())

    plain = recipe.view[:1]
    recipe = replace(recipe, view=plain)
    prepared = list(prepare.prepare(recordings, plain, recipe.seed, tmp_path))
    monkeypatch.setattr(crossval, "fit", fit)
    monkeypatch.setattr(crossval, "Fitted", lambda student, *_: _Fitted(student, prepared))
    results = lead_loss.cross_validate_conditions(
        recordings, prepared, recipe, tmp_path, lambda _: lambda *_: None, folds
    )
    assert {key for keys in trained for key in keys} <= {p.key for p in prepared}
    assert [set(result.matrices) for result in results.values()] == [{"mitdb/119", "mitdb/223"}] * 5
    assert lead_loss.table(results).count("\n") == 6


class _Fitted:
    def __init__(self, student, prepared):
        self.student = student
        self.scaling = fit_scaling(pool(prepared, Weight()).features)
