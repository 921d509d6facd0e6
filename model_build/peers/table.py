"""Peers side by side, in Markdown."""

from collections.abc import Iterable, Sequence
from typing import Final

from model_build.evaluate.ec57 import BeatMatrix

_RATES: Final = ("VEB Se", "+P", "F1", "SVEB Se", "+P", "F1")


def markdown_table(
    rows: Iterable[tuple[str, BeatMatrix, Sequence[str]]], more: Sequence[str] = ()
) -> str:
    """VEB and SVEB in per cent of each (title, matrix, further cells), columns `more` behind."""
    head = ["", *_RATES, *more]
    lines = [_line(head), "|---" * len(head) + "|"]
    for title, matrix, further in rows:
        values = [v for r in (matrix.veb, matrix.sveb) for v in (r.se, r.ppv, r.f1)]
        shown = ["-" if value is None else f"{100 * value:.2f}" for value in values]
        lines.append(_line([title, *shown, *further]))
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
