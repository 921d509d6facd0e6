"""INT8 by two ways: what the device computes is what was trained."""

from dataclasses import replace

import numpy as np
import pytest

from model_build.calibrate import calibration_items, choose_beats
from model_build.recipe import Qat, Quantize, Weight
from model_build.training.beats import pool
from model_build.training.scaling import CLIP
from tests.model_build import tiny_student

# Keras 3.15 saves variables in a way that numpy 2.4 calls deprecated.
pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

RECIPE = tiny_student.recipe(
    quantize=Quantize(bias_correction=True), qat=Qat(epochs=1, learning_rate=1e-3)
)


@pytest.fixture(scope="module")
def items(prepared, fitted):
    listed = choose_beats(prepared, 80, tiny_student.HISTORY, 1)
    rates = dict.fromkeys("ab", 360.0)
    found = calibration_items(prepared, listed, fitted.scaling, tiny_student.HISTORY, rates)
    return list(found)


@pytest.fixture(scope="module")
def converted(fitted, items, tmp_path_factory):
    from model_build.quantize import quantize_student

    student = fitted.student
    return quantize_student(
        student.encoder, student.context, items, tmp_path_factory.mktemp("converted")
    )


def device_scores(graphs, scaling, beats):
    """What a device with these files says of every beat, each piece from a cold start."""
    from edge_runtime.inference.beats import BeatClassifier
    from edge_runtime.inference.bundle import load_bundle_set
    from edge_runtime.signal.history import BeatBlock
    from model_build.export import feature_scaling, graph_manifest

    shipped = load_bundle_set().beats
    manifest = replace(
        shipped.manifest,
        encoder=graph_manifest(graphs.encoder),
        context=graph_manifest(graphs.context),
        history=tiny_student.HISTORY,
        features=feature_scaling(scaling.centre, scaling.scale, CLIP),
        temperature=1.0,
        log_bias=(0.0,) * len(shipped.manifest.classes),
    )
    encoder, context = graphs.encoder.read_bytes(), graphs.context.read_bytes()
    classifier = BeatClassifier(
        replace(shipped, manifest=manifest, encoder=encoder, context=context)
    )
    scores = []
    for rows in (slice(0, beats.starts[1]), slice(beats.starts[1], None)):
        classifier.reset()
        block = BeatBlock(
            beats.at[rows],
            beats.window[rows].astype(np.float32),
            beats.template[rows].astype(np.float32),
            beats.features[rows],
            beats.valid[rows],
            beats.tentative[rows],
            np.ones(len(beats.at[rows]), np.float32),
        )
        scores.append(classifier.classify(block))
    return np.concatenate(scores)


def require_equal(int8, scaling, beats):
    """The simulation, over a whole pool at once, says what the device says beat by beat."""
    from model_build.training.predict import Predictor

    logits = Predictor(int8.student, scaling)(pool([beats], Weight()))[beats.valid]
    expected = device_scores(int8.graphs, scaling, beats)[beats.valid]
    weights = np.exp(logits.astype(float))
    found = weights / weights.sum(axis=1, keepdims=True)
    # Where a float sum falls next to half a step it may be rounded the other way.
    differing = np.abs(found - expected).max(axis=1) > 1e-4
    assert differing.mean() < 0.01
    assert np.mean(found.argmax(axis=1) == expected.argmax(axis=1)) > 0.99
    assert expected.std(axis=0).max() > 0.02


