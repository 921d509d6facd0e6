"""Beats as a set labels them: no S while the rhythm model says AF, by what it knew then."""

from pathlib import Path

import numpy as np
import pytest

from edge_runtime.inference.rhythm_manifest import Smoothing
from edge_runtime.rules.beat_label import LabelPolicy
from model_build.datasets.recording import CLASSES
from model_build.errors import RecipeError
from model_build.evaluate.labels import device_labels
from model_build.rhythm.recordings import CLASSES as RHYTHMS

pytestmark = pytest.mark.tensorflow


def test_no_beat_is_s_while_the_heart_fibrillates() -> None:
    s, n = CLASSES.index("S"), CLASSES.index("N")
    logits = np.zeros((4, len(CLASSES)), np.float32)
    logits[:, s], logits[:, n] = 4, 2
    logits[3, CLASSES.index("V")] = 9
    policy, alike = LabelPolicy(CLASSES, {}), np.ones(4, bool)
    in_af = np.array([False, True, True, True])
    assert device_labels(policy, logits, alike, ~alike) == ["S", "S", "S", "V"]
    assert device_labels(policy, logits, alike, ~alike, in_af) == ["S", "N", "N", "V"]


def test_a_beat_is_judged_by_the_hops_before_it() -> None:
    from model_build.rhythm.beside import Heard

    heard = Heard(np.array([10.0, 11.0, 12.0]), np.array([0.1, 0.95, 0.2]))
    seconds = np.array([0.0, 9.99, 10.0, 11.5, 12.0, 99.0])
    assert heard.at(seconds).tolist() == [0.0, 0.0, 0.1, 0.95, 0.2, 0.2]


def test_chances_grow_as_the_engine_s_do() -> None:
    from model_build.rhythm.beside import chances

    said = np.full((60, len(RHYTHMS)), 0.05)
    said[:, RHYTHMS.index("AFIB")] = 0.8
    found = chances(said, Smoothing(15, 0.999, 0.2, (1.0,) * len(RHYTHMS), 0.9))
    assert (np.diff(found) >= -1e-12).all()
    assert found[0] < 0.5
    assert found[-1] > 0.9


def test_without_out_of_fold_rhythms_it_says_what_to_do_first(tmp_path: Path) -> None:
    from model_build.rhythm.beside import rhythm_beside

    with pytest.raises(RecipeError, match="model-build all --recipe rhythm"):
        rhythm_beside(tmp_path, tmp_path)
