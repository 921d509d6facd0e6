"""The static Edge TPU check, on the shipped graphs and on graphs made worse."""

import pytest

from edge_runtime.inference.bundle import load_bundle_set

schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
flatbuffers = pytest.importorskip("flatbuffers")
etpu = pytest.importorskip("model_build.etpu")


@pytest.fixture(scope="module")
def bundle():
    return load_bundle_set().beats


def changed(model, change):
    parsed = schema.ModelT.InitFromPackedBuf(model, 0)
    change(parsed, parsed.subgraphs[0])
    builder = flatbuffers.Builder(len(model))
    builder.Finish(parsed.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def first(parsed, graph, name):
    code = getattr(schema.BuiltinOperator, name)
    return next(
        o for o in graph.operators if parsed.operatorCodes[o.opcodeIndex].builtinCode == code
    )


def test_the_shipped_graphs_would_run_whole(bundle):
    assert etpu.edge_tpu_problems(bundle.encoder) == ()
    assert etpu.edge_tpu_problems(bundle.context) == ()


def unequal_dilations(parsed, graph):
    first(parsed, graph, "DEPTHWISE_CONV_2D").builtinOptions.dilationHFactor = 7


def float_activation(parsed, graph):
    graph.tensors[graph.operators[0].outputs[0]].type = schema.TensorType.FLOAT32


def unsupported_operator(parsed, graph):
    code = parsed.operatorCodes[first(parsed, graph, "CONCATENATION").opcodeIndex]
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.GATHER


def fused_activation(parsed, graph):
    first(parsed, graph, "CONCATENATION").builtinOptions.fusedActivationFunction = 1


def batch_of_two(parsed, graph):
    graph.tensors[graph.operators[1].outputs[0]].shape = [2, 1, 31, 33]


def dynamic_size(parsed, graph):
    graph.tensors[graph.inputs[0]].shapeSignature = [-1, 1, 31, 1]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (unequal_dilations, "unequal dilations 7 x 1"),
        (float_activation, "is not 8 bit"),
        (unsupported_operator, "GATHER is not supported"),
        (fused_activation, "CONCATENATION has a fused activation"),
        (batch_of_two, "more than three dimensions above 1"),
        (dynamic_size, "has no constant size"),
    ],
)
def test_each_broken_rule_is_told(bundle, change, problem):
    problems = etpu.edge_tpu_problems(changed(bundle.context, change))
    assert any(problem in told for told in problems), problems


def test_the_command_names_the_file(bundle, tmp_path, capsys):
    good, bad = tmp_path / "good.tflite", tmp_path / "bad.tflite"
    good.write_bytes(bundle.context)
    bad.write_bytes(changed(bundle.context, fused_activation))
    assert etpu.main([str(good)]) == 0
    assert etpu.main([str(bad)]) == 1
    assert "bad.tflite: operator" in capsys.readouterr().out
