"""The adapter: rounding, saturation, roles, and which runtime is taken."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.errors import BundleError, InterpreterError
from edge_runtime.inference import interpreter
from edge_runtime.inference.interpreter import (
    Graph,
    Kernels,
    Quantization,
    Runtime,
    TensorSpec,
    find_runtime,
)

DESCRIPTORS = Path("/proc/self/fd")


def steps(quantization, *values):
    return quantization.to_int8(np.array(values, np.float32)).tolist()


def test_values_beyond_the_range_saturate_and_never_wrap():
    one = Quantization(scale=1.0, zero_point=0)
    assert steps(one, 130.7, -130.7, 1e30, -1e30, np.inf, -np.inf) == [127, -128] * 3


def test_values_are_rounded_not_cut():
    one = Quantization(scale=1.0, zero_point=0)
    assert steps(one, 0.6, -0.6, 1.4, 2.5, 3.5) == [1, -1, 1, 2, 4]


def test_scale_and_zero_point_are_used():
    quantization = Quantization(scale=0.5, zero_point=-10)
    assert steps(quantization, 0.0, 1.0, -1.0) == [-10, -8, -12]
    back = quantization.to_real(np.array([-10, -8, 127], np.int8))
    assert back.tolist() == [0.0, 1.0, 68.5]


def test_a_missing_number_gives_the_lowest_step_on_every_platform():
    assert steps(Quantization(scale=1.0, zero_point=5), np.nan) == [-128]


@given(
    scale=st.floats(1e-4, 10.0),
    zero_point=st.integers(-128, 127),
    value=st.floats(-1e6, 1e6, width=32),
)
def test_quantizing_is_within_half_a_step_or_at_the_end(scale, zero_point, value):
    quantization = Quantization(scale, zero_point)
    (step,) = steps(quantization, value)
    exact = value / scale + zero_point
    assert abs(step - min(max(exact, -128), 127)) <= 0.5 + 1e-4 * max(1.0, abs(exact)) ** 0.5


@given(st.integers(-128, 127), st.floats(0.01, 0.1), st.integers(-128, 0))
def test_a_table_moves_a_step_to_the_same_number_in_another_scale(step, scale, zero_point):
    one, other = Quantization(0.02, -128), Quantization(scale, zero_point)
    real = one.to_real(np.array([step], np.int8))
    assert one.table_to(other)[step + 128] == other.to_int8(real)[0]


def test_tensors_are_found_by_name_whatever_their_order(shipped):
    graph = shipped.beats.open_encoder()
    manifest = shipped.beats.manifest.encoder
    turned = Graph(shipped.beats.encoder, manifest.inputs[::-1], manifest.outputs[::-1], "turned")
    rng = np.random.default_rng(3)
    values = {
        role: rng.integers(-128, 128, (5, *graph.shape(role)), dtype=np.int8)
        for role in ("window", "template", "features")
    }
    for role in ("embedding", "cam"):
        found = np.empty((2, 5, *graph.shape(role)), np.int8)
        graph.run(values, role, found[0])
        turned.run(values, role, found[1])
        np.testing.assert_array_equal(*found)


def test_both_outputs_of_one_run_are_those_of_two(shipped):
    graph = shipped.beats.open_encoder()
    rng = np.random.default_rng(4)
    values = {
        role: rng.integers(-128, 128, (3, *graph.shape(role)), dtype=np.int8)
        for role in ("window", "template", "features")
    }
    roles = ("embedding", "cam")
    both = {role: np.empty((3, *graph.shape(role)), np.int8) for role in roles}
    graph.run_all(values, both)
    assert len({row.tobytes() for row in both["embedding"]}) == 3
    for role in roles:
        alone = np.empty_like(both[role])
        graph.run(values, role, alone)
        np.testing.assert_array_equal(alone, both[role])


def test_a_graph_that_is_none_is_refused(shipped):
    with pytest.raises(BundleError, match=r"bad.tflite: .* refuses the graph"):
        Graph(b"TFL3 no graph", (), (), "bad.tflite")


def test_a_tensor_the_graph_does_not_have_is_refused(shipped):
    inputs = shipped.beats.manifest.encoder.inputs
    wrong = (TensorSpec("window", "nothing:0", (1, 1, 160, 1)), *inputs[1:])
    with pytest.raises(BundleError, match=r"the manifest names .*nothing:0"):
        Graph(shipped.beats.encoder, wrong, shipped.beats.manifest.encoder.outputs, "encoder")


def test_a_wrong_shape_is_refused(shipped):
    manifest = shipped.beats.manifest.encoder
    wrong = tuple(TensorSpec(t.role, t.name, (1, 7)) for t in manifest.inputs)
    with pytest.raises(BundleError, match=r"the manifest says int8 \(1, 7\)"):
        Graph(shipped.beats.encoder, wrong, manifest.outputs, "encoder")


def test_the_newer_runtime_is_taken_where_it_is_installed():
    pytest.importorskip("ai_edge_litert")
    assert find_runtime().name == "ai-edge-litert"


@pytest.mark.parametrize(
    ("name", "version", "kernels"),
    [
        ("ai-edge-litert", "1.2.0", Kernels.LITERT_1),
        ("ai-edge-litert", "2.0.3", Kernels.LITERT_1),
        ("ai-edge-litert", "2.1.6", Kernels.LITERT_2),
        ("ai-edge-litert", "unknown", Kernels.LITERT_2),
        ("tflite-runtime", "2.14.0", Kernels.TFLITE),
    ],
)
def test_the_version_tells_the_arithmetic(name, version, kernels):
    assert interpreter._kernels(name, version) is kernels


def test_only_the_same_arithmetic_is_held_to_the_bit():
    def steps(mine, golden):
        return Runtime("x", "1", mine, object, object).tolerance_lsb(golden)

    assert steps(Kernels.LITERT_1, Kernels.LITERT_1) == 0
    assert steps(Kernels.LITERT_2, Kernels.LITERT_1) == 1
    assert steps(Kernels.TFLITE, Kernels.LITERT_1) == 5


def absent(monkeypatch, *packages):
    for name in packages:
        monkeypatch.setitem(sys.modules, name, None)
        monkeypatch.setitem(sys.modules, f"{name}.interpreter", None)


def test_without_a_runtime_the_error_names_the_extra(monkeypatch):
    absent(monkeypatch, "ai_edge_litert", "tflite_runtime")
    with pytest.raises(InterpreterError, match=r"pip install 'ecg-edge\[litert\]'"):
        find_runtime()


def test_the_older_runtime_under_numpy_2_is_refused_before_it_fails(monkeypatch):
    absent(monkeypatch, "ai_edge_litert")
    monkeypatch.setitem(sys.modules, "tflite_runtime", type(sys)("tflite_runtime"))
    older = type(sys)("tflite_runtime.interpreter")
    older.Interpreter = older.load_delegate = object
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", older)
    monkeypatch.setattr(interpreter.np, "__version__", "2.4.6")
    with pytest.raises(InterpreterError, match=r"tflite-runtime needs numpy 1, numpy 2.4.6"):
        find_runtime()
    monkeypatch.setattr(interpreter.np, "__version__", "1.26.4")
    assert find_runtime().kernels is Kernels.TFLITE


_BUILD = (
    "import os, sys; sys.argv[1:] and os.close(2); "
    "from edge_runtime.inference.bundle import load_bundle_set; "
    "load_bundle_set().beats.open_encoder(); "
    "sys.argv[1:] or sys.stderr.write('heard')"
)


@pytest.mark.parametrize(("arguments", "expected"), [([], "heard"), (["closed"], "")])
def test_the_runtime_writes_nothing_on_the_screen(arguments, expected):
    done = subprocess.run(
        [sys.executable, "-c", _BUILD, *arguments],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, expected)


@pytest.mark.skipif(not DESCRIPTORS.is_dir(), reason="Linux lists a process's descriptors there")
def test_descriptors_are_given_back_where_a_graph_is_refused():
    before = len(list(DESCRIPTORS.iterdir()))
    with pytest.raises(BundleError):
        Graph(b"no graph", (), (), "nonsense")
    assert len(list(DESCRIPTORS.iterdir())) == before
