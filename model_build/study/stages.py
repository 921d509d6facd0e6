"""What a cell trains and scores, by name.

A stage is `function(recordings, prepared, recipe, fold, checkpoint, report) -> FoldScores` (see
`model_build.crossval.score_fold`): it trains on what is not in the fold, keeps what it can go on
from at `checkpoint` and beside it, and scores the fold. The recipe has the cell's seed and a digest
of its own.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

STAGES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "student": "model_build.crossval:score_fold",
    }
)
"""Module and function of each stage."""
