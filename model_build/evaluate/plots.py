"""Drawings of a report, each an `<svg>` element. Matplotlib with Agg: no display is needed."""

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from model_build.evaluate.ec57 import BeatMatrix
from model_build.evaluate.noise_levels import NoiseLevel
from model_build.evaluate.reliability import BEST, Reliability

_COLOURS: Final = {"N": "#5b6770", "S": "#d97706", "V": "#b91c1c", "F": "#7c3aed", "X": "#0f766e"}
_RATES: Final = {"QRS": "#1f4e79", "VEB": "#b91c1c", "SVEB": "#d97706"}
_LETTERS: Final = "NSVFQ"


def _svg(figure: Figure, name: str) -> str:
    """The figure's element, its ids made unique by `name`; the same figure gives the same text."""
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    element = text[text.index("<svg") :]
    for pattern in (r'id="', r'href="#', r"url\(#"):
        element = re.sub(pattern, lambda m: f"{m[0]}{name}-", element)
    return element.strip()


def _axes(width: float, height: float) -> tuple[Figure, "mpl.axes.Axes"]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def confusion(matrix: BeatMatrix) -> str:
    """Shares of each reference class, with counts; the last column is missed beats."""
    counts = matrix.counts[:5, [0, 1, 2, 3, 4, 5]].astype(float)
    counts[:, 5] += matrix.counts[:5, 6]
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row in range(5):
        for column in range(6):
            shade = "white" if share[row, column] > 0.6 else "#1d2329"
            words = f"{int(counts[row, column])}\n{100 * share[row, column]:.1f} %"
            axes.text(column, row, words, ha="center", va="center", color=shade, fontsize=9)
    axes.set_xticks(range(6), [*_LETTERS, "missed"])
    axes.set_yticks(range(5), list(_LETTERS))
    axes.set_xlabel("said")
    axes.set_ylabel("reference")
    return _svg(figure, "confusion")


def by_record(matrices: Mapping[str, BeatMatrix], name: str) -> str:
    """F1 of VEB and SVEB for every record that has such beats, with how many there are."""
    figure = Figure(figsize=(9.5, 5.2), layout="constrained")
    for axes, kind in zip(figure.subplots(2, 1), ("veb", "sveb"), strict=True):
        axes.spines[["top", "right"]].set_visible(False)
        rated = [(key, getattr(matrix, kind)) for key, matrix in matrices.items()]
        shown = [(key, rates) for key, rates in rated if rates.tp + rates.fn]
        labels = [key.partition("/")[2] for key, _ in shown]
        heights = [100 * (rates.f1 or 0.0) for _, rates in shown]
        bars = axes.bar(range(len(shown)), heights, color=_RATES[kind.upper()], width=0.7)
        totals = [str(rates.tp + rates.fn) for _, rates in shown]
        axes.bar_label(bars, totals, fontsize=7, color="#4b5763")
        axes.set_xticks(range(len(shown)), labels, rotation=90, fontsize=8)
        # A few records keep bars as narrow as many would.
        axes.set_xlim(-0.7, max(len(shown), 16) - 0.3)
        axes.set_ylim(0, 112)
        axes.set_yticks([0, 50, 100])
        axes.set_ylabel(f"{kind.upper()} F1 %")
    return _svg(figure, name)


def reliability(found: Reliability, name: str) -> str:
    """Share of beats that are of the class against the score given, a curve for each class."""
    figure, axes = _axes(6.6, 4.2)
    axes.plot([0, 1], [0, 1], color="#b6c0ca", linewidth=1, linestyle="--")
    for row in found.rows:
        beats, score, hits = found.table[found.rows.index(row)].T
        # A bin of a few beats says nothing.
        full = beats >= 20
        error = found.ece(row)
        if not full.any() or error is None:
            continue
        best = row == BEST
        axes.plot(
            score[full] / beats[full], hits[full] / beats[full], marker="o", markersize=4,
            color="#111827" if best else _COLOURS.get(row, "#2563eb"),
            linewidth=2 if best else 1.2, label=f"{row} (ECE {100 * error:.1f} %)",
        )  # fmt: skip
    axes.set_xlabel("score")
    axes.set_ylabel("share of the class")
    axes.set_aspect("equal")
    axes.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return _svg(figure, name)


def noise(levels: Sequence[NoiseLevel], name: str) -> str:
    """F1 of QRS, VEB and SVEB against the level, a panel for each kind of noise."""
    kinds = list(dict.fromkeys(level.kind for level in levels))
    figure = Figure(figsize=(1.2 + 3.6 * len(kinds), 3.4), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(kinds), sharey=True))
    for axes, kind in zip(panels, kinds, strict=True):
        axes.spines[["top", "right"]].set_visible(False)
        shown = [level for level in levels if level.kind == kind]
        for word, colour in _RATES.items():
            values = [100 * (getattr(one.matrix, word.lower()).f1 or 0.0) for one in shown]
            axes.plot([one.level_db for one in shown], values, marker="o", markersize=4,
                      color=colour, label=word)  # fmt: skip
        axes.set_title(kind, fontsize=10)
        axes.set_xticks([one.level_db for one in shown])
        axes.invert_xaxis()
        axes.set_xlabel("signal to noise, dB")
        axes.set_ylim(0, 103)
    panels[0].set_ylabel("F1 %")
    panels[0].legend(frameon=False, fontsize=8, loc="lower left")
    return _svg(figure, name)


@dataclass(frozen=True, slots=True, eq=False)
class Strip:
    """One beat with what is around it.

    `seconds` and `mv` (n,): the signal, 0 s at the beat. `marks`: time in s, reference class and
    said class of the beats in view ("" where an annotator has none).
    """

    title: str
    seconds: NDArray[np.float64]
    mv: NDArray[np.float64]
    marks: tuple[tuple[float, str, str], ...]


def strips(shown: Sequence[Strip], name: str) -> str:
    """Strips one below the other: reference above each beat, what was said below it."""
    figure = Figure(figsize=(9.5, 1.55 * len(shown)), layout="constrained")
    for axes, strip in zip(np.atleast_1d(figure.subplots(len(shown), 1)), shown, strict=True):
        axes.spines[["top", "right", "left"]].set_visible(False)
        low, high = np.percentile(strip.mv, (0.2, 99.8))
        reach = max(high - low, 0.5)
        axes.axvspan(-0.25, 0.25, color="#fde68a", alpha=0.6, linewidth=0)
        axes.plot(strip.seconds, strip.mv, color="#1d2329", linewidth=0.8)
        for at, reference, said in strip.marks:
            axes.text(at, high + 0.18 * reach, reference, ha="center", va="bottom", fontsize=8,
                      color=_COLOURS.get(reference, "#1d2329"))  # fmt: skip
            differs = reference != said
            axes.text(at, low - 0.18 * reach, said, ha="center", va="top", fontsize=8,
                      color=_COLOURS.get(said, "#1d2329"),
                      weight="bold" if differs else "normal")  # fmt: skip
        axes.set_xlim(strip.seconds[0], strip.seconds[-1])
        axes.set_ylim(low - 0.5 * reach, high + 0.5 * reach)
        axes.set_yticks([])
        axes.tick_params(labelsize=7)
        axes.set_title(strip.title, fontsize=8.5, loc="left")
    return _svg(figure, name)
