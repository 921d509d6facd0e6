"""How a command ends when it cannot do its work: one clear message, one exit status."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from edge_runtime.errors import BundleError, ConfigError, EdgeRuntimeError
from firmware_bridge.errors import BridgeError, UsageError

FAILED = 1
WRONG_USAGE = 2
BAD_BUNDLE = 3
INTERRUPTED = 130
"""As a shell reports a program that SIGINT ended."""


@contextmanager
def exit_status() -> Iterator[None]:
    """Turns this project's errors into a message on standard error and an exit status."""
    try:
        yield
    except (ConfigError, UsageError) as error:
        _fail(error, WRONG_USAGE)
    except BundleError as error:
        _fail(error, BAD_BUNDLE)
    except (EdgeRuntimeError, BridgeError) as error:
        _fail(error, FAILED)


@contextmanager
def reader_may_leave() -> Iterator[None]:
    """Around what is printed once the work is done: a reader that went away, as `head` does, is
    no failure of it."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still in the buffer must not fail again when the interpreter ends.
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())


def _fail(error: Exception, status: int) -> None:
    for line in str(error).splitlines():
        click.echo(f"edge-runtime: {line}", err=True)
    sys.exit(status)
