"""The root file: whose signatures this device takes. It is the administrator's, and set once."""

import os
import stat
from pathlib import Path

from edge_runtime.errors import ConfigError
from edge_runtime.update.repository import describe_root


def read_root(file: Path) -> bytes:
    """The root that the administrator put there. Raises ConfigError, UpdateError.

    A file that somebody else could write would let anybody choose whom the device trusts.
    """
    try:
        found = file.stat()
        content = file.read_bytes()
    except FileNotFoundError as error:
        raise ConfigError(
            f"update.root: {file} is not there; `edge-runtime update --trust ROOT.json`, as "
            "administrator, puts the publisher's root file in its place"
        ) from error
    except OSError as error:
        raise ConfigError(f"update.root: {file}: {error.strerror}") from error
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) or found.st_uid not in {0, os.getuid()}:
        raise ConfigError(
            f"update.root: others than the administrator may write {file}; "
            f"sudo chown root {file} && sudo chmod 644 {file}"
        )
    describe_root(content)
    return content


def trust_root(source: Path, file: Path) -> None:
    """Put a root file in its place, once. Raises ConfigError, UpdateError.

    It follows new keys by itself, as long as two of its old root keys have signed them.
    """
    content = source.read_bytes()
    describe_root(content)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("xb") as out:
            os.fchmod(out.fileno(), 0o644)
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
    except FileExistsError as error:
        raise ConfigError(
            f"{file} is there already, and is replaced by nobody but a person: remove it first, "
            "if this device is to trust somebody else"
        ) from error
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}; this is for the administrator") from error
