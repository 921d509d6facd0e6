"""Scores of several records as one JSON object."""

from collections.abc import Mapping
from typing import TypedDict

from model_build.evaluate.ec57.beats import BeatMatrix, averages, pool
from model_build.evaluate.ec57.classes import ESCAPES_AS_S
from model_build.evaluate.ec57.episodes import EpisodeRules, EpisodeScore
from model_build.evaluate.ec57.rates import EventRates, mean_defined, quotient
from model_build.evaluate.ec57.runs import RunMatrix


class Report(TypedDict):
    """How it was counted, gross and average statistics, and each record's own."""

    rules: dict[str, object]
    gross: dict[str, object]
    average: dict[str, object]
    records: dict[str, dict[str, object]]


def beat_report(matrices: Mapping[str, BeatMatrix]) -> Report:
    """Report beat scores by record name; ValueError if there are none or rules differ.

    Gross figures are those of the pooled matrix by bxb's rules (F taken for S is a false
    positive, which `sumstats` cannot see in a printed line).
    """
    gross = pool(list(matrices.values()))
    return Report(
        rules={
            "escapes": gross.table.escapes,
            "class_table": gross.table.description,
            "learning_s": gross.learning_s,
            "window_s": gross.window_s,
        },
        gross=gross.as_json(),
        average={**averages(list(matrices.values()))},
        records={record: matrix.as_json() for record, matrix in matrices.items()},
    )


def run_report(matrices: Mapping[str, RunMatrix], learning_s: float) -> Report:
    """Report scores of one kind of run by record name."""
    kinds = {
        kind: [getattr(matrix, kind) for matrix in matrices.values()]
        for kind in ("couplets", "short", "long")
    }
    return Report(
        rules={
            "escapes": ESCAPES_AS_S.escapes,
            "class_table": ESCAPES_AS_S.description,
            "learning_s": learning_s,
        },
        gross={kind: _sum(rates).as_json() for kind, rates in kinds.items()},
        average={kind: _mean(rates) for kind, rates in kinds.items()},
        records={record: matrix.as_json() for record, matrix in matrices.items()},
    )


def episode_report(scores: Mapping[str, EpisodeScore], rules: EpisodeRules) -> Report:
    """Report episodes of one kind by record name. Gross durations are summed in seconds."""
    found = list(scores.values())
    seconds = {
        "reference_s": sum(one.reference.duration / one.fs for one in found),
        "reference_overlap_s": sum(one.reference.overlap / one.fs for one in found),
        "test_s": sum(one.test.duration / one.fs for one in found),
        "test_overlap_s": sum(one.test.overlap / one.fs for one in found),
    }
    episodes = [one.episodes for one in found]
    return Report(
        rules={
            "learning_s": rules.learning_s,
            # Infinity is no JSON.
            "until_s": None if rules.until_s is None else str(rules.until_s),
            "shortest_s": rules.shortest_s,
            "short_overlap": rules.short_overlap,
            "flutter": rules.flutter,
            "standard": rules.is_standard,
        },
        gross={
            "episodes": _sum(episodes).as_json(),
            "duration_se": quotient(seconds["reference_overlap_s"], seconds["reference_s"]),
            "duration_ppv": quotient(seconds["test_overlap_s"], seconds["test_s"]),
            **seconds,
        },
        average={
            "episodes": _mean(episodes),
            "duration_se": mean_defined([one.reference.part for one in found]),
            "duration_ppv": mean_defined([one.test.part for one in found]),
        },
        records={record: score.as_json() for record, score in scores.items()},
    )


def _sum(rates: list[EventRates]) -> EventRates:
    return sum(rates, start=EventRates(0, 0, 0, 0))


def _mean(rates: list[EventRates]) -> dict[str, float | None]:
    return {
        "se": mean_defined([one.se for one in rates]),
        "ppv": mean_defined([one.ppv for one in rates]),
    }
