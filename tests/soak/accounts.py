"""Whether each sample that a sensor took is in the store or in a marked gap."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge_runtime.store.reading import read_only
from firmware_bridge.records import read_physical
from tests.firmware_bridge.simulated import MODULUS
from tests.soak import numbers


@dataclass(frozen=True, slots=True)
class Hole:
    """A marked gap: samples `first` to `first + n_missing`; `exact`: so many, no estimate."""

    first: int
    n_missing: int
    exact: bool


@dataclass(frozen=True, slots=True)
class Account:
    """What became of a stream's samples. `unmarked`: neither there nor in a gap, or in both;
    `misplaced`: not where their number says. `off_s`: how much longer than by the host's clock
    the estimated gaps are, all together."""

    stream: str
    sessions: int
    delivered: int
    in_gaps: int
    gaps: int
    inexact_gaps: int
    unmarked: int
    misplaced: int
    off_s: float


def unmarked(told: NDArray[np.int64], holes: list[Hole]) -> int:
    """How many samples are missing outside of all holes, or there inside of one."""
    marked = np.zeros(len(told), np.bool_)
    for hole in holes:
        marked[hole.first : hole.first + hole.n_missing] = True
    return int(((told < 0) != marked).sum())


def misplaced(told: NDArray[np.int64], holes: list[Hole]) -> int:
    """How many numbers do not go on from the first one of their stretch; only a hole of unknown
    length begins another stretch."""
    edges = [0, *(hole.first + hole.n_missing for hole in holes if not hole.exact), len(told)]
    wrong = 0
    for first, end in pairwise(edges):
        at = np.arange(first, end)[told[first:end] >= 0]
        if len(at):
            offsets = (told[at] - at) % MODULUS
            wrong += int((offsets != offsets[0]).sum())
    return wrong


def account(store: Path, stream: str, rate_hz: int, lead: int) -> Account:
    """Of the one session that `stream` must have; its numbers are on `lead`.

    Raises LookupError where it has none.
    """
    with closing(read_only(store)) as connection:
        names = connection.execute("SELECT id, name FROM session WHERE source = ?", (stream,))
        sessions = names.fetchall()
        if not sessions:
            raise LookupError(f"the store has no session of {stream}")
        number, name = sessions[0]
        holes = [
            Hole(first, n_missing, bool(exact))
            for first, n_missing, exact in connection.execute(
                "SELECT first, n_missing, exact FROM gap WHERE session = ? ORDER BY first",
                (number,),
            )
        ]
        off_s = _off_s(connection, number, holes, rate_hz)
    told = numbers.read(read_physical(store / "raw" / name / "ecg")[:, lead])
    return Account(
        stream,
        len(sessions),
        int((told >= 0).sum()),
        sum(hole.n_missing for hole in holes),
        len(holes),
        sum(not hole.exact for hole in holes),
        unmarked(told, holes),
        misplaced(told, holes),
        off_s,
    )


def _off_s(connection: sqlite3.Connection, session: int, holes: list[Hole], rate_hz: int) -> float:
    """By the anchors (an index, and the host's time when it came), of which the promptest before
    the first estimated hole is held against the promptest behind the last one."""
    query = "SELECT at, host_ns FROM anchor WHERE session = ? ORDER BY at"
    anchors = connection.execute(query, (session,)).fetchall()
    estimated = [hole.first for hole in holes if not hole.exact]
    if not estimated:
        return 0.0
    before = [ns / 1e9 - at / rate_hz for at, ns in anchors if at < estimated[0]]
    behind = [ns / 1e9 - at / rate_hz for at, ns in anchors if at > estimated[-1]]
    return min(before) - min(behind) if before and behind else 0.0
