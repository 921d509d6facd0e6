"""Embeddings of normal beats, as the float student makes them: what the database probe looks at."""

from collections.abc import Sequence

import numpy as np

from model_build.datasets.recording import Group, Target
from model_build.datasets.splits import fold_of
from model_build.evaluate.probe import ARCHIVES, BEATS_OF_A_RECORD, database_probe
from model_build.models.student import StudentModels
from model_build.training.beats import PreparedBeats
from model_build.training.scaling import Scaling


def probe_student(
    student: StudentModels, scaling: Scaling, prepared: Sequence[PreparedBeats], view: str
) -> dict[str, float | int]:
    """The probe over up to `BEATS_OF_A_RECORD` N beats of each record, evenly spread, one view."""
    network = student.encoder.get_layer("beat")
    rows, second, subjects, folds = [], [], [], []
    for item in prepared:
        archive = item.key.partition("/")[0]
        if item.view != view or item.group != Group.BEATS or archive not in ARCHIVES:
            continue
        normal = np.flatnonzero(item.valid & (item.target == Target.N))
        if not len(normal):
            continue
        n = min(BEATS_OF_A_RECORD, len(normal))
        chosen = normal[np.linspace(0, len(normal) - 1, n).astype(np.int64)]
        size = item.window.shape[1]
        said, _ = network(
            [
                item.window[chosen].astype(np.float32).reshape(n, 1, size, 1),
                item.template[chosen].astype(np.float32).reshape(n, 1, size, 1),
                scaling.apply(item.features[chosen]),
            ],
            training=False,
        )
        rows.append(np.asarray(said, np.float64))
        second += [archive == ARCHIVES[1]] * n
        subjects += [item.subject] * n
        folds += [fold_of(item.subject)] * n
    return database_probe(np.concatenate(rows), np.array(second), subjects, folds)
