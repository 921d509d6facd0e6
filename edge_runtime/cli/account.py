"""`edge-runtime account`: who may change what through the page and the API."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge_runtime import config
from edge_runtime.audit import Audit, this_user
from edge_runtime.cli.failing import exit_status
from edge_runtime.cli.options import config_option, json_option, set_option
from edge_runtime.errors import ConfigError
from edge_runtime.web.roles import ROLES

if TYPE_CHECKING:
    from edge_runtime.web.accounts import Accounts

_role_option = click.option(
    "--role",
    type=click.Choice(list(ROLES)),
    default="acknowledge",
    show_default=True,
    help="view, acknowledge (marks, alarms), or administer (everything).",
)


@click.group("account")
def command() -> None:
    """Names with a role, for the page and for programs.

    They lie in accounts.json of the store.directory, which nobody else may read: passwords as
    argon2 hashes, tokens as SHA-256. A change holds at once, in a running daemon too.
    """


@command.command("set")
@click.argument("name")
@_role_option
@click.option(
    "--password-stdin", "piped", is_flag=True, help="Read it from standard input, for a script."
)
@config_option
@set_option
def set_password(
    name: str, role: str, piped: bool, file: Path | None, settings: tuple[str, ...]
) -> None:
    """Make the account NAME, or give it another password and role.

    The password is asked for; it is no option, because everybody may see a command's options.
    """
    password = (
        sys.stdin.readline().rstrip("\n")
        if piped
        else click.prompt("Password", hide_input=True, confirmation_prompt=True)
    )
    with exit_status():
        _accounts(file, settings).set_password(name, role, password)
        _audited(file, settings, "account set", name, role)


@command.command("token")
@click.argument("name")
@_role_option
@config_option
@set_option
@json_option
def token(
    name: str, role: str, file: Path | None, settings: tuple[str, ...], as_json: bool
) -> None:
    """Make a token for the program NAME and print it, this one time.

    It is sent as `Authorization: Bearer TOKEN`, never in an address.
    """
    with exit_status():
        made = _accounts(file, settings).make_token(name, role)
        _audited(file, settings, "account token", name, role)
    click.echo(json.dumps({"name": name, "role": role, "token": made}) if as_json else made)


@command.command("list")
@config_option
@set_option
@json_option
def list_accounts(file: Path | None, settings: tuple[str, ...], as_json: bool) -> None:
    """Who there is, without hashes."""
    with exit_status():
        found = _accounts(file, settings).listed()
    rows = [
        {"name": one.name, "role": one.role, "kind": "token" if one.token else "password"}
        for one in found
    ]
    if as_json:
        click.echo(json.dumps({"accounts": rows}))
        return
    for row in rows:
        click.echo(f"{row['name']:<20} {row['role']:<12} {row['kind']}")


@command.command("remove")
@click.argument("name")
@config_option
@set_option
def remove(name: str, file: Path | None, settings: tuple[str, ...]) -> None:
    """Remove the account NAME. Exit status 1 when there is none."""
    with exit_status():
        removed = _accounts(file, settings).remove(name)
        if removed:
            _audited(file, settings, "account remove", name)
    if not removed:
        raise click.ClickException(f"there is no account {name!r}")


def _accounts(file: Path | None, settings: tuple[str, ...]) -> "Accounts":
    try:
        # argon2 comes with the extra; `--help` must not need it.
        from edge_runtime.web.accounts import Accounts  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ConfigError(f"{error.name} is not installed; pip install 'ecg-edge[web]'") from error
    loaded, _ = config.load(file, settings)
    return Accounts(loaded.store.directory)


def _audited(
    file: Path | None, settings: tuple[str, ...], act: str, name: str, role: str = ""
) -> None:
    loaded, _ = config.load(file, settings)
    Audit(loaded.store.directory).record(this_user(), act, account=name, role=role)
