"""The text reports of `bxb`, `rxr` and `epicmp`, byte for byte.

Functions return whole lines, newline included.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Final, TypeAlias

import numpy as np

from model_build.evaluate.ec57.beats import BeatMatrix
from model_build.evaluate.ec57.classes import LABELS, NO_BEAT, SHUTDOWN, F, N, Q, S, V
from model_build.evaluate.ec57.episodes import EpisodeKind, EpisodeScore
from model_build.evaluate.ec57.rates import Rates
from model_build.evaluate.ec57.runs import RunKind, RunMatrix

BEAT_HEADING: Final = (
    "Record Nn' Sn' Vn' Fn' On'  Ns  Ss  Vs  Fs' Os' Nv  Sv   Vv  Fv' Ov' No' So' Vo' Fo'"
    "  Q Se   Q +P   V Se   V +P   S Se   S +P RR err\n"
)
BEAT_HEADING_V: Final = (
    "Record Nn' Vn' Fn' On'  Nv   Vv  Fv' Ov' No' Vo' Fo'  Q Se   Q +P   V Se   V +P  V FPR\n"
)
SHUTDOWN_HEADING: Final = (
    "Record Nx   Sx   Vx   Fx   Qx  % beats  % N    % S    % V    % F   Total Shutdown\n"
    "                                missed missed missed missed missed      Time\n"
)
SHUTDOWN_HEADING_V: Final = (
    "Record Nx   Vx   Fx   Qx  % beats  % N    % V    % F   Total Shutdown\n"
    "                           missed missed missed missed      Time\n"
)
RUN_HEADING: Final = (
    "Record CTs CFN CTp CFP STs SFN STp SFP LTs LFN LTp LFP  CSe C+P SSe S+P LSe L+P\n"
)
RUN_HEADINGS: Final[dict[RunKind, str]] = {
    "ventricular": RUN_HEADING,
    "supraventricular": "(SVE run detection)\n" + RUN_HEADING,
}
EPISODE_HEADING: Final = (
    "Record  TPs   FN  TPp   FP  ESe E+P DSe D+P  Ref duration  Test duration \n"
)
EPISODE_HEADINGS: Final[dict[EpisodeKind, str]] = {
    "af": "(AF detection)\n" + EPISODE_HEADING,
    "vf": "(VF detection)\n" + EPISODE_HEADING,
}

_Groups: TypeAlias = Sequence[Sequence[int]]

# The line and condensed formats add up columns n, f and q, rows F and Q, and O and X.
_N_F_Q, _F_Q, _O_X = (N, F, Q), (F, Q), (NO_BEAT, SHUTDOWN)


def percent(part: float, whole: float, places: int = 2) -> str:
    """Format part / whole as a line of `bxb` does: a blank and six characters."""
    return "      -" if whole <= 0 else f" {100.0 * part / whole:6.{places}f}"


def whole_percent(part: float, whole: float) -> str:
    """Format part / whole as a line of `rxr` or `epicmp` does: a blank and three characters."""
    return "   -" if whole <= 0 else f" {int(100.0 * part / whole + 0.5):3d}"


def duration(seconds: Fraction) -> str:
    """Format a duration in 12 characters, as WFDB's `mstimstr` does, ms rounded half up."""
    ms = (2000 * seconds + 1) // 2
    minutes, rest = divmod(int(ms), 60_000)
    hours, minutes = divmod(minutes, 60)
    tail = f"{minutes:02d}:{rest // 1000:02d}.{rest % 1000:03d}"
    return f"{hours:2d}:{tail}" if hours else f"   {minutes:2d}{tail[2:]}"


def _without_s(matrix: BeatMatrix) -> BeatMatrix:
    """Count S as N, as bxb's formats without SVEB statistics do."""
    counts = matrix.counts.copy()
    counts[N] += counts[S]
    counts[:, N] += counts[:, S]
    counts[S] = counts[:, S] = 0
    return replace(matrix, counts=counts)


def _cell(matrix: BeatMatrix, rows: Sequence[int], columns: Sequence[int]) -> int:
    return int(matrix.counts[np.ix_(rows, columns)].sum())


def _column_cells(matrix: BeatMatrix, rows: _Groups, columns: _Groups) -> list[int]:
    """Return the cells column by column; a beat that is nowhere (O, X by o, x) is no cell."""
    return [
        _cell(matrix, row, column)
        for column in columns
        for row in rows
        if not (row == _O_X and column == _O_X)
    ]


