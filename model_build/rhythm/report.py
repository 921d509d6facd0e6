"""The measured half of docs/rhythm.md, and its drawing."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

MARK: Final = "<!-- measured: model-build rhythm --report docs/rhythm -->\n"
_WAYS: Final = {
    "student": "network (ships as INT8; here in float)", "trees": "boosted trees (its teacher)",
    "baseline": "boosted trees on RR alone, of cinc2017 alone",
}  # fmt: skip
_COLOURS: Final = ("#1f4e79", "#7a98b8", "#b6c0ca")


def markdown(found: Mapping[str, Any]) -> str:
    """The tables."""
    lines = ["", "## Out of fold", ""]
    ways = found["out_of_fold"]
    n = ways["student"]["recordings"]
    lines += [
        f"Five folds of people; {n} recordings of cinc2017. Mean of N, A and O: decision and",
        "weights at the challenge's prevalence. False AF: minutes in 24 h of DS1 and svdb without",
        "AF, smoothed as the engine does.",
        "",
        "| | AF F1 | mean F1 of N, A, O | F1 N / A / O / ~ | false AF, min/24 h |",
        "|---|---|---|---|---|",
    ]
    for way, name in _WAYS.items():
        one, scores = ways[way], ways[way]["scores"]
        each = " / ".join(f"{one['f1'][k]:.3f}" for k in "NAO~")
        lines.append(
            f"| {name} | {scores['cinc2017_af_f1']:.3f} | {scores['cinc2017_mean_nao_f1']:.3f} "
            f"| {each} | {scores['false_af_minutes_per_24_h']:.1f} |"
        )
    lines += ["", "| network, smoothed | AF, min | of it found | no AF, h | called AF, min |"]
    lines += ["|---|---|---|---|---|"]
    for archive, one in ways["student"]["archives"].items():
        share = f"{one['found_s'] / one['af_s']:.0%}" if one["af_s"] else "-"
        lines.append(
            f"| {archive} | {one['af_s'] / 60:.1f} | {share} | {one['free_s'] / 3600:.1f} "
            f"| {one['false_s'] / 60:.1f} |"
        )
    return "\n".join([*lines, *_test_lines(found.get("test"))]) + "\n"


def _test_lines(test: Mapping[str, Any] | None) -> list[str]:
    if test is None:
        return []
    lines = [
        "", "## The test half", "",
        "AF on DS2 by `epicmp`'s rules (from 5:00), on the annotations that `replay` writes. Each",
        "opening for this is a line of `model_build/openings.jsonl` whose recipe is `rhythm`.", "",
        "| | Se % | +P % | AF, s | called AF, s |", "|---|---|---|---|---|",
    ]  # fmt: skip
    rows = {
        "all, flutter left out of +P": test["flutter_left_out"],
        "all, flutter counted against it": test["flutter_counted"],
        **test["records"],
    }
    for name, one in rows.items():
        se, ppv = (
            f"{100 * one[key]:.1f}" if one[key] == one[key] else "-" for key in ("se", "ppv")
        )
        lines.append(f"| {name} | {se} | {ppv} | {one['af_s']:.0f} | {one['said_s']:.0f} |")
    free = test["false_af_minutes_per_24_h"]
    return [*lines, "", f"On its records without AF: {free:.1f} minutes called AF in 24 h."]


def write(found: Mapping[str, Any], base: Path) -> None:
    """BASE.md's measured half, BASE.json, BASE.svg."""
    page = base.with_suffix(".md")
    written = page.read_text("utf-8").partition(MARK)[0] if page.is_file() else "# Rhythm\n\n"
    page.write_text(written + MARK + markdown(found), encoding="utf-8")
    base.with_suffix(".json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    base.with_suffix(".svg").write_text(drawing(found), encoding="utf-8")


def drawing(found: Mapping[str, Any]) -> str:
    """F1 of each class, three ways, as SVG; the same results give the same bytes."""
    import matplotlib as mpl  # noqa: PLC0415 - slow
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(8.0, 3.2), layout="constrained")
    axes = figure.subplots()
    names = {"N": "sinus", "A": "atrial fibrillation", "O": "other", "~": "too noisy"}
    for place, (way, name) in enumerate(_WAYS.items()):
        values = [found["out_of_fold"][way]["f1"][k] for k in names]
        at = [k + 0.27 * (place - 1) for k in range(len(names))]
        axes.bar(at, values, width=0.25, color=_COLOURS[place], label=name)
    axes.set_xticks(range(len(names)), list(names.values()))
    axes.set_ylim(0.4, 1.0)
    axes.set_ylabel("F1, out of fold")
    axes.legend(frameon=False, fontsize=8, ncols=3, loc="upper right")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": "ecg-edge", "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()
