"""What the study found, and other delineators: tables and a drawing."""

import io
from collections.abc import Mapping
from typing import Any, Final

from model_build.delineation.scoring import Tallies, Tally

_COLOURS: Final = ("#1f4e79", "#7a98b8", "#b6c0ca")


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
        f1 = "-" if ludb.f1 is None else f"{100 * ludb.f1:.1f}"
        lines.append(f"| {_words(name)} | {f1} | {_errors(ludb)} | {found} | {_errors(qtdb)} |")
    return "\n".join(lines) + "\n"


def comparison(ways: Mapping[str, Mapping[str, Tallies]]) -> str:
    """Each way's F1 on ludb with its errors, and what it finds of qtdb, a column a way."""
    lines = [
        f"| | {' | '.join(ways)} |",
        f"|---|{'---|' * len(ways)}",
    ]
    for name in next(iter(ways.values()))["ludb"]:
        cells = []
        for tables in ways.values():
            ludb = tables["ludb"][name]
            f1 = "-" if ludb.f1 is None else f"{100 * ludb.f1:.1f}"
            cells.append(f"{f1}; {_errors(ludb)}")
        lines.append(f"| {_words(name)} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def drawing(ways: Mapping[str, Mapping[str, Tallies]]) -> str:
    """F1 and deviation on ludb by landmark, as SVG; the same results give the same bytes."""
    import matplotlib as mpl  # noqa: PLC0415 - slow
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(8.0, 4.6), layout="constrained")
    above, below = figure.subplots(2, sharex=True)
    names = list(next(iter(ways.values()))["ludb"])
    for place, (way, tables) in enumerate(ways.items()):
        tallies = [tables["ludb"][name] for name in names]
        at = [k + 0.27 * (place - 1) for k in range(len(names))]
        look = {"width": 0.25, "color": _COLOURS[place], "label": way}
        above.bar(at, [100 * (t.f1 or 0.0) for t in tallies], **look)
        below.bar(at, [t.sd_ms or 0.0 for t in tallies], **look)
    above.set_ylim(80, 100)
    above.set_ylabel("F1 within 150 ms, %")
    below.set_ylabel("deviation of the errors, ms")
    below.set_xticks(range(len(names)), [_words(name) for name in names])
    figure.legend(
        *above.get_legend_handles_labels(),
        loc="outside upper center", ncols=len(ways), frameon=False, fontsize=8,
    )  # fmt: skip
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
        axes.yaxis.label.set_size(9)
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "ecg-edge", "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def _words(landmark: str) -> str:
    wave, _, side = landmark.partition("_")
    return f"{wave.upper()} {side}"


def _errors(tally: Tally) -> str:
    if tally.mean_ms is None or tally.sd_ms is None:
        return "-"
    return f"{tally.mean_ms:+.1f}, {tally.sd_ms:.1f}"
