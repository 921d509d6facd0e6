"""The comparison in Markdown."""

from collections.abc import Callable, Sequence
from typing import Final

from model_build.denoising.methods import METHODS
from model_build.denoising.study import CLEAN, NOISES, SNRS_DB, Row

_NAMES: Final = {"em": "electrode motion", "ma": "muscle", "bw": "baseline wander"}

_HOW: Final = (
    "Both leads, with the parts of nstdb's noise that may train mixed in as WFDB's `nst` counts "
    "SNR. The shipped filters are causal and run on the device; wavelet (sym8, soft threshold by "
    "level, baseline out) and ICA (FastICA over the two leads, sources of low kurtosis out) see "
    "the whole stretch. The detector is the shipped one, on the first lead; it was tuned behind "
    "the shipped filters, and the others meet it unprepared."
)
_DISTORTION: Final = (
    "Distortion is the root mean square difference from the beat as recorded over the latter's "
    "deviation, P to T, median over beats: what the recording itself holds of noise counts as "
    "signal here."
)


def markdown(rows: Sequence[Row], command: str, records: Sequence[str], seconds: float) -> str:
    """The page of a study that `command` made."""
    n_beats = next(row.beats for row in rows)
    parts = [
        "# Denoising alternatives",
        f"Written by\n\n    {command}",
        f"{seconds:.0f} s from 5:00 on of mitdb {', '.join(records)} ({n_beats} beats). {_HOW}",
        "## Without noise",
        _clean_table(rows),
        _DISTORTION,
    ]
    for kind in NOISES:
        of_kind = [row for row in rows if row.noise == kind]
        parts += [
            f"## {_NAMES[kind].capitalize()} (`{kind}`)",
            _table("SNR gain, dB", of_kind, _gain),
            _table("QRS errors (missed and extra), %", of_kind, _errors),
            _table("Distortion, %", of_kind, _distortion),
        ]
    return "\n\n".join(parts) + "\n"


def _gain(row: Row) -> str:
    # Adding zero makes a rounded minus zero a plain one.
    return "-" if row.gain_db is None else f"{round(row.gain_db, 1) + 0.0:+.1f}"


def _errors(row: Row) -> str:
    return f"{100 * row.qrs_error:.1f}"


def _distortion(row: Row) -> str:
    return f"{100 * row.distortion:.0f}"


def _clean_table(rows: Sequence[Row]) -> str:
    lines = ["| method | QRS errors % | distortion % |", "|---|---|---|"]
    lines += [
        f"| {row.method} | {_errors(row)} | {_distortion(row)} |"
        for row in rows
        if row.snr_db == CLEAN
    ]
    return "\n".join(lines)


def _table(title: str, rows: Sequence[Row], cell: Callable[[Row], str]) -> str:
    lines = [
        f"| {title} | " + " | ".join(f"{snr_db} dB" for snr_db in SNRS_DB) + " |",
        "|---" * (1 + len(SNRS_DB)) + "|",
    ]
    by_place = {(row.method, row.snr_db): cell(row) for row in rows}
    for method in METHODS:
        cells = [by_place[method, snr_db] for snr_db in SNRS_DB]
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return "\n".join(lines)
