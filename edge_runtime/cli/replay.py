"""`edge-runtime replay`: a recording through the engine that runs live."""

import json
import sys
import time
from collections.abc import Iterable, Iterator
from fractions import Fraction
from math import isfinite
from pathlib import Path
from typing import BinaryIO

import click

from edge_runtime import config
from edge_runtime.assembly import engine_settings
from edge_runtime.cli.failing import INTERRUPTED, exit_status, reader_may_leave
from edge_runtime.cli.options import config_option, set_option
from edge_runtime.events import Event
from edge_runtime.publication import Session
from edge_runtime.replay import replay
from edge_runtime.sinks.json_lines import JsonLines
from edge_runtime.sinks.wfdb_annotations import AnnotationWriter, writable
from edge_runtime.summary import Summary
from edge_runtime.update.choice import chosen_set
from firmware_bridge.errors import RateUnknownError, RecordError, UsageError
from firmware_bridge.records import PlayedRecord, open_record
from firmware_bridge.stream import SampleChunk, SignalKind, StreamItem, StreamOpened

_CHUNK_S = 60
_REALTIME_CHUNK_S = 0.1


@click.command("replay")
@click.argument("record", type=click.Path(path_type=Path))
@click.option("--channel", help="Lead to analyse, by number from 0 or by name. Default: the best.")
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the annotation file RECORD.ANNOTATOR into this folder.",
)
@click.option(
    "--annotator", default="edge", show_default=True, help="Ending of the annotation file."
)
@click.option(
    "--from",
    "from_s",
    type=click.FloatRange(0),
    default=0.0,
    metavar="SECONDS",
    help="Begin so far into the record; times of events count from there.",
)
@click.option(
    "--to",
    "to_s",
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="Stop so far into the record. Also reads what is there of a truncated file.",
)
@click.option("--realtime", is_flag=True, help="At the record's own pace instead of full speed.")
@click.option("--fs", type=click.FloatRange(1), help="Rate in Hz of a CSV without a time column.")
@config_option
@set_option
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Events as JSON lines on standard output, the summary as the last one.",
)
def command(
    record: Path,
    channel: str | None,
    output: Path | None,
    annotator: str,
    from_s: float,
    to_s: float | None,
    realtime: bool,
    fs: float | None,
    file: Path | None,
    settings: tuple[str, ...],
    as_json: bool,
) -> None:
    """Analyse RECORD, a WFDB record (named without ending), an EDF or a CSV file.

    The same engine that runs live: same conditioning, detector, models, rules and alarms. With
    --output it writes a WFDB annotation file in the record's own samples, which any WFDB tool
    reads: beats with their class, rhythm changes, alarms as comments.

    \b
        edge-runtime replay mitdb/208 --channel MLII --output out
        rdann -r mitdb/208 -a edge

    Ctrl-C ends it with the summary, and the annotations, so far; the exit status is then 130.
    """
    with exit_status():
        loaded, _ = config.load(file, settings)
        chunk_s = _REALTIME_CHUNK_S if realtime else _CHUNK_S
        played = _played(record, channel, fs)
        opened, first = played.opened, _frames(from_s, played)
        last = None if to_s is None else _frames(to_s, played)
        if output:
            writable(output, record.stem, annotator)
        chunk = max(1, int(chunk_s * opened.reference.rate_hz))
        items = played.items(chunk, first, last)
        bundles = chosen_set(loaded).bundles
        # Without --output nothing is kept: a month takes no more memory than a minute.
        annotations = AnnotationWriter(first, played.per_frame) if output else None
        summary = Summary()
        sink = _EventLines(opened, sys.stdout.buffer) if as_json else None
        paced = _paced(items, float(opened.reference.rate_hz)) if realtime else items
        counted = _counted(paced, summary, record)
        started = time.perf_counter()
        interrupted = False
        try:
            for event in replay(bundles, counted, engine_settings(loaded, lead="auto")):
                summary.see(event)
                if annotations:
                    annotations.see(event)
                if sink:
                    sink.see(event)
        except KeyboardInterrupt:
            interrupted = True
        elapsed_s = time.perf_counter() - started
        written = (
            annotations.write(output, record.stem, annotator) if annotations and output else None
        )
    with reader_may_leave():
        if as_json:
            result = summary.as_dict() | {
                "elapsed_s": elapsed_s,
                "written": written and str(written),
                "interrupted": interrupted,
            }
            click.echo(json.dumps({"summary": result}))
        else:
            lines = summary.lines()
            if elapsed_s > 0 and not realtime:
                lines.append(f"  speed   {summary.duration_s / elapsed_s:.0f} times real time")
            if written:
                lines.append(f"  wrote   {written}")
            if interrupted:
                lines.append("  interrupted: this is what was seen until then")
            click.echo("\n".join(lines))
    if interrupted:
        sys.exit(INTERRUPTED)


def _played(record: Path, channel: str | None, fs: float | None) -> PlayedRecord:
    """What is analysed of the record. Raises UsageError unless it is an ECG."""
    channels = None if channel is None else [int(channel) if channel.isdigit() else channel]
    try:
        played = open_record(record, channels, fs=fs)
    except RateUnknownError as error:
        raise RateUnknownError(f"{record}: has no time column; give its rate by --fs HZ") from error
    if played.signal.kind is not SignalKind.ECG:
        names = ", ".join(played.signal.leads)
        raise UsageError(f"{record}: {names} is no ECG; choose another channel")
    return played


def _frames(seconds: float, played: PlayedRecord) -> int:
    """The frame nearest to `seconds` into the record. Raises UsageError for what is no time."""
    if not isfinite(seconds):
        raise UsageError(f"{seconds} is no time in seconds")
    return round(Fraction(str(seconds)) * played.frames_hz)


def _counted(items: Iterable[StreamItem], summary: Summary, record: Path) -> Iterator[StreamItem]:
    """The same items, counted. Raises RecordError at the end if there was not one sample."""
    empty = True
    for item in items:
        yield item
        empty = empty and not isinstance(item, SampleChunk)
        summary.reach(item)
    if empty:
        raise RecordError(f"{record}: the record holds no readable sample, nothing to analyse")


def _paced(items: Iterable[StreamItem], rate_hz: float) -> Iterator[StreamItem]:
    started = time.monotonic()
    for item in items:
        if isinstance(item, SampleChunk):
            time.sleep(max(0.0, started + item.end / rate_hz - time.monotonic()))
        yield item


class _EventLines:
    """Events of a recording as the daemon's own JSON lines; times count from now."""

    def __init__(self, opened: StreamOpened, stream: BinaryIO) -> None:
        self._session = Session.begin(opened)
        self._lines = JsonLines(stream)

    def see(self, event: Event) -> None:
        self._lines.see([self._session.publish(event)])
