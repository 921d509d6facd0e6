"""From Keras models to a bundle set: conversion, manifest, and the same numbers on the device."""

import tomllib
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.inference.beats import BeatClassifier
from edge_runtime.inference.bundle import load_bundle_set
from edge_runtime.inference.excerpt import Excerpt
from edge_runtime.inference.manifest import Training
from edge_runtime.signal.features import FEATURES
from edge_runtime.signal.history import BeatBlock
from edge_runtime.signal.spec import DEFAULT_SPEC_FILE
from model_build.calibration import CalibrationBeat, read_calibration_list, write_calibration_list
from model_build.errors import ExportError, QuantizeError
from model_build.quantize import QuantizedStudent
from model_build.tflite_file import TfliteFile

# Keras 3.15 saves variables in a way that numpy 2.4 calls deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

N_FEATURES = len(FEATURES)


def block(k, seed):
    rng = np.random.default_rng(seed)
    valid = rng.uniform(size=k) > 0.1
    # Smooth, as beats are: white noise would be averaged away by the encoder.
    shape = np.cumsum(rng.normal(0, 0.2, (2, k, 160)), axis=2)
    shape -= shape.mean(axis=2, keepdims=True)
    window, template = np.clip(shape, -2, 2).astype(np.float32)
    features = np.clip(rng.normal(0, 1, (k, N_FEATURES)), -4, 4).astype(np.float32)
    return BeatBlock(
        np.arange(k, dtype=np.int64),
        window * valid[:, None],
        template,
        features,
        valid,
        np.zeros(k, dtype=np.bool_),
        np.ones(k, dtype=np.float32),
    )


def calibration(beats):
    for last in range(31, len(beats.at), 2):
        rows = slice(last - 31, last)
        yield {
            "window": beats.window[rows],
            "template": beats.template[rows],
            "features": beats.features[rows],
            "valid": beats.valid[rows].astype(np.float32) * (np.arange(31) >= last % 25),
        }


@pytest.fixture(scope="module")
def student():
    keras = pytest.importorskip("keras")
    from model_build.models.student import StudentConfig, build_student

    keras.utils.set_random_seed(3)
    models = build_student(StudentConfig(n_features=N_FEATURES))
    rng = np.random.default_rng(3)
    for weight in (*models.encoder.variables, *models.context.variables):
        if weight.name in {"beta", "bias"}:
            weight.assign(rng.normal(0.0, 0.3, weight.shape))
        if weight.name == "moving_variance":
            weight.assign(np.full(weight.shape, 0.1))  # keeps signals alive through the depth
    return models


@pytest.fixture(scope="module")
def graphs(student, tmp_path_factory):
    from model_build.quantize import quantize_student

    out = tmp_path_factory.mktemp("graphs")
    return quantize_student(student.encoder, student.context, calibration(block(200, 1)), out)


def description(**changed):
    from model_build.export import BundleDescription, feature_scaling

    ones = np.ones(N_FEATURES, np.float32)
    values = {
        "version": "9.9.9",
        "features": feature_scaling(ones * 0, ones, 4.0),
        "training": Training(("none",), 'a "quoted" split', "0" * 64, "1" * 64),
        "scores": {"veb_f1": 0.5},
        "thresholds": {"F": 0.7},
    }
    return BundleDescription(**(values | changed))


def source(seed=5):
    from model_build.export import GoldenSource

    counts = np.cumsum(np.random.default_rng(seed).integers(-9, 10, (5000, 1)), axis=0)
    excerpt = Excerpt(
        counts=counts.astype(np.int16),
        rate_hz=Fraction(360),
        counts_per_unit=(200.0,),
        baseline=(1024,),
        leads=("MLII",),
        gaps=np.array([[4000, 77]], np.int64),
        mains_hz=60,
    )
    return GoldenSource(excerpt, block(90, seed))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.tensorflow
def test_the_device_scores_beats_as_the_training_model_does(student, graphs, tmp_path):
    from model_build.export import export_bundle_set

    temperature, bias = 1.7, (0.1, -0.2, 0.0, -0.5, 0.2)
    described = description(temperature=temperature, log_bias=bias)
    written = export_bundle_set(tmp_path / "set", graphs, described, DEFAULT_SPEC_FILE, source())
    manifest = written.beats.manifest
    assert (manifest.thresholds, manifest.training.split) == ({"F": 0.7}, 'a "quoted" split')

    config = student.config
    beats = block(config.segment, seed=8)
    inputs = {
        "window": beats.window[None],
        "template": beats.template[None],
        "features": beats.features[None],
        "valid": beats.valid[None].astype(np.float32),
    }
    logits = np.asarray(student.training_model(inputs, training=False)["logits"])[0]
    weights = np.exp(logits / temperature + np.array(bias))
    expected = weights / weights.sum(axis=1, keepdims=True)
    found = BeatClassifier(written.beats).classify(beats)[config.history :]
    seen = beats.valid[config.history :]
    # The scores must move at all for the comparison to mean anything.
    assert expected[seen].std(axis=0).max() > 0.02
    # Random weights, which no training has made robust to rounding: 0.101 in this draw.
    assert np.abs(found[seen] - expected[seen]).max() < 0.12
    assert np.corrcoef(found[seen].ravel(), expected[seen].ravel())[0, 1] > 0.98


