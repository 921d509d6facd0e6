"""Options of the commands that sign: where the repository and the keys are, and the passphrase."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

if TYPE_CHECKING:
    from model_build.release.repository import PublishedRepository

PASSPHRASE_VARIABLE: Final = "ECG_EDGE_KEY_PASSPHRASE"
Function = TypeVar("Function", bound=Callable[..., Any])

repository_option = click.option(
    "--repository", type=click.Path(path_type=Path, file_okay=False), required=True,
    metavar="DIR", help="The repository's folder, which a web server or a stick then offers.",
)  # fmt: skip
keys_option = click.option(
    "--keys", "key_folders", type=click.Path(path_type=Path, file_okay=False), required=True,
    multiple=True, metavar="DIR",
    help="A folder with signing keys; repeatable. New keys go into the first.",
)  # fmt: skip
passphrase_option = click.option(
    "--passphrase-file", type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help=f"Its first line opens the keys. Otherwise ${PASSPHRASE_VARIABLE}, or you are asked.",
)  # fmt: skip


def opened(
    repository: Path, key_folders: tuple[Path, ...], file: Path | None, *, new: bool = False
) -> "PublishedRepository":
    """The repository with its keys; `new`: the passphrase is made up now, so it is asked twice."""
    from model_build.release.keys import KeyFolders  # noqa: PLC0415 - quick help
    from model_build.release.repository import PublishedRepository  # noqa: PLC0415

    return PublishedRepository(repository, KeyFolders(key_folders, _passphrase(file, new=new)))


def _passphrase(file: Path | None, *, new: bool) -> str:
    if file is not None:
        return file.read_text(encoding="utf-8").partition("\n")[0]
    given = os.environ.get(PASSPHRASE_VARIABLE)
    if given is not None:
        return given
    asked: str = click.prompt("passphrase of the keys", hide_input=True, confirmation_prompt=new)
    return asked
