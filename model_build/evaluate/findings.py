"""What an evaluation found, before it is worded or drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from model_build.evaluate.beats import Scores, pooled
from model_build.evaluate.fibrillation import AfErrors
from model_build.evaluate.noise_levels import NoiseLevel
from model_build.evaluate.out_of_fold import OutOfFold
from model_build.evaluate.reliability import Reliability

RICHEST_S: Final = "mitdb/232"
"""Three quarters of the test half's S are of this record, so SVEB stands without it as well."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What was scored, on what: words for the report's head."""

    title: str
    date: str
    recipe: str
    recipe_digest: str
    bundle_set: str
    bundle_bytes: int
    runtime: str
    mains_hz: int
    seen_in_training: bool
    trained_on: Sequence[str] = ()
    credits: Sequence[str] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """Everything measured. What was not measured is None or empty, and is not written.

    `int8` and `real` (the float student) are by record, as are the errors in AF episodes. `alone`
    is INT8 as `real` is scored, without a rhythm model that has its say in the set. `noise` is of
    the same records, `stress` of nstdb's, with a model that knows neither of its patients; `probe`
    is what `database_probe` gave. Out-of-fold results are those of the recipe.
    """

    subject: Subject
    int8: Mapping[str, Scores]
    real: Mapping[str, Scores] = field(default_factory=dict)
    alone: Mapping[str, Scores] = field(default_factory=dict)
    reliability: Reliability | None = None
    af: Mapping[str, AfErrors] = field(default_factory=dict)
    noise: Sequence[NoiseLevel] = ()
    stress: Sequence[NoiseLevel] = ()
    out_of_fold: OutOfFold | None = None
    probe: Mapping[str, Any] | None = None

    @property
    def total(self) -> Scores:
        """All records of `int8` pooled."""
        return pooled(self.int8)

    @property
    def without_232(self) -> Scores | None:
        """The same without record 232, None where it is not there or is all there is."""
        if RICHEST_S not in self.int8 or len(self.int8) == 1:
            return None
        return pooled(self.int8, [RICHEST_S])

    @property
    def af_total(self) -> AfErrors:
        """Errors in all AF episodes."""
        return sum(self.af.values(), AfErrors(0, 0))

    def as_json(self) -> dict[str, Any]:
        """Ready for `json`."""
        subject = self.subject
        report: dict[str, Any] = {
            "title": subject.title,
            "date": subject.date,
            "recipe": subject.recipe,
            "recipe_sha256": subject.recipe_digest,
            "bundle_set": subject.bundle_set,
            "bundle_bytes": subject.bundle_bytes,
            "runtime": subject.runtime,
            "mains_hz": subject.mains_hz,
            "seen_in_training": subject.seen_in_training,
            "trained_on": list(subject.trained_on),
            "int8": self.total.as_json(),
            "records": {key: scores.main.as_json() for key, scores in self.int8.items()},
        }
        without = self.without_232
        if without is not None:
            report["int8_without_232"] = without.main.as_json()
        if self.real:
            report["float"] = pooled(self.real).as_json()
        if self.alone:
            report["int8_without_rhythm"] = pooled(self.alone).as_json()
        if self.reliability is not None:
            report["calibration"] = self.reliability.as_json()
        if self.af:
            af = self.af_total
            report["af"] = {"beats": af.beats, "false_s_per_1000": af.per_thousand}
        if self.noise:
            report["noise"] = [level.as_json() for level in self.noise]
        if self.stress:
            report["nstdb"] = [level.as_json() for level in self.stress]
        if self.out_of_fold is not None:
            report["out_of_fold"] = self.out_of_fold.as_json()
        if self.probe is not None:
            report["database_probe"] = dict(self.probe)
        return report