def _pair(rates: Rates) -> tuple[tuple[int, int], tuple[int, int]]:
    return (rates.tp, rates.tp + rates.fn), (rates.tp, rates.tp + rates.fp)


def _veb_false_positive_rate(matrix: BeatMatrix) -> tuple[int, int]:
    fp = matrix.veb.fp
    others = (N, S, F, Q)
    return fp, fp + _cell(matrix, (*others, *_O_X), others)


def beat_line(record: str, matrix: BeatMatrix, *, with_s: bool = True) -> str:
    """One line of `bxb -L`, or of `bxb -l` (S counted as N)."""
    rows: _Groups
    columns: _Groups
    if with_s:
        rows, columns = ((N,), (S,), (V,), _F_Q, _O_X), (_N_F_Q, (S,), (V,), _O_X)
        widths = [5, *[3] * 11, 4, *[3] * 6]
    else:
        matrix = _without_s(matrix)
        rows, columns = ((N,), (V,), _F_Q, _O_X), (_N_F_Q, (V,), _O_X)
        widths = [5, *[3] * 4, 4, *[3] * 5]
    cells = _column_cells(matrix, rows, columns)
    text = f"{record:>4}" + "".join(f" {c:{w}d}" for c, w in zip(cells, widths, strict=True))
    text += "".join(percent(*p) for p in (*_pair(matrix.qrs), *_pair(matrix.veb)))
    if not with_s:
        return text + percent(*_veb_false_positive_rate(matrix), places=3) + "\n"
    text += "".join(percent(*p) for p in _pair(matrix.sveb))
    error = matrix.rr_error_ms
    return text + ("     -" if error is None else f" {error:6.2f}") + "\n"


def shutdown_line(record: str, matrix: BeatMatrix, *, with_s: bool = True) -> str:
    """One line of the shutdown report of `bxb -L`, or of `bxb -l`."""
    matrix = matrix if with_s else _without_s(matrix)
    classes = (N, S, V, F, Q) if with_s else (N, V, F, Q)
    missed = {code: int(matrix.counts[code, SHUTDOWN]) for code in (N, S, V, F, Q)}
    text = f"{record:>4}" + "".join(f" {missed[code]:4d}" for code in classes) + "  "
    # bxb forgets S among the beats missed.
    beats = sum(missed[code] for code in (N, V, F, Q))
    text += percent(beats, matrix.qrs.tp + matrix.qrs.fn)
    text += "".join(percent(missed[c], matrix.reference_total(c)) for c in classes if c != Q)
    totals = " ".join(str(matrix.reference_total(code)) for code in (N, S, V, F, Q))
    return text + f"{matrix.shutdown_s:5d} seconds {totals}\n"


def _preamble(tool: str, record: str, annotators: tuple[str, str]) -> str:
    reference, test = annotators
    return (
        f"{tool} comparison results for record {record}\n"
        f"Reference annotator: {reference}\n"
        f"     Test annotator: {test}\n\n"
    )


def _table(matrix: BeatMatrix, rows: Mapping[str, Sequence[int]], columns: _Groups) -> str:
    lines = []
    for label, row in rows.items():
        beats = [c for c in columns if row[0] not in _O_X or c[0] not in _O_X]
        lines.append(f"{label} |" + "".join(f" {_cell(matrix, row, c):4d}" for c in beats))
    return "\n".join(lines) + "\n\n"


def _ratio(label: str, part: int, whole: int, places: int = 2) -> str:
    share = "     - " if whole <= 0 else f"{100.0 * part / whole:6.{places}f}%"
    return f"{label:>26}: {share} ({part}/{whole})\n"


def _beat_statistics(matrix: BeatMatrix, *, with_s: bool) -> str:
    kinds = {"QRS": matrix.qrs, "VEB": matrix.veb} | ({"SVEB": matrix.sveb} if with_s else {})
    text = ""
    for name, rates in kinds.items():
        found, true = _pair(rates)
        text += _ratio(f"{name} sensitivity", *found)
        text += _ratio(f"{name} positive predictivity", *true)
    if not with_s:
        rate = _veb_false_positive_rate(matrix)
        return text + _ratio("VEB false positive rate", *rate, places=3) + "\n"
    error = matrix.rr_error_ms
    shown = "     -" if error is None else f"{error:6.2f} ms"
    return text + f"     RMS RR interval error: {shown}\n"


