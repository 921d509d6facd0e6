"""From directories of annotation files to a report: what `model-build score` prints."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias, TypeVar

from firmware_bridge.records import Annotations, read_annotations, read_header
from model_build.errors import DataError
from model_build.evaluate.ec57 import formats
from model_build.evaluate.ec57.beats import BeatMatrix, compare_beats
from model_build.evaluate.ec57.classes import Escapes
from model_build.evaluate.ec57.episodes import (
    EpisodeKind,
    EpisodeRules,
    EpisodeScore,
    compare_episodes,
)
from model_build.evaluate.ec57.report import beat_report, episode_report, run_report
from model_build.evaluate.ec57.runs import RunKind, RunMatrix, compare_runs
from model_build.evaluate.ec57.summary import sumstats

Score = TypeVar("Score")

Format: TypeAlias = Literal["bxb", "shutdown", "matrix", "condensed", "rxr", "epicmp", "json"]

_RUNS: tuple[RunKind, ...] = ("ventricular", "supraventricular")
_EPISODES: tuple[EpisodeKind, ...] = ("af", "vf")


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One record: both annotators on the record's clock, `fs` in Hz, its length in samples."""

    record: str
    reference: Annotations
    test: Annotations
    fs: float
    record_end: int | None


@dataclass(frozen=True, slots=True)
class Annotators:
    """Names of the annotators, which are the endings of their files."""

    reference: str
    test: str

    @property
    def pair(self) -> tuple[str, str]:
        """Reference and test."""
        return self.reference, self.test


@dataclass(frozen=True, slots=True)
class Options:
    """What to print, and how to count.

    `escapes` None is what the tools do: S in text; JSON then holds both tables. `only` chooses
    one kind of run or episode. `long` is `epicmp`'s report without `-L`. `episodes` are the rules
    for `epicmp`, whose `learning_s` counts for all.
    """

    format: Format
    escapes: Escapes | None = None
    with_s: bool = True
    only: RunKind | EpisodeKind | None = None
    long: bool = False
    summary: bool = False
    episodes: EpisodeRules = field(default_factory=EpisodeRules)

    @property
    def learning_s(self) -> float:
        """Where the comparison starts."""
        return self.episodes.learning_s

    @property
    def text_escapes(self) -> Escapes:
        """The class table of text formats."""
        return self.escapes or "s"


def find_records(test: Path, annotator: str) -> list[str]:
    """Return the names of all records the test annotator has annotated, in order.

    Raises:
        DataError: There is none.
    """
    records = sorted(path.stem for path in test.glob(f"*.{annotator}"))
    if not records:
        raise DataError(f"{test}: no file ends in .{annotator}; check --test and --annotator")
    return records


def load_case(references: Sequence[Path], test: Path, record: str, names: Annotators) -> Case:
    """Read one record from the first of the reference directories that has it.

    Raises:
        DataError: No directory has the reference annotations.
        RecordError: A file is missing or damaged.
    """
    folder = next((d for d in references if (d / f"{record}.{names.reference}").is_file()), None)
    if folder is None:
        searched = ", ".join(str(directory) for directory in references)
        raise DataError(f"no {record}.{names.reference} in {searched}")
    header = read_header(folder / record)
    reference = read_annotations(folder / f"{record}.{names.reference}")
    found = read_annotations(test / f"{record}.{names.test}")
    return Case(
        record=record,
        reference=reference.at_rate(header.fs_fraction),
        test=found.at_rate(header.fs_fraction),
        fs=header.fs,
        # WFDB takes 0 for "not known", as it does a missing number.
        record_end=header.n_samples or None,
    )


def _each(cases: Sequence[Case], compare: Callable[[Case], Score]) -> dict[str, Score]:
    scores = {}
    for case in cases:
        try:
            scores[case.record] = compare(case)
        except ValueError as error:
            raise DataError(f"record {case.record}: {error}") from error
    return scores


def _beats(cases: Sequence[Case], options: Options, escapes: Escapes) -> dict[str, BeatMatrix]:
    return _each(
        cases,
        lambda case: compare_beats(
            case.reference,
            case.test,
            case.fs,
            case.record_end,
            learning_s=options.learning_s,
            escapes=escapes,
        ),
    )


def _runs(cases: Sequence[Case], options: Options, kind: RunKind) -> dict[str, RunMatrix]:
    return _each(
        cases,
        lambda case: compare_runs(
            case.reference,
            case.test,
            case.fs,
            case.record_end,
            kind,
            learning_s=options.learning_s,
        ),
    )


def _episodes(
    cases: Sequence[Case], options: Options, kind: EpisodeKind
) -> dict[str, EpisodeScore]:
    return _each(
        cases,
        lambda case: compare_episodes(
            case.reference, case.test, case.fs, case.record_end, kind, options.episodes
        ),
    )


def _beat_text(cases: Sequence[Case], names: Annotators, options: Options) -> str:
    scores = _beats(cases, options, options.text_escapes).items()
    with_s = options.with_s
    if options.format in ("matrix", "condensed"):
        show = formats.beat_matrix if options.format == "matrix" else formats.condensed_matrix
        return "".join(show(name, score, names.pair, with_s=with_s) for name, score in scores)
    if options.format == "shutdown":
        heading = formats.SHUTDOWN_HEADING if with_s else formats.SHUTDOWN_HEADING_V
        line = formats.shutdown_line
    else:
        heading = formats.BEAT_HEADING if with_s else formats.BEAT_HEADING_V
        line = formats.beat_line
    return heading + "".join(line(name, score, with_s=with_s) for name, score in scores)


def _run_texts(cases: Sequence[Case], options: Options) -> list[str]:
    return [
        formats.RUN_HEADINGS[kind]
        + "".join(formats.run_line(*one) for one in _runs(cases, options, kind).items())
        for kind in _RUNS
        if options.only in (None, kind)
    ]


def _episode_texts(cases: Sequence[Case], names: Annotators, options: Options) -> list[str]:
    kinds = [kind for kind in _EPISODES if options.only in (None, kind)]
    scores = {kind: _episodes(cases, options, kind) for kind in kinds}
    if options.long:
        return [
            formats.episode_report(case.record, scores[kind][case.record], names.pair)
            for case in cases
            for kind in kinds
        ]
    return [
        formats.EPISODE_HEADINGS[kind]
        + "".join(formats.episode_line(*one) for one in scores[kind].items())
        for kind in kinds
    ]


def _as_json(cases: Sequence[Case], names: Annotators, options: Options) -> str:
    tables: tuple[Escapes, ...] = ("n", "s") if options.escapes is None else (options.escapes,)
    report = {
        "annotators": {"reference": names.reference, "test": names.test},
        "beats": {f"escapes_{t}": beat_report(_beats(cases, options, t)) for t in tables},
        "runs": {k: run_report(_runs(cases, options, k), options.learning_s) for k in _RUNS},
        "episodes": {
            kind: episode_report(_episodes(cases, options, kind), options.episodes)
            for kind in _EPISODES
        },
    }
    return json.dumps(report, indent=2, allow_nan=False) + "\n"


def score_text(cases: Sequence[Case], names: Annotators, options: Options) -> str:
    """Compare all records and return the report asked for.

    Raises:
        DataError: A record cannot be compared; says which and why.
    """
    if options.format == "json":
        return _as_json(cases, names, options)
    if options.format == "rxr":
        texts = _run_texts(cases, options)
    elif options.format == "epicmp":
        texts = _episode_texts(cases, names, options)
    else:
        texts = [_beat_text(cases, names, options)]
    return "".join(sumstats(text) if options.summary else text for text in texts)
