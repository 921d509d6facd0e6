"""Drawings of the alarm report, each a file of SVG. Matplotlib with Agg: no display is needed."""

import io
from pathlib import Path
from typing import Final

import matplotlib as mpl
from matplotlib.figure import Figure

from model_build.alarms.report import Measured

_GOOD: Final = "#1f4e79"
_BAD: Final = "#b91c1c"
_PALE: Final = "#b6c0ca"
_GOAL_S: Final = 10.0


def challenge(measured: Measured) -> Figure:
    """True and false alarms of each kind: raised, missed, suppressed."""
    figure = Figure(figsize=(8.0, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    kinds = [kind for kind in measured.by_kind if kind != "all"]
    rows = [measured.by_kind[kind] for kind in kinds]
    names = [kind.replace("_", " ") for kind in kinds]
    parts = (
        (left, "true alarms", [r.tp for r in rows], [r.fn for r in rows], ("raised", "missed")),
        (
            right,
            "false alarms",
            [r.tn for r in rows],
            [r.fp for r in rows],
            ("suppressed", "raised"),
        ),
    )
    for axes, title, good, bad, words in parts:
        axes.barh(names, good, color=_GOOD, label=words[0])
        axes.barh(names, bad, left=good, color=_BAD, label=words[1])
        axes.set_title(title, fontsize=10)
        axes.legend(frameon=False, fontsize=8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    left.invert_yaxis()
    return figure


def onset(measured: Measured) -> Figure:
    """Seconds from onset to alarm, against the goal of ten."""
    rows = {name: alarm[1] for name, alarm in measured.onset.items() if alarm is not None}
    for name, by_gain in measured.times.items():
        rows |= {
            f"{name}, {gain} gain": alarm[1] for gain, alarm in by_gain.items() if alarm is not None
        }
    rows |= {
        f"VF, {name}": after
        for name, after in measured.fibrillation.items()
        if after is not None and "5:00" not in name
    }
    figure = Figure(figsize=(8.0, 0.9 + 0.27 * len(rows)), layout="constrained")
    axes = figure.subplots()
    axes.barh(list(rows), list(rows.values()), color=_GOOD)
    axes.axvline(_GOAL_S, color=_PALE, linestyle="--", linewidth=1)
    axes.invert_yaxis()
    axes.set_xlabel("seconds from onset to alarm (dashed: our goal)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    return figure


def write(measured: Measured, folder: Path) -> None:
    """Both drawings into `folder`; the same results give the same bytes."""
    for name, figure in (("challenge", challenge(measured)), ("onset", onset(measured))):
        buffer = io.StringIO()
        with mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
            figure.savefig(buffer, format="svg", metadata={"Date": None})
        lines = [line.rstrip() for line in buffer.getvalue().splitlines()]
        (folder / f"alarms-{name}.svg").write_text("\n".join(lines) + "\n", encoding="utf-8")