@pytest.mark.tensorflow
def test_exporting_twice_gives_the_same_bytes_and_replaces_the_old_set(graphs, tmp_path):
    from model_build.export import export_bundle_set

    out = tmp_path / "set"
    export_bundle_set(out, graphs, description(version="1"), DEFAULT_SPEC_FILE, source(6))
    first = export_bundle_set(out, graphs, description(), DEFAULT_SPEC_FILE, source())
    before = contents(out)
    again = export_bundle_set(out, graphs, description(), DEFAULT_SPEC_FILE, source())
    assert contents(out) == before
    assert again.fingerprint == first.fingerprint == load_bundle_set(out).fingerprint
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


@pytest.mark.tensorflow
def test_too_few_golden_beats_leave_nothing_behind(graphs, tmp_path):
    from dataclasses import replace

    from model_build.export import export_bundle_set

    few = replace(source(), beats=block(20, 0))
    with pytest.raises(ExportError, match="golden vectors take 64 valid beats"):
        export_bundle_set(tmp_path / "set", graphs, description(), DEFAULT_SPEC_FILE, few)
    assert not list(tmp_path.iterdir())


@pytest.mark.tensorflow
@pytest.mark.slow
def test_quantizing_twice_gives_the_same_bytes(student, graphs, tmp_path):
    from model_build.quantize import quantize_student

    again = quantize_student(student.encoder, student.context, calibration(block(200, 1)), tmp_path)
    for one, other in ((graphs.encoder, again.encoder), (graphs.context, again.context)):
        assert one.read_bytes() == other.read_bytes()


def test_graphs_that_are_too_large_are_refused(tmp_path):
    pytest.importorskip("ai_edge_litert")
    from model_build.export import export_bundle_set

    for name in ("encoder", "context"):
        (tmp_path / name).write_bytes(bytes(60_000))
    graphs = QuantizedStudent(tmp_path / "encoder", tmp_path / "context")
    with pytest.raises(ExportError, match="120000 bytes together, allowed are 65536"):
        export_bundle_set(tmp_path / "set", graphs, description(), DEFAULT_SPEC_FILE, source())


def test_a_graph_the_edge_tpu_would_not_take_is_refused(tmp_path):
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    flatbuffers = pytest.importorskip("flatbuffers")
    from model_build.export import export_bundle_set

    shipped = load_bundle_set().beats
    parsed = schema.ModelT.InitFromPackedBuf(shipped.context, 0)
    parsed.subgraphs[0].tensors[parsed.subgraphs[0].operators[0].outputs[0]].shape = [2, 1, 31, 33]
    builder = flatbuffers.Builder(0)
    builder.Finish(parsed.Pack(builder), b"TFL3")
    # Packed without the names, so that both fit.
    (tmp_path / "encoder").write_bytes(TfliteFile(shipped.encoder).packed())
    (tmp_path / "context").write_bytes(TfliteFile(bytes(builder.Output())).packed())
    graphs = QuantizedStudent(tmp_path / "encoder", tmp_path / "context")
    with pytest.raises(ExportError, match="context would not run whole on an Edge TPU: tensor"):
        export_bundle_set(tmp_path / "set", graphs, description(), DEFAULT_SPEC_FILE, source())


def test_no_calibration_beats_are_refused(tmp_path):
    from model_build.quantize import quantize_student

    with pytest.raises(QuantizeError, match="gave no beats"):
        quantize_student(None, None, [], tmp_path)


def test_the_converters_own_words_reach_the_caller(tmp_path, monkeypatch):
    from model_build import quantize

    class Unsaveable:
        def save(self, path):
            path.write_text("no model")

    monkeypatch.setattr(quantize.sys, "executable", "/bin/false")
    with pytest.raises(QuantizeError, match="ended with status 1"):
        quantize.quantize_student(Unsaveable(), Unsaveable(), calibration(block(40, 0)), tmp_path)


def test_tables_come_back_from_toml():
    pytest.importorskip("ai_edge_litert")
    from model_build.export import to_toml

    table = {
        "name": 'a "b" \\ c\nd',
        "flag": True,
        "numbers": [1, 2.5, -1e-07],
        "empty": [],
        "graph": {"file": "x", "inputs": [{"role": "a", "shape": [1]}, {"role": "b", "shape": []}]},
        "files": {"beats/manifest.toml": "abc", "plain-key": "d"},
    }
    assert tomllib.loads(to_toml(table)) == table


def test_a_calibration_list_is_read_as_written(tmp_path):
    path = tmp_path / "list.txt"
    beats = [CalibrationBeat("svdb/800", 99), CalibrationBeat("mitdb/101", 7)]
    write_calibration_list(path, [*beats, beats[0]], "How they were chosen.\nTwo lines.")
    assert read_calibration_list(path) == tuple(sorted(beats))


@pytest.mark.parametrize("text", ["mitdb/101", "mitdb/101 -4", "mitdb/101 4 5"])
def test_a_wrong_calibration_line_is_named(tmp_path, text):
    path = tmp_path / "list.txt"
    path.write_text(f"# fine\n{text}\n")
    with pytest.raises(QuantizeError, match=r"list\.txt:2"):
        read_calibration_list(path)


def test_a_calibration_list_that_is_not_there_is_named(tmp_path):
    with pytest.raises(QuantizeError, match="draw-calibration"):
        read_calibration_list(tmp_path / "none.txt")


def test_an_empty_calibration_list_is_refused(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("# nothing\n")
    with pytest.raises(QuantizeError, match="lists no beats"):
        read_calibration_list(path)
