"""Delineation of subjects left out: five folds over ludb and qtdb, by the INT8 graph of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from firmware_bridge.records import read_header
from model_build.datasets.leads import Lead
from model_build.delineation.corpus import MarkedBeats, leads_of, waves_of_lead
from model_build.delineation.scoring import Tallies, better_of, pool, score_lead

FOLDS: Final = 5
SCORED: Final = ("ludb", "qtdb")
CONSECUTIVE: Final = {"ludb": True, "qtdb": False}
"""Whether every wave between the first and the last mark of a lead is marked."""


def fold_of(who: str) -> int:
    """Fold of a subject of ludb or qtdb, by the digits of its name, so that it never changes."""
    return int("".join(letter for letter in who if letter.isdigit())) % FOLDS


def of_fold(beats: MarkedBeats, fold: int) -> NDArray[np.bool_]:
    """Which beats (n,) are of subjects that `fold` leaves out; those of mitdb never are."""
    out = [
        key.split("/")[0] in SCORED and fold_of(who) == fold
        for key, who in zip(beats.keys, beats.subjects, strict=True)
    ]
    return np.array(out)[beats.lead]


def leads_by_key(directory: Path) -> dict[str, Lead]:
    """Every scored lead."""
    return {lead.key: lead for name in SCORED for lead in leads_of(directory, name)}


def score(
    beats: MarkedBeats, seconds: NDArray[np.float64], leads: Mapping[str, Lead]
) -> dict[str, Tallies]:
    """Places `seconds` (n, 9) from R of `beats` against the marks of their leads, by lead."""
    out = {}
    for number in np.unique(beats.lead).tolist():
        lead = leads[beats.keys[number]]
        rows = beats.lead == number
        fs = Fraction(read_header(lead.path).fs_fraction)
        said = beats.at[rows, None] + seconds[rows] * float(fs)
        consecutive = CONSECUTIVE[lead.database]
        out[lead.key] = score_lead(said, waves_of_lead(lead), fs, consecutive=consecutive)
    return out


@dataclass(frozen=True, slots=True)
class Summary:
    """What is reported of scored leads: pooled tallies by name of the table."""

    tables: Mapping[str, Tallies]

    @classmethod
    def of(cls, by_lead: Mapping[str, Tallies]) -> "Summary":
        """`by_lead`: tallies by "database/record:channel"."""
        records: dict[str, list[Tallies]] = {}
        for key in by_lead:
            records.setdefault(key.partition(":")[0], []).append(by_lead[key])
        ludb = [t for key, leads in records.items() if key.startswith("ludb/") for t in leads]
        qtdb = [leads for key, leads in records.items() if key.startswith("qtdb/")]
        return cls(
            {
                "ludb": pool(ludb),
                "qtdb": pool([lead for leads in qtdb for lead in leads]),
                "qtdb_better_lead": pool([better_of(leads) for leads in qtdb]),
            }
        )
