"""`edge-runtime sessions`: what is stored, and the end of it."""

import json
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import click
import msgspec

from edge_runtime import config
from edge_runtime.alarms.desk import AlarmDesk
from edge_runtime.assembly import ALARM_STATE_FILE
from edge_runtime.audit import Audit, this_user
from edge_runtime.cli import export
from edge_runtime.cli.asking import ask_where_in_use
from edge_runtime.cli.failing import exit_status
from edge_runtime.cli.options import config_option, json_option, set_option
from edge_runtime.errors import StoreInUseError
from edge_runtime.publication import utc_text
from edge_runtime.store.backups import backups_with
from edge_runtime.store.overview import SessionOverview, session_overview
from edge_runtime.store.reading import KeptSession, read_only, session_rows
from edge_runtime.store.store import idle_store


@click.group("sessions")
def command() -> None:
    """Sessions in the store: one for each stream of a source and wearer."""


command.add_command(export.command, "export")


@command.command("list")
@config_option
@set_option
@json_option
def list_sessions(file: Path | None, settings: tuple[str, ...], as_json: bool) -> None:
    """All sessions, newest first, with the wearer's pseudonym where one was named."""
    with exit_status():
        loaded, _ = config.load(file, settings)
        with closing(read_only(loaded.store.directory)) as connection:
            rows = list(session_rows(connection))
    if as_json:
        click.echo(json.dumps({"sessions": [_plain(row) for row in rows]}))
        return
    for row in rows:
        plain = _plain(row)
        ended = plain["ended"] or "running"
        wearer = row.wearer or "-"
        click.echo(f"{row.name}  {row.source:<12} {wearer:<12} {plain['started']}  {ended}")


@command.command("show")
@click.argument("session")
@config_option
@set_option
@json_option
def show(session: str, file: Path | None, settings: tuple[str, ...], as_json: bool) -> None:
    """SESSION in numbers, with its alarms by rule and its diary of marks."""
    with exit_status():
        loaded, _ = config.load(file, settings)
        directory = loaded.store.directory
        with closing(read_only(directory)) as connection:
            found = session_overview(connection, directory, session)
        Audit(directory).record(this_user(), "view", session=session)
    if as_json:
        counted = msgspec.to_builtins(found)
        click.echo(json.dumps({**counted, "session": _plain(found.session)}))
        return
    for line in _lines(found):
        click.echo(line)


@command.command("delete")
@click.argument("session")
@click.option("--yes", is_flag=True, help="Do not ask.")
@config_option
@set_option
@json_option
def delete(
    session: str, yes: bool, file: Path | None, settings: tuple[str, ...], as_json: bool
) -> None:
    """Delete SESSION for good: signal, strips, beats, events, alarms, reviews, its diary.

    A running daemon is asked to do it (it needs web.enabled); its running session cannot be
    deleted. What is deleted is overwritten in the database; of files the disk may keep blocks
    until they are written anew, which is what an encrypted disk is for. Backups that hold the
    session are named: they are not touched.
    """
    with exit_status():
        loaded, _ = config.load(file, settings)
        directory = loaded.store.directory
        with closing(read_only(directory)) as connection:
            found = session_overview(connection, directory, session)
    if not yes:
        click.confirm(f"Delete {session} ({_size(found)}) for good?", abort=True)
    with exit_status():
        backups = _delete(directory, session)
    if as_json:
        click.echo(json.dumps({"session": session, "backups": backups}))
        return
    click.echo(f"{session} is deleted")
    for folder in backups:
        click.echo(f"the backup in {folder} still holds it")


def _delete(directory: Path, session: str) -> list[str]:
    try:
        with idle_store(directory) as store:
            store.mark_for_removal(session)
            while store.remove_some():
                pass
            AlarmDesk(state_file=directory / ALARM_STATE_FILE).forget(session)
            Audit(directory).record(this_user(), "delete", session=session)
    except StoreInUseError as in_use:
        path = f"/sessions/{quote(session, safe='')}"
        answer = ask_where_in_use(in_use, directory, "DELETE", path)
        return list(answer["backups"])
    return backups_with(directory, session)


def _plain(row: KeptSession) -> dict[str, object]:
    return {
        "session": row.name,
        "source": row.source,
        "wearer": row.wearer,
        "started": utc_text(row.started_utc_ns),
        "ended": None if row.ended_utc_ns is None else utc_text(row.ended_utc_ns),
        "end_reason": row.end_reason,
        "rhythms": list(row.judged),
    }


def _lines(found: SessionOverview) -> list[str]:
    plain = _plain(found.session)
    rules = ", ".join(f"{n} {rule}" for rule, n in found.rules.items()) or "none"
    lines = [
        f"{found.session.name}",
        f"  source   {found.session.source}",
        f"  wearer   {found.session.wearer or 'not named'}",
        f"  from     {plain['started']}",
        f"  to       {plain['ended'] or 'now'}",
        f"  holds    {_size(found)}",
        f"  alarms   {rules}",
        f"  reviews  {found.reviews}",
    ]
    diary = (f"  diary    {utc_text(m.utc_ms * 1_000_000)} {m.text}" for m in found.diary)
    return [*lines, *diary]


def _size(found: SessionOverview) -> str:
    megabytes = (found.raw_bytes + found.strip_bytes) / 1e6
    return f"{found.beats} beats, {found.gaps} gaps, {megabytes:.1f} MB of signal"
