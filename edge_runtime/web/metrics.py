"""Prometheus metrics in its text format (0.0.4), out of what the page knows."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from edge_runtime.availability import Availability
from edge_runtime.dropped import Drop
from edge_runtime.web.shapes import Alarm, DroppedCount, SourceStatus

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_PREFIX: Final = "ecg_edge"

_GAUGES: Final[tuple[tuple[str, str, Callable[[SourceStatus], float | None]], ...]] = (
    ("source_up", "1 while samples arrive.", lambda one: one.availability is Availability.ONLINE),
    ("heart_rate_bpm", "Displayed heart rate.", lambda one: one.heart_rate_bpm),
    ("sample_age_seconds", "Since the newest sample arrived.", lambda one: one.age_s),
    ("battery_percent", "As the device tells it.", lambda one: one.battery_percent),
)
_COUNTERS: Final[tuple[tuple[str, str, Callable[[SourceStatus], float]], ...]] = (
    ("gaps_total", "Holes in the signal since the start.", lambda one: one.gaps),
    ("missing_seconds_total", "Signal that never came.", lambda one: one.missing_s),
    ("monitored_seconds_total", "Signal since the start.", lambda one: one.duration_s),
)


def metrics(
    sources: Sequence[SourceStatus],
    alarms: Sequence[Alarm],
    readers: int,
    dropped: Sequence[DroppedCount],
) -> str:
    """The whole text. A value that is not known has no line."""
    lines = [*_lines(sources, alarms, readers), *_dropped_lines(dropped)]
    return "".join(f"{line}\n" for line in lines)


def _dropped_lines(dropped: Sequence[DroppedCount]) -> Iterator[str]:
    """Every kind has a line, so that nothing dropped is told as 0."""
    yield from _head("dropped_total", "What had to be dropped since the start.", "counter")
    for kind in Drop:
        counts = [(one.source, one.count) for one in dropped if one.kind is kind]
        for source, n in counts or [("", 0)]:
            yield _line("dropped_total", {"kind": kind.value, "source": source}, n)


def _lines(sources: Sequence[SourceStatus], alarms: Sequence[Alarm], readers: int) -> Iterator[str]:
    for name, meaning, of in _GAUGES:
        yield from _head(name, meaning, "gauge")
        for one in sources:
            value = of(one)
            if value is not None:
                yield _line(name, {"source": one.source}, value)
    for name, meaning, count in _COUNTERS:
        yield from _head(name, meaning, "counter")
        for one in sources:
            yield _line(name, {"source": one.source}, count(one))
    yield from _head("beats_total", "Classified beats since the start.", "counter")
    for one in sources:
        for label, n in one.beats.items():
            yield _line("beats_total", {"source": one.source, "class": label}, n)
    yield from _head("alarms_active", "Alarms whose condition holds.", "gauge")
    for one in sources:
        for priority in ("high", "medium", "low"):
            n = sum(_holds(alarm, one.source, priority) for alarm in alarms)
            yield _line("alarms_active", {"source": one.source, "priority": priority}, n)
    yield from _head("live_readers", "Open pages.", "gauge")
    yield _line("live_readers", {}, readers)


def _holds(alarm: Alarm, source: str, priority: str) -> bool:
    return alarm.active and alarm.source == source and alarm.alarm.priority == priority


def _head(name: str, meaning: str, kind: str) -> Iterator[str]:
    yield f"# HELP {_PREFIX}_{name} {meaning}"
    yield f"# TYPE {_PREFIX}_{name} {kind}"


def _line(name: str, labels: dict[str, str], value: float) -> str:
    told = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    return f"{_PREFIX}_{name}{f'{{{told}}}' if told else ''} {float(value):.10g}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
