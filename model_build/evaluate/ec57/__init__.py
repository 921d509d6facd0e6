"""An ANSI/AAMI EC57 scorer in plain numpy: beats, runs, rhythm episodes and summaries.

It follows the WFDB tools `bxb`, `rxr`, `epicmp` and `sumstats` to the last digit, because that is
what published figures were made with. `formats` and `summary` hold their text reports.
"""

from model_build.evaluate.ec57.beats import (
    BeatMatrix,
    averages,
    compare_beats,
    pair_beats,
    pool,
)
from model_build.evaluate.ec57.classes import (
    ESCAPES_AS_N,
    ESCAPES_AS_S,
    ClassTable,
    Escapes,
    class_table,
)
from model_build.evaluate.ec57.episodes import EpisodeRules, EpisodeScore, compare_episodes
from model_build.evaluate.ec57.matching import Pairing
from model_build.evaluate.ec57.rates import EventRates, Rates
from model_build.evaluate.ec57.runs import RunMatrix, compare_runs

__all__ = [
    "ESCAPES_AS_N",
    "ESCAPES_AS_S",
    "BeatMatrix",
    "ClassTable",
    "EpisodeRules",
    "EpisodeScore",
    "Escapes",
    "EventRates",
    "Pairing",
    "Rates",
    "RunMatrix",
    "averages",
    "class_table",
    "compare_beats",
    "compare_episodes",
    "compare_runs",
    "pair_beats",
    "pool",
]
