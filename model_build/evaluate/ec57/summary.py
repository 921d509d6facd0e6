"""Gross and average statistics over records, as WFDB's `sumstats` derives them from a report.

`sumstats` reads the printed lines, not the counts behind them, and its figures depend on that:
it does not see F taken for S (its gross SVEB +P is not that of the pooled matrix), and rebuilds
overlaps of episodes from rounded percentages. So this works on text too.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, TypeAlias

from model_build.evaluate.ec57.formats import (
    BEAT_HEADING,
    BEAT_HEADING_V,
    EPISODE_HEADINGS,
    RUN_HEADINGS,
    SHUTDOWN_HEADING,
    duration,
    percent,
)

Counts: TypeAlias = dict[str, int]
"""Counts of one line, or their sums, by the name of their column without the prime."""
Ratios: TypeAlias = list[tuple[float, float]]
"""Parts and wholes of the rates, in the order printed."""


@dataclass(frozen=True, slots=True)
class _Line:
    counts: Counts
    fields: list[str]


def _read(lines: Sequence[str], names: Sequence[str]) -> list[_Line]:
    read = []
    for line in lines:
        fields = line.split()
        try:
            numbers = [int(field) for field in fields[1 : 1 + len(names)]]
            counts = dict(zip(names, numbers, strict=True))
        except ValueError:
            raise ValueError(f"not a line of this report: {line.rstrip()!r}") from None
        read.append(_Line(counts, fields))
    return read


def _total(lines: Sequence[_Line], names: Sequence[str]) -> Counts:
    return {name: sum(line.counts[name] for line in lines) for name in names}


def _columns(heading: str, n: int) -> list[str]:
    return [name.rstrip("'") for name in heading.splitlines()[-1].split()[1 : n + 1]]


def _averages(ratios: Sequence[Ratios]) -> Ratios:
    """For each rate, the sum over records that have it, and the number of those."""
    averages: Ratios = []
    for column in zip(*ratios, strict=True):
        defined = [part / whole for part, whole in column if whole]
        averages.append((sum(defined), len(defined)))
    return averages


def _of(counts: Counts, names: str) -> int:
    return sum(counts[name] for name in names.split())


def _beat_ratios(counts: Counts) -> Ratios:
    found = _of(counts, "Nn Ns Nv Sn Ss Sv Vn Vs Vv Fn Fs Fv")
    return [
        (found, found + _of(counts, "No So Vo Fo")),
        (found, found + _of(counts, "On Os Ov")),
        (counts["Vv"], _of(counts, "Vn Vs Vv Vo")),
        (counts["Vv"], _of(counts, "Nv Sv Vv Ov")),
        (counts["Ss"], _of(counts, "Sn Ss Sv So")),
        (counts["Ss"], _of(counts, "Ns Ss Vs Os")),
    ]


def _beat_ratios_v(counts: Counts) -> Ratios:
    found = _of(counts, "Nn Nv Vn Vv Fn Fv")
    return [
        (found, found + _of(counts, "No Vo Fo")),
        (found, found + _of(counts, "On Ov")),
        (counts["Vv"], _of(counts, "Vn Vv Vo")),
        (counts["Vv"], _of(counts, "Nv Vv Ov")),
        (_of(counts, "Nv Ov"), _of(counts, "Nn Fn On Nv Ov")),
    ]


def _run_ratios(counts: Counts) -> Ratios:
    return [
        (counts[f"{kind}T{side}"], counts[f"{kind}T{side}"] + counts[f"{kind}F{error}"])
        for kind in "CSL"
        for side, error in (("s", "N"), ("p", "P"))
    ]


def _sums(counts: Counts, widths: Sequence[int]) -> str:
    return "".join(f" {n:{w}d}" for n, w in zip(counts.values(), widths, strict=True))


def _beats(lines: Sequence[str]) -> str:
    names = _columns(BEAT_HEADING, 19)
    read = _read(lines, names)
    total = _total(read, names)
    gross = _beat_ratios(total)
    average = _averages([_beat_ratios(line.counts) for line in read])
    errors = [float(line.fields[26]) for line in read if line.fields[26] != "-"]
    # A hundredth, because `percent` multiplies by a hundred.
    average.append((sum(errors) / 100.0, len(errors)))
    return (
        "_" * 132
        + "\nSum"
        + _sums(total, [6, *[3] * 11, 4, *[3] * 6])
        + f"\n{'Gross':83}{''.join(percent(*one) for one in gross)}"
        + f"\n{'Average':83}{''.join(percent(*one) for one in average)}"
        + f"\nTotal QRS complexes: {gross[0][1]}  Total VEBs: {gross[2][1]}"
        + f"  Total SVEBs: {gross[4][1]}\n"
    )


def _beats_v(lines: Sequence[str]) -> str:
    names = _columns(BEAT_HEADING_V, 11)
    read = _read(lines, names)
    total = _total(read, names)
    gross = _beat_ratios_v(total)
    average = _averages([_beat_ratios_v(line.counts) for line in read])

    def rates(ratios: Ratios) -> str:
        return "".join(percent(*one) for one in ratios[:4]) + percent(*ratios[4], places=3)

    return (
        "_" * 86
        + "\nSum "
        + _sums(total, [6, *[3] * 4, 4, *[3] * 5])
        + f"\n{'Gross':54}{rates(gross)}\n{'Average':54}{rates(average)}"
        + f"\nTotal QRS complexes: {gross[0][1]}  Total VEBs: {gross[2][1]}\n"
    )


def _shutdowns(lines: Sequence[str]) -> str:
    names = _columns(SHUTDOWN_HEADING.splitlines()[0], 5)
    read = _read(lines, names)
    seconds = sum(int(line.fields[11]) for line in read)
    sums = _sums(_total(read, names), [4] * 5)
    return f"{'_' * 72}\nSum {sums}{'':38}{seconds:4d} seconds\n"


def _round_percents(ratios: Ratios) -> str:
    return "".join("   -" if whole <= 0 else f" {100.0 * p / whole:3.0f}" for p, whole in ratios)


def _runs(lines: Sequence[str]) -> str:
    names = _columns(RUN_HEADINGS["ventricular"], 12)
    read = _read(lines, names)
    total = _total(read, names)
    average = _averages([_run_ratios(line.counts) for line in read])
    return (
        "_" * 77
        + "\nSum  "
        + _sums(total, [4, *[3] * 11])
        + f"\n{'Gross':55}{_round_percents(_run_ratios(total))}"
        + f"\n{'Average':55}{_round_percents(average)}"
        + f"\nTotal couplets: {_of(total, 'CTs CFN')}  Total short runs: {_of(total, 'STs SFN')}"
        + f"  Total long runs: {_of(total, 'LTs LFN')}\n"
    )


def _milliseconds(text: str) -> int:
    """Parse `[[hours:]minutes:]seconds` with milliseconds."""
    seconds = Fraction(0)
    for part in text.split(":"):
        seconds = 60 * seconds + Fraction(part)
    return int(1000 * seconds)


def _episode_ratios(counts: Counts) -> Ratios:
    return [
        (counts["TPs"], counts["TPs"] + counts["FN"]),
        (counts["TPp"], counts["TPp"] + counts["FP"]),
    ]


def _episodes(lines: Sequence[str]) -> str:
    names = _columns(EPISODE_HEADINGS["af"], 4)
    read = _read(lines, names)
    total = _total(read, names)
    overlap = reference = test = 0
    covered: list[Ratios] = []
    for line in read:
        parts = [0.0 if text == "-" else int(text) / 100.0 for text in line.fields[7:9]]
        of_reference, of_test = (_milliseconds(text) for text in line.fields[9:11])
        longer = of_reference * parts[0] if of_reference > of_test else of_test * parts[1]
        overlap = int(overlap + longer)
        reference += of_reference
        test += of_test
        covered.append([(parts[0], float(of_reference > 0)), (parts[1], float(of_test > 0))])
    gross = [*_episode_ratios(total), (overlap, reference), (overlap, test)]
    average = [
        *_averages([_episode_ratios(line.counts) for line in read]),
        *_averages(covered),
    ]
    shown = [duration(Fraction(ms, 1000)) for ms in (reference, test)]
    return (
        "_" * 72
        + "\nSum   "
        + _sums(total, [4] * 4)
        + f"{'':19}{shown[0]}   {shown[1]}"
        + f"\n{'Gross':27}{_round_percents(gross)}\n{'Average':27}{_round_percents(average)}\n"
    )


_SUMMARIES: Final[dict[str, Callable[[Sequence[str]], str]]] = {
    BEAT_HEADING: _beats,
    BEAT_HEADING_V: _beats_v,
    SHUTDOWN_HEADING: _shutdowns,
    **dict.fromkeys(RUN_HEADINGS.values(), _runs),
    **dict.fromkeys(EPISODE_HEADINGS.values(), _episodes),
}


def sumstats(report: str) -> str:
    """Append sums, gross and average statistics to a report of lines.

    Args:
        report: What `bxb -L` or `-l`, the shutdown report of `bxb -L`, `rxr -L` or `epicmp -L`
            wrote, heading included, with a line for each record.

    Returns:
        The report with its summary, as `sumstats` prints it.

    Raises:
        ValueError: The heading is none of these, or a line does not fit it.
    """
    for heading, summarize in _SUMMARIES.items():
        if report.startswith(heading):
            lines = report[len(heading) :].splitlines()
            records = f"{len(lines)} record{'' if len(lines) == 1 else 's'}"
            return f"{report}{summarize(lines)}\nSummary of results from {records}\n"
    raise ValueError("the report does not begin with a heading of bxb, rxr or epicmp -L")