def test_the_simulation_gives_the_converted_files_logits_and_bytes(
    fitted, converted, prepared, tmp_path
):
    from model_build.int8 import Int8Student
    from model_build.simulate import simulate, write_graphs
    from model_build.tflite_file import TfliteFile

    simulated = simulate(fitted.student, converted)
    require_equal(Int8Student(converted, simulated.student), fitted.scaling, prepared[0])
    written = write_graphs(simulated, tmp_path)
    for one, other in ((converted.encoder, written.encoder), (converted.context, written.context)):
        kernels = [
            [file.kernel(o) for o in file.operators("CONV_2D", "FULLY_CONNECTED")]
            for file in (TfliteFile(one.read_bytes()), TfliteFile(other.read_bytes()))
        ]
        for a, b in zip(*kernels, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
        assert abs(other.stat().st_size - one.stat().st_size) < 64


def test_files_of_another_student_are_refused(fitted, converted):
    from model_build.crossval import fresh_student
    from model_build.errors import QuantizeError
    from model_build.simulate import simulate

    stranger = fresh_student(RECIPE, tiny_student.N_FEATURES, seed=99)
    with pytest.raises(QuantizeError, match="weights are not those of"):
        simulate(stranger, converted)


def test_packing_a_file_changes_its_size_and_nothing_else(tmp_path):
    pytest.importorskip("flatbuffers")
    from ai_edge_litert.interpreter import Interpreter

    from edge_runtime.inference.bundle import load_bundle_set
    from model_build.etpu import edge_tpu_problems
    from model_build.tflite_file import TfliteFile

    def run(model):
        interpreter = Interpreter(model_content=model, num_threads=1)
        runner = interpreter.get_signature_runner()
        random = np.random.default_rng(0)
        inputs = {
            role: random.integers(-128, 128, detail["shape"]).astype(np.int8)
            for role, detail in sorted(runner.get_input_details().items())
        }
        return runner(**inputs)

    shipped = load_bundle_set().beats
    for model in (shipped.encoder, shipped.context):
        packed = TfliteFile(model).packed()
        assert len(packed) <= len(model)
        assert TfliteFile(packed).packed() == packed
        assert edge_tpu_problems(packed) == ()
        before, after = run(model), run(packed)
        for role, values in before.items():
            np.testing.assert_array_equal(after[role], values)


def test_bias_correction_brings_the_means_back(fitted, converted, items):
    from model_build.bias_correction import correct_biases
    from model_build.models.wiring import WEIGHTED, chains
    from model_build.simulate import simulate

    simulated = simulate(fitted.student, converted).student
    random = np.random.default_rng(4)
    shifted = {}
    for network, reference in (
        (simulated.beat, fitted.student.beat),
        (simulated.sequence, fitted.student.sequence),
    ):
        for name, chain in chains(reference).items():
            if isinstance(chain.layer, WEIGHTED):
                bias = network.get_layer(name).bias
                shifted[name] = (bias, bias.numpy())
                bias.assign_add(random.normal(0.0, 0.2, bias.shape))
    correct_biases(simulated, fitted.student, items)
    left = [np.abs(bias.numpy() - before).mean() for bias, before in shifted.values()]
    assert np.mean(left) < 0.05
    assert np.mean(left) > 0.0


def test_quantization_aware_training_ends_in_files_that_say_the_same(
    fitted, prepared, items, tmp_path
):
    from model_build.head import HeadFit
    from model_build.int8 import trained_on

    head = HeadFit(1.5, (0.0, -0.3, 0.2, 0.1, -0.1))
    int8 = trained_on(fitted, prepared, items, RECIPE, tmp_path, tiny_student.quiet, head)
    require_equal(int8, fitted.scaling, prepared[1])
    assert (tmp_path / "qat.npz").is_file()


def test_the_loss_sees_logits_as_before_the_head_was_folded(fitted):
    from model_build.head import HeadFit, folded_into_head
    from model_build.int8 import _before_head

    head = HeadFit(1.7, (0.0, -0.4, 0.3, 0.1, -0.1))
    folded = folded_into_head(fitted.student, head)
    random = np.random.default_rng(5)
    config = fitted.student.config
    inputs = [
        random.normal(size=(1, config.segment, size)).astype(np.float32)
        for size in (config.window, config.window, config.n_features)
    ]
    inputs.append(np.ones((1, config.segment), np.float32))
    plain = fitted.student.training_model(inputs, training=False)["logits"]
    scaled = folded.training_model(inputs, training=False)["logits"]
    np.testing.assert_allclose(scaled, plain / 1.7 + np.array(head.log_bias), atol=1e-5)
    bare = _before_head(folded, head).training_model(inputs, training=False)["logits"]
    np.testing.assert_allclose(bare, plain, atol=1e-4)


def test_the_head_fit_finds_what_the_logits_were_distorted_by(tmp_path):
    from model_build.head import HeadFit, fit_head

    random = np.random.default_rng(2)
    true = random.normal(0, 2, (20_000, 4))
    shares = np.exp(true) / np.exp(true).sum(axis=1, keepdims=True)
    drawn = (random.random((len(true), 1)) > np.cumsum(shares, axis=1)).sum(axis=1)
    bias = np.array([0.0, 0.5, -0.5, 1.0])
    target = (1 << drawn.clip(0, 3)).astype(np.uint8)
    target[::50] = 0
    found = fit_head(((true - bias) * 2.0).astype(np.float32), target)
    assert found.temperature == pytest.approx(2.0, rel=0.05)
    np.testing.assert_allclose(found.log_bias, bias, atol=0.1)
    assert HeadFit.load(tmp_path) is None
    found.save(tmp_path)
    assert HeadFit.load(tmp_path) == found
