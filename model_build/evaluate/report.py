"""The report on beats: JSON for machines, Markdown and HTML for people, from the same findings."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from model_build.evaluate import plots
from model_build.evaluate.beats import Scores, pooled
from model_build.evaluate.document import (
    Block,
    Document,
    Figure,
    Listing,
    Section,
    Table,
    Text,
    to_markdown,
)
from model_build.evaluate.ec57 import BeatMatrix
from model_build.evaluate.ec57.rates import Rates
from model_build.evaluate.findings import Findings, Subject
from model_build.evaluate.html import to_html
from model_build.evaluate.noise_levels import NoiseLevel
from model_build.evaluate.out_of_fold import OutOfFold
from model_build.evaluate.plots import Strip
from model_build.evaluate.published import PUBLISHED
from model_build.evaluate.reliability import Reliability


def write(base: Path, findings: Findings, worst: Sequence[Strip] = ()) -> tuple[Path, ...]:
    """Write BASE.json, BASE.md and BASE.html; returns the paths."""
    base.parent.mkdir(parents=True, exist_ok=True)
    document = compose(findings, worst)
    contents = {
        ".json": json.dumps(findings.as_json(), indent=1) + "\n",
        ".md": to_markdown(document),
        ".html": to_html(document),
    }
    written = []
    for suffix, content in contents.items():
        path = base.with_suffix(suffix)
        path.write_text(content, encoding="utf-8")
        written.append(path)
    return tuple(written)


def compose(findings: Findings, worst: Sequence[Strip] = ()) -> Document:
    """All that was found, worded and drawn; `worst` are drawings of out-of-fold beats."""
    sections = [
        Section("Result", tuple(_result(findings))),
        Section("The same, counted otherwise", tuple(_otherwise(findings))),
        Section("Beside published results", tuple(_published(findings))),
        Section("INT8 against float", (_float(findings),)),
        Section("Confusion", (_confusion(findings.total.main), _drawn_confusion(findings))),
        Section("By record", tuple(_records(findings.int8))),
    ]
    if findings.reliability is not None:
        blocks = _calibration(findings.reliability, "calibration")
        sections.append(Section("Calibration", tuple(blocks)))
    if findings.noise:
        sections.append(Section("In noise", tuple(_noise(findings.noise))))
    sections.append(Section("Noise stress test", tuple(_stress(findings.stress))))
    if findings.out_of_fold is not None:
        blocks = _out_of_fold(findings.out_of_fold)
        sections.append(Section("Out of fold", tuple(blocks)))
    if worst:
        sections.append(Section("Worst out-of-fold beats", tuple(_worst(worst))))
    if findings.probe is not None:
        sections.append(Section("Database shortcut", (_probe(findings.probe),)))
    sections.append(Section("What it was made from", (Listing(tuple(findings.subject.credits)),)))
    return Document(findings.subject.title, tuple(_head(findings.subject)), tuple(sections))


def _head(subject: Subject) -> list[Block]:
    seen = Text(
        "**These records were trained on: this is a check of the machinery, not of accuracy.**"
    )
    words = (
        f"{subject.date}. The INT8 bundle `{subject.bundle_set[:12]}` "
        f"({subject.bundle_bytes / 1000:.1f} kB), made by recipe `{subject.recipe}` "
        f"(`{subject.recipe_digest[:12]}`), through the shipped engine on {subject.runtime}: "
        f"its own R peaks, first channel, {subject.mains_hz or 'no'} Hz notch. Counted as `bxb` "
        "counts, from 5:00, within 150 ms: missed and extra beats count, F or Q taken for V is no "
        "false positive, F taken for S is. Escape beats (e, j, n) are N, as in most papers. "
        "Records 201 and 202 are of one man; 201 is left out of training."
    )
    return [seen, Text(words)] if subject.seen_in_training else [Text(words)]


def percent(value: float | None) -> str:
    """A fraction in percent, "-" where it is undefined."""
    return "-" if value is None else f"{100 * value:.2f}"


_RATES_HEAD: Final = ("", "Se %", "+P %", "F1 %", "TP", "FN", "FP")


def _row(name: str, rates: Rates) -> tuple[str, ...]:
    counts = (str(rates.tp), str(rates.fn), str(rates.fp))
    return (name, percent(rates.se), percent(rates.ppv), percent(rates.f1), *counts)


def _result(findings: Findings) -> list[Block]:
    main = findings.total.main
    rows = [_row("QRS", main.qrs), _row("VEB", main.veb), _row("SVEB", main.sveb)]
    without = findings.without_232
    if without is not None:
        rows.append(_row("VEB without 232", without.main.veb))
        rows.append(_row("SVEB without 232", without.main.sveb))
    rows += [_row("N", main.normal), _row("F (nearly one patient)", main.fusion)]
    blocks: list[Block] = [
        Table(_RATES_HEAD, tuple(rows)),
        Text(f"Macro-F1 (N, S, V): {percent(main.macro_f1)} %."),
    ]
    if findings.af_total.beats:
        af = findings.af_total
        words = f"Within annotated atrial fibrillation ({af.beats} beats detected, from 0:00)"
        blocks.append(Text(f"{words}: {af.per_thousand:.1f} false S per 1,000 beats."))
    return blocks


def _otherwise(findings: Findings) -> list[Block]:
    total = findings.total
    ways = (
        ("escapes as S (bxb's own table), from 5:00", total.escapes_s),
        ("escapes as N, from 0:00", total.whole),
        ("escapes as S, from 0:00", total.whole_escapes_s),
    )
    rows = [_row("VEB, F taken for V counted", total.main.veb_counting_f)]
    for words, matrix in ways:
        rows += [_row(f"VEB, {words}", matrix.veb), _row(f"SVEB, {words}", matrix.sveb)]
    rows.append(_row("QRS, from 0:00", total.whole.qrs))
    without = findings.without_232
    if without is not None:
        words = "SVEB without 232, escapes as S, from 5:00"
        rows.append(_row(words, without.escapes_s.sveb))
    return [Text("Never to be mixed with the table above."), Table(_RATES_HEAD, tuple(rows))]


def _published(findings: Findings) -> list[Block]:
    head = ("work", "SVEB F1", "VEB F1", "protocol, where it differs")
    if findings.subject.seen_in_training:
        return [Text("Records that were trained on stand beside nobody's results.")]
    total = findings.total
    own = [
        ("**this bundle**", total.main, "own R peaks, one lead, causal, INT8"),
        ("**this bundle**, escapes as S", total.escapes_s, "the same, as Construe counts"),
    ]
    without = findings.without_232
    if without is not None:
        own.append(("**this bundle** without 232", without.main, "own R peaks, one lead"))
    rows = [(name, _f1(m.sveb.f1), _f1(m.veb.f1), words) for name, m, words in own]
    table, apart = (
        tuple(
            (one.work, _f1(one.sveb_f1), _f1(one.veb_f1), one.protocol)
            for one in PUBLISHED
            if one.comparable is comparable
        )
        for comparable in (True, False)
    )
    return [
        Text("Inter-patient. A work that starts from reference marks misses no beat."),
        Table(head, (*rows, *table)),
        Text("**Not comparable**: the tested patients' own beats, labelled, helped."),
        Table(head, apart),
    ]


def _f1(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _float(findings: Findings) -> Block:
    if not findings.real:
        return Text("The float student was not at hand.")
    total, fine = pooled(findings.alone or findings.int8).main, pooled(findings.real).main
    pairs = (
        ("VEB F1", total.veb.f1, fine.veb.f1),
        ("SVEB F1", total.sveb.f1, fine.sveb.f1),
        ("Macro-F1", total.macro_f1, fine.macro_f1),
    )
    rows = [(name, percent(a), percent(b), _difference(a, b)) for name, a, b in pairs]
    beside = ", without the rhythm model" if findings.alone else ""
    return Table((f"beats alone{beside}", "INT8 %", "float %", "points"), tuple(rows))


def _difference(a: float | None, b: float | None) -> str:
    return "-" if a is None or b is None else f"{100 * (a - b):+.2f}"


def _confusion(matrix: BeatMatrix) -> Block:
    names = ["N", "S", "V", "F", "Q"]
    rows = [
        (name, *(str(int(n)) for n in matrix.counts[k])) for k, name in enumerate([*names, "none"])
    ]
    return Table(("reference", *names, "missed", "in shutdown"), tuple(rows))


def _drawn_confusion(findings: Findings) -> Block:
    words = "Rows are reference classes, shares are of the row."
    return Figure(plots.confusion(findings.total.main), words)


def _records(int8: Mapping[str, Scores]) -> list[Block]:
    head = (
        "record", "QRS FN", "QRS FP", "V", "VEB Se %", "VEB +P %", "S", "SVEB Se %", "SVEB +P %"
    )  # fmt: skip
    matrices = {key: scores.main for key, scores in int8.items()}
    rows = [
        (
            key, str(m.qrs.fn), str(m.qrs.fp), str(m.veb.tp + m.veb.fn), percent(m.veb.se),
            percent(m.veb.ppv), str(m.sveb.tp + m.sveb.fn), percent(m.sveb.se),
            percent(m.sveb.ppv),
        )
        for key, m in matrices.items()
    ]  # fmt: skip
    drawn = plots.by_record(matrices, "records")
    words = "Records that have such beats; the number above a bar says how many."
    return [Table(head, tuple(rows)), Figure(drawn, words)]


def _calibration(found: Reliability, name: str) -> list[Block]:
    rows = [
        (row, f"{int(found.table[k, :, 0].sum())}", percent(found.ece(row)))
        for k, row in enumerate(found.rows)
    ]
    words = (
        "Expected calibration error over 10 bins of the score, of beats paired with a reference "
        "beat: how far scores lie from the share of beats that are of the class."
    )
    drawn = "Bins of 20 beats and more; on the dashed line scores are what they say."
    return [
        Text(words),
        Table(("class", "beats", "ECE %"), tuple(rows)),
        Figure(plots.reliability(found, name), drawn),
    ]


_LEVEL_HEAD: Final = (
    "noise", "dB", "QRS Se %", "QRS +P %", "VEB Se %", "VEB +P %", "VEB F1 %", "SVEB Se %",
    "SVEB +P %", "SVEB F1 %",
)  # fmt: skip


def _levels(levels: Sequence[NoiseLevel]) -> Table:
    rows = []
    for level in levels:
        m = level.matrix
        values = (
            m.qrs.se, m.qrs.ppv, m.veb.se, m.veb.ppv, m.veb.f1, m.sveb.se, m.sveb.ppv, m.sveb.f1
        )  # fmt: skip
        rows.append((level.kind, str(level.level_db), *map(percent, values)))
    return Table(_LEVEL_HEAD, tuple(rows))


def _noise(levels: Sequence[NoiseLevel]) -> list[Block]:
    words = (
        "The same records with muscle noise (`ma`) or baseline wander (`bw`) of nstdb on every "
        "scored beat, scaled as `nst` does; of each the second quarter of an hour, of which "
        "nothing trains."
    )
    drawn = "From little noise to noise as strong as the signal and stronger."
    return [Text(words), _levels(levels), Figure(plots.noise(levels, "noise"), drawn)]


def _stress(levels: Sequence[NoiseLevel]) -> list[Block]:
    if not levels:
        return [
            Text(
                "Not given: the nstdb table needs a model that was trained without 118 and 119 "
                "(`--stress-bundles`)."
            )
        ]
    words = (
        "nstdb: records 118 and 119 with electrode motion (`em`) in alternate two minutes, by a "
        "model trained without either patient."
    )
    drawn = "Half of the scored beats lie in noise."
    return [Text(words), _levels(levels), Figure(plots.noise(levels, "stress"), drawn)]


def _out_of_fold(found: OutOfFold) -> list[Block]:
    names = {
        "j": "J", "veb_f1": "VEB F1", "sveb_f1": "SVEB F1",
        "sveb_f1_without_richest": "SVEB F1 without the richest record",
        "false_s_per_1000_in_af": "false S per 1,000 beats in AF",
        "qrs_se": "QRS Se", "qrs_ppv": "QRS +P",
    }  # fmt: skip
    spread = found.spread()
    rows = [
        (words, *(f"{value:.{1 if 'per 1,000' in words else 4}f}" for value in spread[key]))
        for key, words in names.items()
    ]
    seeds = ", ".join(map(str, sorted(found.by_seed)))
    beside = (
        " No beat is S while the rhythm model, out of fold as well, says AF, as on the device."
        if found.in_set
        else ""
    )
    blocks: list[Block] = [
        Text(
            f"Float students of the same recipe on training people left out of their training, "
            f"folds {', '.join(map(str, found.folds))}, seeds {seeds}. The recipe was chosen by J: "
            f"mean of VEB and SVEB F1, less 0.002 for each false S per 1,000 beats in AF.{beside}"
        ),
        Table(("", "mean over seeds", "deviation"), tuple(rows)),
        Figure(
            plots.by_record(found.by_seed[found.seed].matrices, "out-of-fold-records"),
            "Held-out records that have such beats; the number above a bar says how many.",
        ),
    ]
    if found.reliability is not None:
        drawn = plots.reliability(found.reliability, "out-of-fold-calibration")
        blocks.append(Figure(drawn, "Calibration out of fold, bins of 20 beats and more."))
    return blocks


def _worst(worst: Sequence[Strip]) -> list[Block]:
    words = (
        "Held-out training beats that the float student was surest about and wrong: reference "
        "classes above, what was said below. At most two of a record."
    )
    titles = Listing(tuple(strip.title for strip in worst))
    return [Text(words), titles, Figure(plots.strips(worst, "worst"), "Seven seconds of each.")]


def _probe(found: Mapping[str, object]) -> Block:
    return Text(
        f"A linear probe tells svdb's N beats from mitdb's by the student's embeddings with AUC "
        f"{found['auc_beats']:.3f} by beat and {found['auc_subjects']:.3f} by subject "
        f"({found['subjects']} people, each judged by a probe that has not seen them; 0.5 is "
        "chance). Where it is high the model could use the archive as a hint at S."
    )
