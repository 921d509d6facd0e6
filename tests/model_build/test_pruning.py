"""Fewer channels: the right ones, everywhere, and a student that is one like any other."""

from dataclasses import replace

import numpy as np
import pytest

from model_build.datasets.recording import CLASSES
from model_build.recipe import Cleaning, Distil, Prune
from tests.model_build import tiny_student

# Keras 3.15 saves variables in a way that numpy 2.4 calls deprecated.
pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

RECIPE = tiny_student.recipe(prune=Prune(share=0.3, steps=2, epochs=1))


def test_channels_that_do_nothing_go_without_a_trace(fitted):
    from model_build.channels import gates, narrowed, widths
    from model_build.crossval import fresh_student
    from model_build.models.wiring import chains

    student = fresh_student(RECIPE, tiny_student.N_FEATURES, seed=5)
    student.training_model.set_weights(fitted.student.training_model.get_weights())
    kept = {group: np.arange(n)[1:] for group, n in widths(student.config).items()}
    silent = gates(student.config)
    for network in (student.beat, student.sequence):
        for chain in chains(network).values():
            if chain.end.name in silent and chain.norm is not None:
                # Scale 0 and a shift below 0: the activation is zero whatever comes in.
                gamma, beta, *rest = chain.norm.get_weights()
                gamma[0], beta[0] = 0.0, -1.0
                chain.norm.set_weights([gamma, beta, *rest])
    entry = student.sequence.get_layer("context_in_norm")
    gamma, beta, *rest = entry.get_weights()
    gamma[0], beta[0] = 0.0, -1.0
    entry.set_weights([gamma, beta, *rest])
    for dilation in student.config.dilations:
        norm = student.sequence.get_layer(f"context{dilation}_point_norm")
        gamma, beta, *rest = norm.get_weights()
        gamma[0], beta[0] = 0.0, -1.0
        norm.set_weights([gamma, beta, *rest])
    narrow = narrowed(student, kept)
    assert narrow.n_weights < student.n_weights
    before, after = tiny_student.outputs(student), tiny_student.outputs(narrow)
    for name in ("logits", "evidence"):  # the embedding has lost its silent channels
        np.testing.assert_allclose(after[name], before[name], atol=1e-5)


def test_the_payload_is_what_the_student_weighs(fitted):
    from model_build.channels import payload_bytes, widths, wiring
    from model_build.models.wiring import WEIGHTED, chains

    student = fitted.student
    parts = {**chains(student.beat), **chains(student.sequence)}
    weighted = {name: c for name, c in parts.items() if isinstance(c.layer, WEIGHTED)}
    assert {w.layer for w in wiring(student.config)} == set(weighted)
    kernels = sum(int(np.prod(c.layer.kernel.shape)) for c in weighted.values())
    channels = sum(int(c.end.output.shape[-1]) for c in weighted.values())
    assert payload_bytes(student.config) == kernels + 12 * channels
    assert set(widths(student.config)) == {w.columns for w in wiring(student.config)} - {None}


def test_pruning_keeps_what_the_loss_depends_on(fitted):
    from model_build.channels import payload_bytes, widths
    from model_build.prune import chosen_channels

    config = fitted.student.config
    worth = {group: np.linspace(0, 1, n) for group, n in widths(config).items()}
    worth["stem"][:] = 1e6
    kept = chosen_channels(config, worth, 0.8 * payload_bytes(config))
    assert len(kept["stem"]) == config.stem
    for group, channels in kept.items():
        if group != "stem":
            n = widths(config)[group]
            assert list(channels) == list(range(n))[n - len(channels) :]
    assert payload_bytes(config, {g: len(c) for g, c in kept.items()}) <= 0.8 * payload_bytes(
        config
    )


def test_a_pruned_student_still_hears_its_teachers(fitted, prepared, tmp_path):
    from model_build.prune import prune
    from model_build.teacher.predict import Opinion

    named = [replace(p, subject=f"mitdb/{n}") for p, n in zip(prepared, (101, 106), strict=True)]
    recipe = replace(
        RECIPE,
        distil=Distil("teacher", feature_weight=0.3),
        cleaning=Cleaning("teacher", min_probability=0.5, sources=("a",)),
    )
    losses = []
    for said in (0, len(CLASSES) - 1):
        share = np.full((len(named[0]), len(CLASSES)), 1e-3, np.float32)
        share[:, said] = 1.0
        opinion = Opinion(np.log(share), np.ones((len(share), 3), np.float16))
        advice = {"teacher": {(p.key, p.view): opinion for p in named}}
        _, steps = prune(
            fitted, named, recipe, RECIPE.prune, tmp_path / str(said), tiny_student.quiet, advice
        )
        losses.append(steps[0].losses)
    assert losses[0] < losses[1]


def test_a_pruned_student_is_smaller_trained_on_and_kept_on_disk(fitted, prepared, tmp_path):
    from model_build.channels import payload_bytes
    from model_build.prune import prune
    from model_build.student_files import TrainedOn, load_student, save_student

    pruned, steps = prune(fitted, prepared, RECIPE, RECIPE.prune, tmp_path, tiny_student.quiet)
    config = pruned.student.config
    assert payload_bytes(config) <= 0.7 * payload_bytes(fitted.student.config)
    assert [len(step.losses) for step in steps] == [1, 1]
    assert steps[-1].payload == payload_bytes(config)
    save_student(tmp_path, pruned.student, pruned.scaling, TrainedOn(("a",), "c", 1))
    loaded = load_student(tmp_path, RECIPE)
    assert loaded.student.config == config
    for name, values in tiny_student.outputs(pruned.student).items():
        np.testing.assert_array_equal(tiny_student.outputs(loaded.student)[name], values)