def beat_matrix(
    record: str, matrix: BeatMatrix, annotators: tuple[str, str], *, with_s: bool = True
) -> str:
    """The report of `bxb -S`, or of `bxb -s` (S counted as N); annotators: reference, test."""
    matrix = matrix if with_s else _without_s(matrix)
    codes = [c for c in range(len(LABELS)) if with_s or c != S]
    head = "               Algorithm\n   "
    head += "".join(f"{LABELS[c].lower():>6}"[0 if k == 0 else 1 :] for k, c in enumerate(codes))
    rows = {f" {LABELS[c]}": (c,) for c in codes}
    table = _table(matrix, rows, [(c,) for c in codes])
    rule = "   " + "_" * (5 * len(codes) + 1)
    return (
        _preamble("Beat-by-beat", record, annotators)
        + f"{head}\n{rule}\n{table}"
        + _beat_statistics(matrix, with_s=with_s)
    )


def condensed_matrix(
    record: str, matrix: BeatMatrix, annotators: tuple[str, str], *, with_s: bool = True
) -> str:
    """The report of `bxb -C`, or of `bxb -c` (S counted as N); annotators: reference, test."""
    matrix = matrix if with_s else _without_s(matrix)
    rows: dict[str, Sequence[int]] = {"  N ": (N,), "  S ": (S,), "  V ": (V,)}
    rows |= {" F+Q": _F_Q, " O+X": _O_X}
    columns: list[Sequence[int]] = [_N_F_Q, (S,), (V,), _O_X]
    if not with_s:
        del rows["  S "], columns[1]
    head = "         Algorithm\n      n+f+q" + ("    s" if with_s else "") + "    v  o+x\n"
    return (
        _preamble("Beat-by-beat", record, annotators)
        + head
        + f"     {'_' * (21 if with_s else 16)}\n"
        + _table(matrix, rows, columns)
        + _beat_statistics(matrix, with_s=with_s)
    )


def run_line(record: str, matrix: RunMatrix) -> str:
    """One line of `rxr -L`."""
    lengths = (matrix.couplets, matrix.short, matrix.long)
    counts = "".join(f"{n:3d} " for one in lengths for n in (one.tps, one.fn, one.tpp, one.fp))
    rates = "".join(
        whole_percent(one.tps, one.tps + one.fn) + whole_percent(one.tpp, one.tpp + one.fp)
        for one in lengths
    )
    return f"{record:>4} {counts}{rates}\n"


def _clock(samples: int, fs: float) -> str:
    return duration(samples / Fraction(fs)) if samples else "       0.000"


def episode_line(record: str, score: EpisodeScore) -> str:
    """One line of `epicmp -L`."""
    n = score.episodes
    counts = "".join(f" {count:4d}" for count in (n.tps, n.fn, n.tpp, n.fp))
    rates = whole_percent(n.tps, n.tps + n.fn) + whole_percent(n.tpp, n.tpp + n.fp)
    for one in (score.reference, score.test):
        rates += whole_percent(one.overlap, one.duration)
    reference, test = (_clock(c.duration, score.fs) for c in (score.reference, score.test))
    return f"{record:>6}{counts} {rates}  {reference}   {test}\n"


def episode_report(record: str, score: EpisodeScore, annotators: tuple[str, str]) -> str:
    """The report of `epicmp` without `-L`; annotators: reference, test."""
    n = score.episodes

    def line(label: str, part: float, whole: float, shown: str) -> str:
        share = "   - " if whole <= 0 else f"{whole_percent(part, whole)}%"
        return f"{label:>30}:{share} ({shown})\n"

    text = _preamble(f"{score.kind.upper()} episode-by-episode", record, annotators)
    found, true = n.tps + n.fn, n.tpp + n.fp
    text += line("Episode sensitivity", n.tps, found, f"{n.tps}/{found}")
    text += line("Episode positive predictivity", n.tpp, true, f"{n.tpp}/{true}")
    for label, one in (("sensitivity", score.reference), ("positive predictivity", score.test)):
        shown = "/".join(_clock(x, score.fs).strip() for x in (one.overlap, one.duration))
        text += line(f"Duration {label}", one.overlap, one.duration, shown)
    text += f"Duration of reference episodes:  {_clock(score.reference.duration, score.fs)}\n"
    return text + f"     Duration of test episodes:  {_clock(score.test.duration, score.fs)}\n"
