"""The report on beats: JSON for machines, Markdown for people, from the same table."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from model_build.evaluate.beats import Scores, pooled
from model_build.evaluate.ec57 import BeatMatrix
from model_build.evaluate.ec57.rates import Rates

RICHEST_S: Final = "mitdb/232"
"""Three quarters of the test half's S are of this record, so SVEB stands without it as well."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What was scored, on what: words for the report's head."""

    title: str
    date: str
    recipe: str
    recipe_digest: str
    bundle_set: str
    bundle_bytes: int
    runtime: str
    mains_hz: int
    seen_in_training: bool
    trained_on: Sequence[str] = ()
    credits: Sequence[str] = field(default_factory=tuple)


def as_json(subject: Subject, int8: Mapping[str, Scores], real: Mapping[str, Scores]) -> Any:
    """The whole report; `int8` and `real` by record."""
    total = pooled(int8)
    report: dict[str, Any] = {
        "title": subject.title,
        "date": subject.date,
        "recipe": subject.recipe,
        "recipe_sha256": subject.recipe_digest,
        "bundle_set": subject.bundle_set,
        "bundle_bytes": subject.bundle_bytes,
        "runtime": subject.runtime,
        "mains_hz": subject.mains_hz,
        "seen_in_training": subject.seen_in_training,
        "trained_on": list(subject.trained_on),
        "int8": total.as_json(),
        "records": {key: scores.main.as_json() for key, scores in int8.items()},
    }
    if RICHEST_S in int8:
        report["int8_without_232"] = pooled(int8, [RICHEST_S]).main.as_json()
    if real:
        report["float"] = pooled(real).as_json()
    return report


def write(
    base: Path, subject: Subject, int8: Mapping[str, Scores], real: Mapping[str, Scores]
) -> tuple[Path, Path]:
    """Write BASE.json and BASE.md; returns both paths."""
    base.parent.mkdir(parents=True, exist_ok=True)
    data, text = base.with_suffix(".json"), base.with_suffix(".md")
    data.write_text(json.dumps(as_json(subject, int8, real), indent=1) + "\n")
    text.write_text(markdown(subject, int8, real))
    return data, text


def markdown(subject: Subject, int8: Mapping[str, Scores], real: Mapping[str, Scores]) -> str:
    """The report for a person."""
    total = pooled(int8)
    parts = [
        f"# {subject.title}",
        _head(subject),
        "## Result",
        _main_table(int8, total),
        "## The same, counted otherwise",
        "Never to be mixed with the table above.",
        _other_table(total),
        "## INT8 against float",
        _float_table(total, real) if real else "The float student was not at hand.",
        "## Confusion",
        _confusion(total.main),
        "## By record",
        _records(int8),
        "## What it was made from",
        _sources(subject),
    ]
    return "\n\n".join(parts) + "\n"


def _head(subject: Subject) -> str:
    seen = (
        "**These records were trained on: this is a check of the machinery, not of accuracy.**\n\n"
        if subject.seen_in_training
        else ""
    )
    return (
        f"{seen}{subject.date}. The INT8 bundle `{subject.bundle_set[:12]}` "
        f"({subject.bundle_bytes / 1000:.1f} kB), made by recipe `{subject.recipe}` "
        f"(`{subject.recipe_digest[:12]}`), through the shipped engine on {subject.runtime}: "
        f"its own R peaks, first channel, {subject.mains_hz or 'no'} Hz notch. Counted as `bxb` "
        "counts, from 5:00, within 150 ms: missed and extra beats count, F or Q taken for V is no "
        "false positive, F taken for S is. Escape beats (e, j, n) are N, as in most papers. "
        "Records 201 and 202 are of one man; 201 is left out of training."
    )


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f}"


def _row(name: str, rates: Rates) -> str:
    counts = f"{rates.tp} | {rates.fn} | {rates.fp}"
    return (
        f"| {name} | {_percent(rates.se)} | {_percent(rates.ppv)} | {_percent(rates.f1)} "
        f"| {counts} |"
    )


_RATES_HEAD: Final = "| | Se % | +P % | F1 % | TP | FN | FP |\n|---|---|---|---|---|---|---|"


def _main_table(int8: Mapping[str, Scores], total: Scores) -> str:
    main = total.main
    rows = [_row("QRS", main.qrs), _row("VEB", main.veb), _row("SVEB", main.sveb)]
    if RICHEST_S in int8:
        rows.append(_row("SVEB without 232", pooled(int8, [RICHEST_S]).main.sveb))
    rows += [_row("N", main.normal), _row("F (nearly one patient)", main.fusion)]
    table = "\n".join([_RATES_HEAD, *rows])
    return f"{table}\n\nMacro-F1 (N, S, V): {_percent(main.macro_f1)} %."


def _other_table(total: Scores) -> str:
    rows = [
        _row("VEB, F taken for V counted", total.main.veb_counting_f),
        _row("VEB, escapes as S (bxb's own table)", total.escapes_s.veb),
        _row("SVEB, escapes as S (bxb's own table)", total.escapes_s.sveb),
        _row("QRS, from 0:00", total.whole.qrs),
        _row("VEB, from 0:00", total.whole.veb),
        _row("SVEB, from 0:00", total.whole.sveb),
    ]
    return "\n".join([_RATES_HEAD, *rows])


def _float_table(total: Scores, real: Mapping[str, Scores]) -> str:
    fine = pooled(real).main
    pairs = (
        ("VEB F1", total.main.veb.f1, fine.veb.f1),
        ("SVEB F1", total.main.sveb.f1, fine.sveb.f1),
        ("Macro-F1", total.main.macro_f1, fine.macro_f1),
    )
    rows = [
        f"| {name} | {_percent(a)} | {_percent(b)} | {_difference(a, b)} |" for name, a, b in pairs
    ]
    return "\n".join(["| | INT8 % | float % | points |", "|---|---|---|---|", *rows])


def _difference(a: float | None, b: float | None) -> str:
    return "-" if a is None or b is None else f"{100 * (a - b):+.2f}"


def _confusion(matrix: BeatMatrix) -> str:
    names = ["N", "S", "V", "F", "Q"]
    rows = [
        f"| {name} | " + " | ".join(str(int(n)) for n in matrix.counts[k]) + " |"
        for k, name in enumerate([*names, "none"])
    ]
    head = "| reference | " + " | ".join([*names, "missed", "in shutdown"]) + " |"
    return "\n".join([head, "|---" * 8 + "|", *rows])


def _records(int8: Mapping[str, Scores]) -> str:
    head = (
        "| record | QRS FN | QRS FP | V | VEB Se % | VEB +P % | S | SVEB Se % | SVEB +P % |\n"
        "|---|---|---|---|---|---|---|---|---|"
    )
    rows = [
        f"| {key} | {m.qrs.fn} | {m.qrs.fp} | {m.veb.tp + m.veb.fn} | {_percent(m.veb.se)} "
        f"| {_percent(m.veb.ppv)} | {m.sveb.tp + m.sveb.fn} | {_percent(m.sveb.se)} "
        f"| {_percent(m.sveb.ppv)} |"
        for key, m in ((key, scores.main) for key, scores in int8.items())
    ]
    return "\n".join([head, *rows])


def _sources(subject: Subject) -> str:
    return "\n".join(f"- {line}" for line in subject.credits)
