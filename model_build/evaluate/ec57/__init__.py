"""An ANSI/AAMI EC57 scorer in plain numpy: beats, runs, rhythm episodes and summaries.

It follows the WFDB tools `bxb`, `rxr`, `epicmp` and `sumstats` to the last digit, because that is
what published figures were made with.
"""

from model_build.evaluate.ec57.beats import (
    BeatMatrix,
    Rates,
    averages,
    compare_beats,
    pair_beats,
    pool,
)
from model_build.evaluate.ec57.classes import ESCAPES_AS_N, ESCAPES_AS_S, ClassTable, class_table

__all__ = [
    "ESCAPES_AS_N",
    "ESCAPES_AS_S",
    "BeatMatrix",
    "ClassTable",
    "Rates",
    "averages",
    "class_table",
    "compare_beats",
    "pair_beats",
    "pool",
]
