"""The stages of compression as JSON, one Markdown table and one Pareto plot (SVG)."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from model_build.stages import Stage

_COLUMNS: Final = (
    "stage", "form", "bytes", "MACs", "us a beat", "macro-F1", "loss", "VEB F1", "SVEB F1",
    "false S per 1000 in AF", "J",
)  # fmt: skip
_LEAST_SPAN: Final = 2.0
"""Points of macro-F1 that the plot shows at least."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What the figures are of: recipe and its digest, folds, and what timed the latency."""

    recipe: str
    digest: str
    folds: Sequence[int]
    runtime: str


def write(base: Path, measured: Measured, stages: Sequence[Stage]) -> list[Path]:
    """Write `base`.json, `base`.md and `base`.svg; the three paths."""
    paths = [base.with_suffix(ending) for ending in (".json", ".md", ".svg")]
    content = {**asdict(measured), "stages": [asdict(stage) for stage in stages]}
    base.parent.mkdir(parents=True, exist_ok=True)
    paths[0].write_text(json.dumps(content, indent=1) + "\n")
    paths[1].write_text(markdown(measured, stages, paths[2].name))
    _plot(paths[2], stages)
    return paths


def markdown(measured: Measured, stages: Sequence[Stage], plot: str) -> str:
    """The table, with what it was measured on and the loss from the float stage before INT8."""
    folds = ", ".join(map(str, measured.folds))
    head = (
        f"Recipe {measured.recipe} (`{measured.digest[:12]}`), out-of-fold over folds {folds}: "
        "beats from 5:00, escapes as N, first lead, the detector's own peaks. Size and latency "
        f"are of both graphs, latency the median of one beat on one thread ({measured.runtime}). "
        "Loss is in points of macro-F1 (N, S, V) against the last float stage."
    )
    lines = ["# From the trained student to INT8", "", head, "", _row(*_COLUMNS)]
    lines.append("|---" * len(_COLUMNS) + "|")
    reference = [stage.macro_f1 for stage in stages if stage.form == "float32"][-1]
    for one in stages:
        loss = f"{100 * (reference - one.macro_f1):.2f}" if one.form == "int8" else ""
        cells = (
            one.stage, one.form, f"{one.bytes:,}", f"{one.macs:,}", f"{one.latency_us:.1f}",
            f"{100 * one.macro_f1:.2f}", loss, f"{100 * one.veb_f1:.2f}",
            f"{100 * one.sveb_f1:.2f}", f"{one.false_s_per_1000:.1f}", f"{one.j:.4f}",
        )  # fmt: skip
        lines.append(_row(*cells))
    return "\n".join([*lines, "", f"![Size against macro-F1]({plot})", ""])


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def pareto(stages: Sequence[Stage]) -> list[Stage]:
    """Stages that no other beats in both size and macro-F1, smallest first."""
    front: list[Stage] = []
    for stage in sorted(stages, key=lambda s: (s.bytes, -s.macro_f1)):
        if not front or stage.macro_f1 > front[-1].macro_f1:
            front.append(stage)
    return front


def _plot(path: Path, stages: Sequence[Stage]) -> None:
    import matplotlib as mpl  # noqa: PLC0415 - only the plot pays for it

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    # The same stages give the same file.
    with mpl.rc_context({"svg.hashsalt": "stages", "svg.fonttype": "none"}):
        figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
        front = pareto(stages)
        axes.plot(
            [s.bytes / 1000 for s in front], [100 * s.macro_f1 for s in front],
            color="0.6", linewidth=1, zorder=1, label="Pareto front",
        )  # fmt: skip
        for form, colour in (("float32", "tab:blue"), ("int8", "tab:orange")):
            own = sorted((s for s in stages if s.form == form), key=lambda s: s.macro_f1)
            size, score = [s.bytes / 1000 for s in own], [100 * s.macro_f1 for s in own]
            axes.scatter(size, score, color=colour, label=form, zorder=2)
            for rank, (stage, x, y) in enumerate(zip(own, size, score, strict=True)):
                place = (8, 13 * rank - 3)  # one above the other, where points lie on each other
                axes.annotate(stage.stage, (x, y), xytext=place, textcoords="offset points")
        axes.set(xlabel="both graphs, kB", ylabel="out-of-fold macro-F1, %")
        axes.margins(0.15)
        axes.set_xlim(left=0.0, right=1.25 * max(s.bytes for s in stages) / 1000)
        # Hundredths of a point are chance, and are not to look like a cliff.
        low, high = axes.get_ylim()
        axes.set_ylim(min(low, high - _LEAST_SPAN), max(high, low + _LEAST_SPAN))
        axes.legend(frameon=False)
        axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)
