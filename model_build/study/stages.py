"""What a cell trains and scores, by name.

A stage is `function(trial) -> FoldScores` (`model_build.study.trial`): it trains on what is not in
the fold, keeps what it can go on from at the trial's checkpoint and beside it, and scores the fold
(`model_build.crossval.score_logits` does that for the logits of any model).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from model_build.study.results import IN_SET

STAGES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "student": "model_build.study.student:run",
        IN_SET: "model_build.study.student:run_in_set",
        "student-second-lead": "model_build.study.student:run_second_lead",
    }
)
"""Module and function of each stage. What a module trains is the same in all its stages."""
