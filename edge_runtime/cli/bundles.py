"""`edge-runtime bundles`: which model sets this device keeps, and which of them runs."""

import json
import shutil
from pathlib import Path

import click

from edge_runtime import config
from edge_runtime.cli.failing import exit_status
from edge_runtime.cli.options import config_option, json_option, set_option
from edge_runtime.errors import ConfigError, UpdateError
from edge_runtime.update.owner import become_owner
from edge_runtime.update.shelf import SHIPPED, Shelf

_TAKEN = "the daemon takes it as soon as no alarm is on, or when it starts"


@click.group("bundles")
def command() -> None:
    """Say and change which bundle set runs. The last two are kept, and the shipped one."""


@command.command("list")
@config_option
@set_option
@json_option
def _list(file: Path | None, settings: tuple[str, ...], as_json: bool) -> None:
    """Every set that is here: what runs, what ran before, what is staged or on trial."""
    with exit_status():
        shelf = _shelf(file, settings)
        state = shelf.state()
        from edge_runtime.inference.bundle import load_bundle_set  # noqa: PLC0415 - slow

        shipped = load_bundle_set(shelf.place(SHIPPED))
    rows = {
        SHIPPED: {"version": shipped.version, "origin": "shipped"},
        **{k: {"version": kept.version, "origin": kept.origin} for k, kept in state.sets.items()},
    }
    for set_id, row in rows.items():
        row["role"] = " ".join(
            word
            for word, applies in (
                ("runs", set_id == state.current),
                ("on trial", set_id == state.current and state.trial is not None),
                ("before", set_id == (state.trial.before if state.trial else state.previous)),
                ("staged", state.staged is not None and set_id == state.staged.id),
            )
            if applies
        )
    if as_json:
        click.echo(json.dumps({"sets": rows, "rejected": state.rejected}))
        return
    for set_id, row in rows.items():
        click.echo(f"{set_id:32} {row['version']:10} {row['origin']:9} {row['role']}".rstrip())
    for fingerprint, why in state.rejected.items():
        click.echo(f"rejected {fingerprint[:12]}: {why}")


@command.command("activate")
@click.argument("which")
@click.option(
    "--unsigned",
    is_flag=True,
    help="WHICH is a folder with a set that nobody has signed; it is shown all the time.",
)
@config_option
@set_option
def _activate(which: str, unsigned: bool, file: Path | None, settings: tuple[str, ...]) -> None:
    """Run the set WHICH: an id of `list`, or with --unsigned a folder. It is on trial at first."""
    with exit_status():
        shelf = _shelf(file, settings)
        if unsigned:
            which = _take_in(shelf, Path(which))
        elif Path(which).is_dir() and which != SHIPPED:
            raise ConfigError(
                f"nobody has signed {which}; --unsigned runs it all the same, and shows that"
            )
        else:
            shelf.stage(which)
    click.echo(f"{which} is staged: {_TAKEN}")


@command.command("rollback")
@config_option
@set_option
def _rollback(file: Path | None, settings: tuple[str, ...]) -> None:
    """Run the set before the present one again; without a trial, it has had its own."""
    with exit_status():
        shelf = _shelf(file, settings)
        state = shelf.state()
        before = state.trial.before if state.trial else state.previous
        if before is None:
            raise UpdateError("there is no set before the present one; `bundles list` says what is")
        shelf.stage(before, trial=False)
    click.echo(f"{before} is staged: {_TAKEN}")


@command.command("forget")
@config_option
@set_option
def _forget(file: Path | None, settings: tuple[str, ...]) -> None:
    """Forget which sets failed on this device, so that they may be tried again."""
    with exit_status():
        _shelf(file, settings).forget_rejections()


def _shelf(file: Path | None, settings: tuple[str, ...]) -> Shelf:
    loaded, _ = config.load(file, settings)
    if loaded.bundles.directory != config.SHIPPED_BUNDLES:
        raise ConfigError(
            "bundles.directory names a set of its own; remove it from the configuration to choose "
            "among those that are kept"
        )
    become_owner(loaded.store.directory)
    return Shelf(loaded.store.directory)


def _take_in(shelf: Shelf, folder: Path) -> str:
    """A copy of an unsigned set on the shelf, after the checks that every set must pass."""
    from edge_runtime.golden_engine import run_engine  # noqa: PLC0415 - slow imports
    from edge_runtime.inference.golden import check_bundle_set, require_golden  # noqa: PLC0415
    from edge_runtime.store.disk import make_directory  # noqa: PLC0415

    require_golden(check_bundle_set(folder, run_engine))
    incoming = shelf.folder / "incoming" / "unsigned"
    shutil.rmtree(incoming, ignore_errors=True)
    make_directory(incoming.parent)
    shutil.copytree(folder, incoming)
    return shelf.add(incoming, "unsigned")
