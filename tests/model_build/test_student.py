"""The student: three models, one set of weights, and its sizes."""

import numpy as np
import pytest

pytestmark = pytest.mark.tensorflow

N_FEATURES = 40


@pytest.fixture(scope="module")
def models():
    keras = pytest.importorskip("keras")
    from model_build.models.student import StudentConfig, build_student

    keras.utils.set_random_seed(7)
    built = build_student(StudentConfig(n_features=N_FEATURES))
    shake(built, seed=7)
    return built


def shake(models, seed):
    """Give normalization and biases the spread that training would."""
    rng = np.random.default_rng(seed)
    for weight in (*models.encoder.variables, *models.context.variables):
        if weight.name in {"gamma", "moving_variance"}:
            weight.assign(rng.uniform(0.5, 2.0, weight.shape))
        if weight.name in {"beta", "moving_mean", "bias"}:
            weight.assign(rng.normal(0.0, 0.3, weight.shape))


def segments(rng, n, config):
    shape = (n, config.segment, config.window)
    return {
        "window": rng.normal(0, 1, shape).astype(np.float32),
        "template": rng.normal(0, 1, shape).astype(np.float32),
        "features": rng.normal(0, 1, (n, config.segment, N_FEATURES)).astype(np.float32),
        "valid": (rng.uniform(size=(n, config.segment)) > 0.15).astype(np.float32),
    }


def test_sizes_stay_within_the_contract(models):
    from model_build.models.student import multiply_adds

    assert 20_000 < models.n_weights < 40_000
    assert multiply_adds(models.config) < 500_000


def test_deployed_graphs_over_31_beats_equal_the_training_model(models):
    config = models.config
    batch = segments(np.random.default_rng(0), 2, config)
    expected = models.training_model(batch, training=False)
    assert expected["logits"].shape == expected["evidence"].shape == (2, config.outputs, 5)
    for segment in range(2):
        beats = {key: values[segment] for key, values in batch.items()}
        embeddings, evidence = [], []
        for row in range(config.segment):
            out = models.encoder(
                {
                    "window": beats["window"][row].reshape(1, 1, -1, 1),
                    "template": beats["template"][row].reshape(1, 1, -1, 1),
                    "features": beats["features"][row].reshape(1, -1),
                }
            )
            embeddings.append(np.asarray(out["embedding"])[0] * beats["valid"][row])
            evidence.append(np.asarray(out["cam"])[0, 0].mean(axis=0))
        np.testing.assert_allclose(
            np.stack(evidence)[config.history :], expected["evidence"][segment], atol=2e-5
        )
        for output in (0, 1, 47, config.outputs - 1):
            newest = config.history + output
            last = slice(newest - config.history + 1, newest + 1)
            logits = models.context(
                {
                    "history": np.stack(embeddings)[last][None, None],
                    "valid": beats["valid"][last].reshape(1, 1, -1, 1),
                }
            )["logits"]
            np.testing.assert_allclose(
                np.asarray(logits)[0], expected["logits"][segment, output], atol=2e-5
            )


def test_a_beat_31_back_still_counts_and_one_32_back_does_not(models):
    config = models.config
    rng = np.random.default_rng(1)
    batch = segments(rng, 1, config)
    batch["valid"][:] = 1.0
    before = np.asarray(models.training_model(batch, training=False)["logits"])[0]
    changed = {key: values.copy() for key, values in batch.items()}
    changed["features"][0, 40] += 2.0
    after = np.asarray(models.training_model(changed, training=False)["logits"])[0]
    touched = np.abs(after - before).max(axis=1) > 1e-6
    first = 40 - config.history
    assert not touched[:first].any()
    assert touched[first]
    assert touched[first : first + config.history].sum() > 5
    assert not touched[first + config.history :].any()


def test_dilations_that_do_not_cover_the_history_are_refused():
    pytest.importorskip("keras")
    from model_build.models.student import StudentConfig

    with pytest.raises(ValueError, match="see 15 beats, the history holds 31"):
        StudentConfig(n_features=4, dilations=(1, 2, 4))
