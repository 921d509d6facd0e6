"""`model-build publish`: bundle sets, firmware and releases into a signed repository."""

from pathlib import Path

import click

from model_build.command_options import json_option
from model_build.release.options import keys_option, opened, passphrase_option, repository_option


@click.command("publish")
@click.argument("sets", nargs=-1, type=click.Path(path_type=Path, exists=True, file_okay=False))
@repository_option
@keys_option
@passphrase_option
@click.option(
    "--firmware", "images", multiple=True, type=click.Path(path_type=Path, exists=True),
    metavar="FILE", help="A signed MCUboot image (.bin) as well; repeatable.",
)  # fmt: skip
@click.option(
    "--model", "models", multiple=True, metavar="NAME",
    help="What sensors that take these images call themselves (`firmware-bridge info`); "
    "repeatable. Default: the image's board.",
)  # fmt: skip
@click.option(
    "--package", "packages", multiple=True, type=click.Path(path_type=Path, exists=True),
    metavar="FILE", help="A Debian package of this program (`make deb`) as well; repeatable.",
)  # fmt: skip
@click.option(
    "--withdraw", metavar="PATH",
    help="No longer offer what lies below PATH, as in sets/default/0.3.0/.",
)  # fmt: skip
@click.option(
    "--refresh", is_flag=True,
    help="Only renew snapshot and timestamp (with the online keys): run it every day or two.",
)  # fmt: skip
@json_option
def command(
    sets: tuple[Path, ...],
    repository: Path,
    key_folders: tuple[Path, ...],
    passphrase_file: Path | None,
    images: tuple[Path, ...],
    models: tuple[str, ...],
    packages: tuple[Path, ...],
    withdraw: str | None,
    refresh: bool,
    as_json: bool,
) -> None:
    """Sign the bundle sets in SETS and let devices find them.

    Each set is loaded and its golden vectors are replayed first, as a device does. Signs with the
    targets key and the two online ones.

    \b
        model-build publish edge_runtime/bundles/default --repository repo --keys KEYS
        model-build publish --refresh --repository repo --keys ONLINE
    """
    import json  # noqa: PLC0415 - quick help

    from model_build.release.publishing import (  # noqa: PLC0415
        Files,
        firmware_files,
        package_files,
        set_files,
    )

    if not (sets or images or packages or withdraw or refresh):
        raise click.UsageError(
            "nothing to do: give a set, --firmware, --package, --withdraw or --refresh"
        )
    changed = opened(repository, key_folders, passphrase_file)
    files: Files = {}
    for folder in sets:
        files |= set_files(folder, changed.targets())
    for image in images:
        files |= firmware_files(image, models)
    for package in packages:
        files |= package_files(package)
    if files:
        changed.add(files)
    gone = changed.withdraw(withdraw) if withdraw else []
    if refresh and not files and not gone:
        changed.renew()
    if as_json:
        click.echo(json.dumps({"published": sorted(files), "withdrawn": gone}))
        return
    for path in sorted(files):
        click.echo(f"published {path}")
    for path in gone:
        click.echo(f"withdrawn {path}")
    if refresh:
        click.echo("snapshot and timestamp are renewed")
