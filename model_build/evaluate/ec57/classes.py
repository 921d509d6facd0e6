"""Which AAMI class a beat annotation belongs to.

Two tables, which differ in the escape beats `e`, `j` and `n` only: `bxb -L`, `-S` and `-C` count
them as supraventricular ectopic beats, most papers as normal beats. Figures by the two are not
comparable, so a table has a name and every report states it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

Escapes: TypeAlias = Literal["n", "s"]

LABELS: Final = "NSVFQOX"
"""Rows of the confusion matrix: the five beat classes, then O (no beat) and X (shutdown)."""

N, S, V, F, Q, NO_BEAT, SHUTDOWN = range(7)
UNCOUNTED: Final = 7
"""Code of what is paired and then not counted: the reference is in ventricular fibrillation."""

# Paced beats (/, f), unclassifiable (?) and learning (?) beats are Q, as in EC57.
_WITHOUT_ESCAPES: Final = {
    N: "NLRB",
    S: "AaJS",
    V: "VEr",
    F: "F",
    Q: "Q?/f",
}
ESCAPE_SYMBOLS: Final = "ejn"


@dataclass(frozen=True, slots=True)
class ClassTable:
    """A named map from annotation symbols to class codes (positions in `LABELS`)."""

    escapes: Escapes
    description: str
    codes: Mapping[str, int]


def _table(escapes: Escapes, description: str, escape_class: int) -> ClassTable:
    codes = {symbol: code for code, symbols in _WITHOUT_ESCAPES.items() for symbol in symbols}
    codes |= dict.fromkeys(ESCAPE_SYMBOLS, escape_class)
    return ClassTable(escapes, description, MappingProxyType(codes))


ESCAPES_AS_N: Final = _table("n", "escape beats (e, j, n) counted as N, as in most papers", N)
ESCAPES_AS_S: Final = _table("s", "escape beats (e, j, n) counted as S, as bxb -L, -S, -C do", S)


def class_table(escapes: Escapes) -> ClassTable:
    """Return the table by its name: escape beats as N ("n") or as S ("s")."""
    return {"n": ESCAPES_AS_N, "s": ESCAPES_AS_S}[escapes]
