"""`edge-runtime wearer`: who wears a sensor, as a pseudonym, and whom that stands for."""

import json
from pathlib import Path
from urllib.parse import quote

import click

from edge_runtime import config
from edge_runtime.audit import Audit, this_user
from edge_runtime.cli.asking import ask_where_in_use
from edge_runtime.cli.failing import exit_status
from edge_runtime.cli.options import config_option, json_option, set_option
from edge_runtime.config import Config
from edge_runtime.errors import StoreInUseError
from edge_runtime.store.disk import DirectoryLock, make_private_directory
from edge_runtime.wearers import Identity, Wearers, forget, identify, identities
from firmware_bridge.errors import UsageError


@click.group("wearer")
def command() -> None:
    """Who wears which sensor.

    A session belongs to a source and a pseudonym. Whom a pseudonym stands for lies in one file,
    identities.json of the store.directory, and nowhere else: without it nobody can tell.
    """


@command.command("set")
@click.argument("source")
@click.argument("pseudonym")
@config_option
@set_option
def set_wearer(source: str, pseudonym: str, file: Path | None, settings: tuple[str, ...]) -> None:
    """PSEUDONYM wears SOURCE from now on: a new session begins. "" names nobody.

    It holds over restarts, and above `subject` of the configuration.
    """
    with exit_status():
        loaded, _ = config.load(file, settings)
        wearers = _wearers(loaded)
        if source not in [one.name for one in loaded.source]:
            names = ", ".join(one.name for one in loaded.source) or "none"
            raise UsageError(f"no source {source!r} is configured; there are: {names}")
        directory = loaded.store.directory
        make_private_directory(directory)
        try:
            lock = DirectoryLock(directory)
        except StoreInUseError as in_use:
            path = f"/sources/{quote(source, safe='')}/wearer"
            ask_where_in_use(in_use, directory, "POST", path, {"wearer": pseudonym})
            return
        try:
            if wearers.change(source, pseudonym):
                Audit(directory).record(this_user(), "wearer", source=source)
        finally:
            lock.release()


@command.command("list")
@config_option
@set_option
@json_option
def list_wearers(file: Path | None, settings: tuple[str, ...], as_json: bool) -> None:
    """The wearer of each source, and the pseudonyms that somebody is known for (not whom)."""
    with exit_status():
        loaded, _ = config.load(file, settings)
        wearers = _wearers(loaded)
        worn = {one.name: wearers.get(one.name) for one in loaded.source}
        known = sorted(identities(loaded.store.directory))
    if as_json:
        click.echo(json.dumps({"sources": worn, "identified": known}))
        return
    for source, pseudonym in worn.items():
        click.echo(f"{source:<16} {pseudonym or 'not named'}")
    click.echo(f"identified: {', '.join(known) or 'nobody'}")


@command.command("identify")
@click.argument("pseudonym")
@click.option("--name", prompt=True, help="The person's name; asked for where it is not given.")
@click.option("--born", default="", help="Date of birth.")
@click.option("--note", default="", help="Anything else.")
@config_option
@set_option
def identify_wearer(
    pseudonym: str,
    name: str,
    born: str,
    note: str,
    file: Path | None,
    settings: tuple[str, ...],
) -> None:
    """Write down whom PSEUDONYM stands for."""
    with exit_status():
        loaded, _ = config.load(file, settings)
        directory = loaded.store.directory
        identify(directory, pseudonym, Identity(name=name, born=born, note=note))
        Audit(directory).record(this_user(), "identify")


@command.command("who")
@click.argument("pseudonym")
@config_option
@set_option
@json_option
def who(pseudonym: str, file: Path | None, settings: tuple[str, ...], as_json: bool) -> None:
    """Say whom PSEUDONYM stands for. Exit status 1 where nobody wrote it down."""
    with exit_status():
        loaded, _ = config.load(file, settings)
        directory = loaded.store.directory
        found = identities(directory).get(pseudonym)
        Audit(directory).record(this_user(), "view identity")
    if found is None:
        raise click.ClickException(f"nobody is known as {pseudonym!r}")
    if as_json:
        click.echo(json.dumps({"name": found.name, "born": found.born, "note": found.note}))
        return
    click.echo(" ".join(part for part in (found.name, found.born, found.note) if part))


@command.command("forget")
@click.argument("pseudonym")
@config_option
@set_option
def forget_wearer(pseudonym: str, file: Path | None, settings: tuple[str, ...]) -> None:
    """Forget whom PSEUDONYM stands for; its sessions stay, and are nobody's. Exit status 1 where
    nobody was known."""
    with exit_status():
        loaded, _ = config.load(file, settings)
        directory = loaded.store.directory
        known = forget(directory, pseudonym)
        if known:
            Audit(directory).record(this_user(), "forget identity")
    if not known:
        raise click.ClickException(f"nobody is known as {pseudonym!r}")


def _wearers(loaded: Config) -> Wearers:
    configured = {source.name: source.subject for source in loaded.source}
    return Wearers(loaded.store.directory, configured)
