"""`edge-runtime update`: models, firmware and this program itself from a signed repository."""

import json
from functools import partial
from pathlib import Path

import click

from edge_runtime import config
from edge_runtime.cli.failing import exit_status
from edge_runtime.cli.options import config_option, json_option, set_option
from edge_runtime.config import Config
from edge_runtime.errors import ConfigError
from edge_runtime.update.owner import become_owner


@click.command("update")
@config_option
@set_option
@click.option("--plan", "only_plan", is_flag=True, help="Only say what would be done.")
@click.option(
    "--trust",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="As administrator, once: trust the keys of this root file, and do nothing else.",
)
@click.option(
    "--release",
    "own_release",
    is_flag=True,
    help="As root: this program's own newest release instead, where its Debian package is.",
)
@click.option(
    "--now", is_flag=True, help="With --release: also while an alarm is on, or nobody can say."
)
@json_option
def command(
    file: Path | None,
    settings: tuple[str, ...],
    only_plan: bool,
    trust: Path | None,
    own_release: bool,
    now: bool,
    as_json: bool,
) -> None:
    """Fetch the newest models and firmware from update.repository.

    Everything is checked against the keys in update.root. A new bundle set is verified, replays its
    golden vectors on this machine and runs beside the present one over the last stored hour; then
    it is staged. The daemon takes it when no alarm is on, keeps it on trial, and confirms it or
    takes it back. Firmware is fetched and checked; flashing it is `firmware-bridge flash`.

    With --release, which ecg-edge-release-update.timer runs as root, the daemon's own newest
    release is fetched, checked, unpacked beside the present one and started; it has three tries,
    and gives way to the one before.

    Monitoring goes on whatever happens here. Exit status 1 when the update is refused, 3 when the
    set that was fetched does not hold on this machine.
    """
    with exit_status():
        loaded, _ = config.load(file, settings)
        if trust is not None:
            from edge_runtime.update.root import trust_root  # noqa: PLC0415 - an extra

            trust_root(trust, loaded.update.root)
            click.echo(f"this device trusts the keys of {loaded.update.root} from now on")
            return
        _require_updates(loaded)
        say = partial(_say, as_json)
        if own_release:
            from edge_runtime.update.own_release import OwnRelease  # noqa: PLC0415 - an extra

            answer = OwnRelease(loaded, say).run(only_plan=only_plan, now=now)
        else:
            from edge_runtime.update.updating import Updating  # noqa: PLC0415 - an extra

            become_owner(loaded.store.directory)
            answer = Updating(loaded, say).run(only_plan=only_plan)
    if as_json:
        click.echo(json.dumps(answer))


def _require_updates(loaded: Config) -> None:
    """A repository, and what reads one. Raises ConfigError."""
    if loaded.update.repository is None:
        raise ConfigError("update.repository: none is configured; docs/updates.md says what it is")
    try:
        import tuf  # noqa: F401, PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{error.name} is not installed; pip install 'ecg-edge[update]'"
        ) from error


def _say(as_json: bool, line: str) -> None:
    click.echo(line, err=as_json)
