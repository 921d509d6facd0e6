"""`edge-runtime export`: a stored session in other people's formats."""

import json
import os
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Final

import click

from edge_runtime import config
from edge_runtime.audit import Audit, this_user
from edge_runtime.cli.failing import exit_status
from edge_runtime.cli.options import config_option, json_option, set_option
from edge_runtime.errors import StoreError
from edge_runtime.exports.csv_file import csv_rows, event_lines
from edge_runtime.exports.edf_file import edf_blocks
from edge_runtime.exports.fhir import Release, fhir_bundle
from edge_runtime.exports.holter_report import holter_pdf
from edge_runtime.exports.recording import Recording, stored_recording
from edge_runtime.exports.report_words import Language
from edge_runtime.exports.strip import ROW_S, strip_pdf
from edge_runtime.exports.wfdb_record import write_wfdb
from edge_runtime.store.holter_reading import stored_holter
from edge_runtime.store.reading import read_only, session_row
from firmware_bridge.errors import UsageError


@click.command("export")
@click.argument("session")
@click.argument("output", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--format",
    "kind",
    type=click.Choice(["wfdb", "csv", "edf", "pdf", "holter", "fhir-r4", "fhir-r5"]),
    required=True,
    help="What to write.",
)
@click.option(
    "--from",
    "from_s",
    type=click.FloatRange(0),
    default=0.0,
    metavar="SECONDS",
    help="Begin so far into the session.",
)
@click.option(
    "--to", "to_s", type=click.FloatRange(0), metavar="SECONDS", help="Stop so far into it."
)
@click.option(
    "--signal",
    "signal",
    metavar="ID",
    help="Of a source with several signals, such as acc beside the ECG; as wfdb or csv.",
)
@click.option("--lead", default="0", help="Lead of the PDF, by number from 0 or by name.")
@click.option(
    "--with-wearer",
    is_flag=True,
    help="Name the wearer, by the pseudonym in the store. Not in CSV and the Holter report.",
)
@click.option(
    "--language", type=click.Choice(["en", "zh"]), default="en", help="Of the Holter report."
)
@click.option(
    "--offset-min",
    type=click.IntRange(-840, 840),
    metavar="MINUTES",
    help="Of the Holter report: how far local time is ahead of UTC; else this machine's.",
)
@click.option("--by", hidden=True, help="On whose behalf, for the audit log.")
@config_option
@set_option
@json_option
def command(
    session: str,
    output: Path,
    kind: str,
    from_s: float,
    to_s: float | None,
    signal: str | None,
    lead: str,
    with_wearer: bool,
    language: Language,
    offset_min: int | None,
    by: str | None,
    file: Path | None,
    settings: tuple[str, ...],
    as_json: bool,
) -> None:
    """Write the stored SESSION, or a stretch of it, to the file OUTPUT.

    \b
    wfdb     OUTPUT.hea, .dat and .edge: signal in its own counts, annotations
    csv      a row for each sample; the events beside it in OUTPUT.events.jsonl
    edf      EDF+ with annotations, 16 bits
    pdf      ECG paper, 25 mm/s and 10 mm/mV when printed at true size
    holter   the Holter summary to print, with strips; of the whole session
    fhir-r4  a Bundle of Device and Observations, at most five minutes
    fhir-r5  the same for R5

    No export holds a name, and a wearer's pseudonym only with --with-wearer; else the session's
    name is the only key. The daemon may be
    running: its session is exported as far as its finished pieces go. OUTPUT is written whole or
    not at all. Exit status 1 where the store has no such signal or the file cannot be written.
    """
    with exit_status():
        loaded, _ = config.load(file, settings)
        if with_wearer and kind in _NAMELESS:
            raise UsageError(f"{_NAMELESS[kind]} has no place for a wearer; choose another format")
        if signal is not None and kind not in _ANY_SIGNAL:
            raise UsageError(f"{kind} is of the ECG; write another signal as wfdb or csv")
        directory = loaded.store.directory
        told: dict[str, object] = {"session": session, "format": kind}
        if kind == "holter":
            _whole(output, [_holter(directory, session, language, offset_min, lead)])
            written = [output]
        else:
            recording = stored_recording(
                directory, session, from_s, to_s, with_wearer=with_wearer, signal=signal
            )
            written = _write(recording, kind, output, lead)
            told["duration_s"] = float(recording.n_samples / recording.rate_hz)
            told["events"] = len(recording.events)
        Audit(directory).record(by or this_user(), "export", session=session, format=kind)
    told["written"] = [str(one) for one in written]
    click.echo(json.dumps(told) if as_json else "\n".join(str(one) for one in written))


def _write(recording: Recording, kind: str, output: Path, lead: str) -> list[Path]:
    match kind:
        case "wfdb":
            path = output.with_suffix("")
            write_wfdb(recording, path)
            return [path.with_suffix(ending) for ending in (".hea", ".dat", ".edge")]
        case "csv":
            beside = output.with_name(f"{output.name}.events.jsonl")
            _whole(output, (text.encode() for text in csv_rows(recording)))
            _whole(beside, event_lines(recording))
            return [output, beside]
        case "edf":
            _whole(output, edf_blocks(recording))
        case "pdf":
            _whole(output, [strip_pdf(recording, _lead(recording, lead))])
        case _:
            bundle = fhir_bundle(recording, _RELEASES[kind])
            _whole(output, [json.dumps(bundle, indent=1).encode()])
    return [output]


def _holter(
    directory: Path, session: str, language: Language, offset_min: int | None, lead: str
) -> bytes:
    read = partial(stored_recording, directory, session)
    with closing(read_only(directory)) as connection:
        row = session_row(connection, session)
        began = datetime.fromtimestamp(row.started_utc_ns / 1e9, UTC)
        own = began.astimezone().utcoffset() or timedelta()
        ahead = own if offset_min is None else timedelta(minutes=offset_min)
        found = stored_holter(connection, session, timezone(ahead))
    try:
        number = _lead(read(0.0, ROW_S), lead)
    except StoreError:
        number = 0  # there is no signal, so no lead of it is shown
    return holter_pdf(found, read, language, number)


_NAMELESS: Final = {"csv": "CSV", "holter": "the Holter report"}
_ANY_SIGNAL: Final = ("wfdb", "csv")
_RELEASES: Final[dict[str, Release]] = {"fhir-r4": "R4", "fhir-r5": "R5"}


def _lead(recording: Recording, lead: str) -> int:
    leads = recording.signal.leads
    if lead in leads:
        return leads.index(lead)
    if lead.isdecimal() and int(lead) < len(leads):
        return int(lead)
    raise UsageError(f"no lead {lead!r}; this session has {', '.join(leads)}")


def _whole(file: Path, parts: Iterable[bytes]) -> None:
    """Write `parts` to `file` by renaming. Raises StoreError."""
    beside = file.with_name(f"{file.name}.part")
    try:
        with beside.open("wb") as out:
            for part in parts:
                out.write(part)
            out.flush()
            os.fsync(out.fileno())
        beside.replace(file)
    except OSError as error:
        raise StoreError(f"{file}: cannot be written ({error.strerror})") from error
    finally:
        beside.unlink(missing_ok=True)
