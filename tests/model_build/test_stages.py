"""The table of stages: from left-out beats only, pooled over folds."""

from dataclasses import replace

import numpy as np
import pytest

from model_build.calibrate import choose_beats
from model_build.datasets.recording import CLASSES
from model_build.recipe import Prune, Qat, Quantize
from tests.model_build import tiny_student

# Keras 3.15 saves variables in a way that numpy 2.4 calls deprecated.
pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

RECIPE = tiny_student.recipe(
    prune=Prune(share=0.3, steps=1, epochs=1),
    quantize=Quantize(bias_correction=True),
    qat=Qat(epochs=1, learning_rate=1e-3),
)


def stage(name, form, size, score, key="mitdb/101"):
    from model_build.stages import StageOfFold

    counts = np.zeros((7, 7), int)
    counts[0, 0], counts[1, 1], counts[2, 2] = 1000, score, score
    counts[1, 0] = counts[2, 0] = 100 - score
    return StageOfFold(name, form, size, 1000, 20.0, {key: counts.tolist()}, 1000, 5)


def test_folds_are_pooled_and_drawn_from_what_was_measured(tmp_path):
    pytest.importorskip("matplotlib")
    from model_build.evaluate.stage_report import Measured, pareto, write
    from model_build.stages import load_fold, over_folds, save_fold

    folds = [
        [stage("trained", "float32", 90_000, 80, key), stage("PTQ", "int8", 40_000, 78, key)]
        for key in ("mitdb/101", "svdb/800")
    ]
    for number, one in enumerate(folds):
        save_fold(tmp_path / f"{number}.json", one)
    loaded = [load_fold(tmp_path / f"{number}.json") for number in range(2)]
    trained, ptq = over_folds(loaded)
    assert trained.veb_f1 == pytest.approx(2 * 80 / (2 * 80 + 20))
    assert (trained.bytes, ptq.bytes, ptq.false_s_per_1000) == (90_000, 40_000, 5.0)
    assert [s.stage for s in pareto([trained, ptq])] == ["PTQ", "trained"]
    assert pareto([trained, ptq, trained]) == pareto([trained, ptq])
    measured = Measured("r", "d" * 64, (0, 1), "litert 1")
    written = write(tmp_path / "stages", measured, [trained, ptq])
    before = [path.read_bytes() for path in written]
    assert before == [p.read_bytes() for p in write(tmp_path / "stages", measured, [trained, ptq])]
    loss = 100 * (trained.macro_f1 - ptq.macro_f1)
    assert f"| PTQ | int8 | 40,000 | 1,000 | 20.0 | {100 * ptq.macro_f1:.2f} | {loss:.2f} |" in (
        written[1].read_text()
    )


@pytest.mark.slow
@pytest.mark.timeout(900)  # five conversions, each in a process of its own
def test_a_fold_is_measured_through_every_stage(prepared, tmp_path, monkeypatch):
    """The stages themselves are tested above; here, that each is scored on left-out beats only."""
    pytest.importorskip("keras")
    from model_build import stages
    from model_build.evaluate.fibrillation import AfErrors
    from model_build.evaluate.out_of_fold import CrossValidation

    scored = []

    def score_logits(recordings, outside, said, recipe):
        scored.append(([p.key for p in outside], said.shape))

    monkeypatch.setattr(stages, "score_logits", score_logits)
    monkeypatch.setattr(stages, "join", lambda _: CrossValidation({}, AfErrors(10, 1)))
    monkeypatch.setattr(stages, "fold_of", {"a": 0, "b": 1}.get)
    monkeypatch.setattr(stages, "_CALLS", 5)
    listed = choose_beats(prepared, 60, tiny_student.HISTORY, 1)
    inputs = stages.FoldInputs((), prepared, listed, dict.fromkeys("ab", 360.0))
    short = replace(RECIPE, optimizer=replace(RECIPE.optimizer, epochs=1))
    found = stages.stages_of_fold(inputs, short, 1, tmp_path, lambda _: tiny_student.quiet)
    assert [s.stage for s in found] == [
        "trained", "pruned", "PTQ", "PTQ, biases corrected", "QAT",
    ]  # fmt: skip
    assert scored == [(["b"], (len(prepared[1]), len(CLASSES)))] * 5
    assert found[1].macs < found[0].macs
    assert found[1].bytes < found[0].bytes
    assert len({s.bytes for s in found[2:]}) <= 3
    assert all(s.latency_us > 0 for s in found)
