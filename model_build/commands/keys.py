"""`model-build keys`: the keys that sign what devices take."""

from pathlib import Path

import click

from model_build.release.options import keys_option, opened, passphrase_option, repository_option

_PLACES = {
    "root": "each on a medium of its own, in different places; two of three sign",
    "targets": "offline, on a medium that is at hand when something is published",
    "snapshot": "on the machine that renews the repository",
    "timestamp": "on the machine that renews the repository",
}


@click.group("keys")
def command() -> None:
    """Make and replace the keys that sign a repository (docs/updates.md)."""


@command.command("init")
@repository_option
@keys_option
@passphrase_option
def _init(repository: Path, key_folders: tuple[Path, ...], passphrase_file: Path | None) -> None:
    """Make an empty repository and its six keys: three root, targets, snapshot, timestamp."""
    made = opened(repository, key_folders, passphrase_file, new=True)
    made.create()
    for role, names in made.key_names().items():
        click.echo(f"{role:10} {', '.join(names):24} {_PLACES[role]}")
    click.echo(f"devices are given {made.root_file}: `edge-runtime update --trust FILE`")


@command.command("list")
@repository_option
@keys_option
@passphrase_option
def _list(repository: Path, key_folders: tuple[Path, ...], passphrase_file: Path | None) -> None:
    """Name the keys that count now."""
    names = opened(repository, key_folders, passphrase_file).key_names()
    for role in _PLACES:
        click.echo(f"{role:10} {', '.join(names[role])}")


@command.command("rotate")
@click.argument("name")
@repository_option
@keys_option
@passphrase_option
def _rotate(
    name: str, repository: Path, key_folders: tuple[Path, ...], passphrase_file: Path | None
) -> None:
    """Replace the key NAME (as in root-2) by a new one, in its time.

    Needs two root keys other than NAME, and the online keys where they sign anew. Devices follow
    at their next update.
    """
    fresh = opened(repository, key_folders, passphrase_file).replace_key(name)
    click.echo(f"{name} counts no more, {fresh} does; destroy {name}.pem")


@command.command("revoke")
@click.argument("name")
@repository_option
@keys_option
@passphrase_option
def _revoke(
    name: str, repository: Path, key_folders: tuple[Path, ...], passphrase_file: Path | None
) -> None:
    """Replace the key NAME, which was lost or stolen. The key itself is not needed.

    What the repository vouches for is listed: whoever had a stolen targets key could have added to
    it. `model-build publish --withdraw` takes out what does not belong there.
    """
    changed = opened(repository, key_folders, passphrase_file)
    fresh = changed.replace_key(name)
    click.echo(f"{name} counts no more, {fresh} does. Look through what is vouched for:")
    for path in sorted(changed.targets()):
        click.echo(f"  {path}")


@command.command("renew")
@repository_option
@keys_option
@passphrase_option
def _renew(repository: Path, key_folders: tuple[Path, ...], passphrase_file: Path | None) -> None:
    """Sign the root for another two years, with the same keys."""
    changed = opened(repository, key_folders, passphrase_file)
    changed.renew_root()
    click.echo(f"signed {changed.root_file.name}")
