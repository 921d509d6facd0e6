"""What part of the engine's time its networks take: all that an accelerator could save."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from rich.table import Table

from edge_runtime.engine import Engine
from edge_runtime.inference.bundle import load_bundle_set
from edge_runtime.inference.interpreter import Graph
from tests.synthetic import chunks, ecg, opened, steady

_RATE_HZ = 500
_WAYS = {"live": (0.1, 300), "replay": (60.0, 1800)}
"""Seconds of a chunk, and of the recording."""


def table() -> Table:
    """One lead, live and replayed."""
    shown = Table(title=f"the networks' part of one lead's engine, {_RATE_HZ} Hz")
    for column in ("", "ms a minute of signal", "of it networks"):
        shown.add_column(column, justify="right" if column else "left")
    bundles = load_bundle_set()
    for name, (chunk_s, signal_s) in _WAYS.items():
        signal = ecg(steady(72, 0.5, signal_s), signal_s, _RATE_HZ)
        stream = opened(_RATE_HZ)
        engine = Engine.of_bundles(stream, bundles)
        engine.feed(stream)
        with _timed_networks() as networks:
            began = time.perf_counter()
            for chunk in chunks(signal, round(chunk_s * _RATE_HZ)):
                engine.feed(chunk)
            whole_s = time.perf_counter() - began
        share = sum(networks) / whole_s
        shown.add_row(
            f"{name}: {chunk_s:g} s at a time", f"{60_000 * whole_s / signal_s:.1f}", f"{share:.1%}"
        )
    return shown


@contextmanager
def _timed_networks() -> Iterator[list[float]]:
    """Seconds of every call of a network meanwhile."""
    taken: list[float] = []
    run_all = Graph.run_all

    def timed(graph: Graph, *arguments: Any) -> None:
        began = time.perf_counter()
        run_all(graph, *arguments)
        taken.append(time.perf_counter() - began)

    with patch.object(Graph, "run_all", timed):
        yield taken
