"""What the study found, as rows of a table."""

from collections.abc import Mapping
from typing import Any

from model_build.delineation.scoring import Tallies, Tally


def rows(tables: Mapping[str, Tallies]) -> list[dict[str, Any]]:
    """One row for each table and landmark: F1 in %, mean and deviation of the errors in ms."""
    return [
        {
            "on": table,
            "landmark": name,
            "f1_percent": None if tally.f1 is None else round(100 * tally.f1, 2),
            "mean_ms": None if tally.mean_ms is None else round(tally.mean_ms, 1),
            "sd_ms": None if tally.sd_ms is None else round(tally.sd_ms, 1),
            "found": tally.found,
            "missed": tally.missed,
            "extra": tally.extra,
        }
        for table, tallies in tables.items()
        for name, tally in tallies.items()
    ]


def markdown(tables: Mapping[str, Tallies]) -> str:
    """The table of docs/intervals.md."""
    lines = [
        "| | ludb: F1 % | mean, SD ms | qtdb: found % | mean, SD ms |",
        "|---|---|---|---|---|",
    ]
    for name, ludb in tables["ludb"].items():
        qtdb = tables["qtdb_better_lead"][name]
        marks = qtdb.found + qtdb.missed
        found = f"{100 * qtdb.found / marks:.1f}" if marks else "-"
        wave, _, side = name.partition("_")
        words = f"{wave.upper()} {side}"
        f1 = "-" if ludb.f1 is None else f"{100 * ludb.f1:.1f}"
        lines.append(f"| {words} | {f1} | {_errors(ludb)} | {found} | {_errors(qtdb)} |")
    return "\n".join(lines) + "\n"


def _errors(tally: Tally) -> str:
    if tally.mean_ms is None or tally.sd_ms is None:
        return "-"
    return f"{tally.mean_ms:+.1f}, {tally.sd_ms:.1f}"
