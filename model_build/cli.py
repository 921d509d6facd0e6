"""`model-build`: from archives to an evaluated bundle set. Its commands are found by module."""

import importlib
import logging
import pkgutil
import sys
from typing import Any, Final

import click

from edge_runtime.errors import EdgeRuntimeError
from firmware_bridge.errors import BridgeError, UsageError
from model_build import commands
from model_build.errors import BuildError, StoppedError

_BUILD_EXTRA: Final = {
    "flatbuffers", "imblearn", "keras", "matplotlib", "neurokit2", "pywt", "sklearn", "tensorflow",
    "wfdb",
}  # fmt: skip
"""What the `build` extra brings (pyproject.toml): a device, or a look at the help, needs none."""


class _StoppedEarly(click.ClickException):
    exit_code = 3


class _Commands(click.Group):
    """Each module of `model_build.commands` is a command, imported when it is named.

    Modules import what is slow (TensorFlow, numpy) inside the command, so that help is quick and
    a command that needs no TensorFlow works without it.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(m.name.replace("_", "-") for m in pkgutil.iter_modules(commands.__path__))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"{commands.__name__}.{cmd_name.replace('-', '_')}")
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except UsageError as error:
            raise click.UsageError(str(error)) from error
        except StoppedError as error:
            raise _StoppedEarly(str(error)) from error
        except (BuildError, BridgeError, EdgeRuntimeError) as error:
            raise click.ClickException(str(error)) from error
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] not in _BUILD_EXTRA:
                raise
            raise click.ClickException(
                f"{error.name} is not installed; this command needs the build extra: "
                "pip install 'ecg-edge[build]'"
            ) from error


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ecg-edge")
@click.option("-v", "--verbose", count=True, help="Say more on standard error; twice: everything.")
def main(verbose: int) -> None:
    """Build, quantize and judge beat classifiers.

    Standard output is data, standard error is the log.

    Exit status: 0 done, 1 an archive, a file or a step failed (also for want of the build extra),
    2 wrong usage, 3 stopped before the end as asked: the same command goes on from there.
    """
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    logging.basicConfig(
        level=level, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s"
    )
