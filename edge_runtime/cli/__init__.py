"""`edge-runtime`: the daemon and its tools. Each command lives in a module of its own."""

import importlib
import logging
import os
import sys
from typing import Final

import click

_COMMANDS: Final = {
    "setup": "edge_runtime.cli.setup",
    "run": "edge_runtime.cli.run",
    "demo": "edge_runtime.cli.demo",
    "replay": "edge_runtime.cli.replay",
    "status": "edge_runtime.cli.status",
    "reload": "edge_runtime.cli.reload",
    "mark": "edge_runtime.cli.mark",
    "account": "edge_runtime.cli.account",
    "invite": "edge_runtime.cli.invite",
    "sessions": "edge_runtime.cli.sessions",
    "export": "edge_runtime.cli.export",
    "backup": "edge_runtime.cli.backup",
    "restore": "edge_runtime.cli.restore",
    "holter": "edge_runtime.cli.holter",
    "review": "edge_runtime.cli.review",
    "wearer": "edge_runtime.cli.wearer",
    "audit": "edge_runtime.cli.audit",
    "support": "edge_runtime.cli.support",
    "check": "edge_runtime.cli.check",
    "config": "edge_runtime.cli.config",
    "doctor": "edge_runtime.cli.doctor",
    "preview": "edge_runtime.cli.preview",
    "sound": "edge_runtime.cli.sound",
    "update": "edge_runtime.cli.update",
    "bundles": "edge_runtime.cli.bundles",
    "notify": "edge_runtime.cli.notify",
    "pair": "edge_runtime.cli.pair",
    "devices": "edge_runtime.cli.devices",
}


class _LazyGroup(click.Group):
    """Imports a command's module only when it is used: `--help` needs no numpy."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command = importlib.import_module(_COMMANDS[cmd_name]).command
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ecg-edge")
@click.option("-v", "--verbose", count=True, help="Say more on standard error; twice: everything.")
def main(verbose: int) -> None:
    """Monitor an ECG on the edge: beats, rhythm, explained alarms.

    Standard output is data, standard error is the log.

    Exit status: 0 done, 1 a device, a file or the store failed, 2 wrong usage or configuration,
    3 the bundle set is damaged or does not reproduce its golden vectors, 130 a replay was
    interrupted.
    """
    # Nothing here multiplies matrices; OpenBLAS would start a thread and a buffer for each core.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    logging.basicConfig(
        level=level, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s"
    )
