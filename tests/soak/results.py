"""What the soak has found: rows on disk, tables, and whether the limits were kept."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.table import Table

from tests.soak.accounts import Account

NOTICED_S: Final = 3.0
AGAIN_P50_S: Final = 3.0
AGAIN_P99_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class Hit:
    """One fault on one stream. `noticed_s`: from the last data to the link's being told lost, of
    faults that only silence tells. `again_s`: from when the device could be read again to the
    first samples; None where the stream was never lost. `is_over`: all that was waited for came."""

    stream: str
    link: str
    fault: str
    noticed_s: float | None
    again_s: float | None
    is_over: bool


@dataclass(frozen=True, slots=True)
class Run:
    """A whole run; `failures` counts daemons that did not live to its end or did not end well."""

    seed: int
    wall_s: int
    failures: int
    accounts: tuple[Account, ...]


def read(path: Path) -> tuple[list[Hit], list[Run]]:
    """Rows of all runs."""
    hits: list[Hit] = []
    runs: list[Run] = []
    for line in path.read_text().splitlines():
        row: dict[str, Any] = json.loads(line)
        if row.pop("row") == "Hit":
            hits.append(Hit(**row))
            continue
        accounts = tuple(Account(**one) for one in row.pop("accounts"))
        runs.append(Run(accounts=accounts, **row))
    return hits, runs


def broken_limits(hits: Sequence[Hit], runs: Sequence[Run]) -> list[str]:
    """What was promised and did not hold, a sentence each."""
    problems = [
        f"{hit.stream}: not streaming again after {hit.fault!r}" for hit in hits if not hit.is_over
    ]
    noticed = [hit.noticed_s for hit in hits if hit.noticed_s is not None]
    if noticed and max(noticed) > NOTICED_S:
        problems.append(f"silence was noticed after {max(noticed):.2f} s only")
    again = [hit.again_s for hit in hits if hit.again_s is not None]
    for limit, share in ((AGAIN_P50_S, 50), (AGAIN_P99_S, 99)):
        if again and np.percentile(again, share) > limit:
            problems.append(f"streaming again: p{share} is {np.percentile(again, share):.1f} s")
    for run in runs:
        if run.failures:
            problems.append(f"the daemon of seed {run.seed} ended before its time, or badly")
        for one in run.accounts:
            if one.sessions != 1:
                problems.append(f"{one.stream} has {one.sessions} sessions")
            if one.unmarked or one.misplaced:
                problems.append(
                    f"{one.stream}: {one.unmarked} samples unmarked, {one.misplaced} misplaced"
                )
    return problems


def tables(hits: Sequence[Hit], runs: Sequence[Run]) -> list[Table]:
    """Faults by kind, and samples by stream."""
    minutes = sum(run.wall_s for run in runs) / 60
    faults = Table(title=f"{len(hits):,} faults in {minutes:.0f} min, {len(runs)} run(s)")
    columns = ("link", "fault", "times", "of them lost", "noticed, longest s")
    for column in (*columns, "again p50 s", "p99 s", "longest s", "never"):
        faults.add_column(column, justify="left" if column in ("link", "fault") else "right")
    key = lambda hit: (hit.link, hit.fault)  # noqa: E731
    for (link, fault), group in groupby(sorted(hits, key=key), key):
        faults.add_row(link, fault, *_measures(list(group)))
    faults.add_row("", "all", *_measures(list(hits)))
    samples = Table(title="samples")
    columns = ("stream", "delivered", "in gaps", "gaps", "estimated gaps", "unmarked", "misplaced")
    for column in (*columns, "estimates too long by, s"):
        samples.add_column(column, justify="left" if column == "stream" else "right")
    for run in runs:
        for one in run.accounts:
            counts = (one.delivered, one.in_gaps, one.gaps, one.inexact_gaps)
            wrong = (one.unmarked, one.misplaced)
            samples.add_row(one.stream, *(f"{n:,}" for n in counts + wrong), f"{one.off_s:+.2f}")
    return [faults, samples]


def _measures(hits: list[Hit]) -> tuple[str, ...]:
    noticed = [hit.noticed_s for hit in hits if hit.noticed_s is not None]
    again = [hit.again_s for hit in hits if hit.again_s is not None]
    return (
        f"{len(hits):,}",
        f"{len(again):,}",
        f"{max(noticed):.2f}" if noticed else "",
        *(f"{np.percentile(again, share):.1f}" if again else "" for share in (50, 99, 100)),
        str(sum(not hit.is_over for hit in hits)),
    )
