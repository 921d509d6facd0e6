"""`edge-runtime doctor`: will this machine run it? Each answer with what to do about it."""

import grp
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.table import Table

from edge_runtime import config
from edge_runtime.accelerating import accelerated
from edge_runtime.audit import Audit, this_user
from edge_runtime.cli.doctor_store import store_integrity, store_privacy, store_room
from edge_runtime.cli.failing import BAD_BUNDLE, FAILED, exit_status
from edge_runtime.cli.findings import Finding, Verdict
from edge_runtime.cli.options import config_option, set_option
from edge_runtime.config import Config
from edge_runtime.errors import BundleError, EdgeRuntimeError
from edge_runtime.golden_engine import run_engine
from edge_runtime.inference.bundle import load_bundle_set
from edge_runtime.inference.golden import Status, check_bundle_set
from edge_runtime.inference.interpreter import find_runtime
from edge_runtime.store.repair import repair
from edge_runtime.update.choice import chosen_folder

_STYLES: Final[dict[Verdict, str]] = {"good": "green", "warning": "yellow", "bad": "bold red"}


@click.command("doctor")
@config_option
@set_option
@click.option("--json", "as_json", is_flag=True, help="One JSON array of findings.")
@click.option("--deep", is_flag=True, help="Read every stored sample and compare checksums.")
@click.option(
    "--accelerator",
    is_flag=True,
    help="Time the accelerator of the configuration beside the processor, for every network.",
)
@click.option("--repair", "mend", is_flag=True, help="Repair the store first (no daemon may run).")
def command(
    file: Path | None,
    settings: tuple[str, ...],
    as_json: bool,
    deep: bool,
    accelerator: bool,
    mend: bool,
) -> None:
    """Examine this machine: interpreter, bundle set, store, ports.

    The TFLite interpreter is really built and the bundle set's golden vectors are replayed on it:
    raw signal to conditioned (bit-exact), INT8 tensors in to out, and minutes of raw signal to
    events. --repair finishes what a crash left, saves what can be read of a damaged database, and
    moves what belongs to nothing to lost+found in the store.directory; nothing is thrown away.
    Exit status 3 when the bundle set is bad, 1 when anything else is.
    """
    with exit_status():
        loaded, _ = config.load(file, settings)
        if mend:
            for line in repair(loaded.store.directory):
                click.echo(line, err=True)
            Audit(loaded.store.directory).record(this_user(), "repair")
    findings: list[Finding] = []
    status = 0
    integrity: _Examine = partial(store_integrity, deep=deep or mend)
    examinations = [*_EXAMINATIONS, (integrity, FAILED)]
    if accelerator:
        examinations.append((_accelerator, FAILED))
    for examine, status_if_bad in examinations:
        found = list(examine(loaded))
        findings += found
        if any(finding.verdict == "bad" for finding in found):
            status = max(status, status_if_bad)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings]))
    else:
        table = Table(box=None, show_header=False)
        for finding in findings:
            style = _STYLES[finding.verdict]
            table.add_row(finding.subject, f"[{style}]{finding.verdict}[/]", finding.words)
        Console().print(table)
    sys.exit(status)


def _python(_config: Config) -> Iterator[Finding]:
    words = f"{platform.python_version()} on {platform.machine()}, {platform.platform()}"
    yield Finding("python", "good", words)


def _interpreter(_config: Config) -> Iterator[Finding]:
    try:
        runtime = find_runtime()
    except EdgeRuntimeError as error:
        yield Finding("TFLite runtime", "bad", str(error))
    else:
        yield Finding("TFLite runtime", "good", f"{runtime.name} {runtime.version}")


def _bundles(loaded: Config) -> Iterator[Finding]:
    try:
        report = check_bundle_set(chosen_folder(loaded), run_engine)
    except (BundleError, EdgeRuntimeError) as error:
        yield Finding("bundle set", "bad", str(error))
        return
    yield Finding("bundle set", "good", f"{report.name} {report.version}, whole")
    for tier in report.tiers:
        verdict: Verdict = "good" if tier.status is Status.PASSED else "bad"
        yield Finding(f"golden vectors ({tier.name})", verdict, tier.detail)


def _accelerator(loaded: Config) -> Iterator[Finding]:
    try:
        bundles = load_bundle_set(chosen_folder(loaded))
        _, trial = accelerated(bundles, loaded.accelerator, find_runtime())
    except EdgeRuntimeError as error:
        yield Finding("accelerator", "bad", str(error))
        return
    if trial is None:
        words = "none to try; accelerator.library names a delegate, as libedgetpu.so.1"
        yield Finding("accelerator", "warning", words)
        return
    yield Finding(f"accelerator {trial.library}", "bad" if trial.problem else "good", trial.words)


def _ports(loaded: Config) -> Iterator[Finding]:
    if not loaded.source:
        yield Finding("sources", "warning", "none configured; `edge-runtime demo` simulates one")
    for source in loaded.source:
        port = Path(source.port)
        if not port.exists():
            yield Finding(f"source {source.name}", "warning", f"{port} is not there now")
        elif not os.access(port, os.R_OK | os.W_OK):
            words = f"{port} is not accessible; sudo usermod -aG {_group_of(port)} $USER"
            yield Finding(f"source {source.name}", "bad", f"{words}, then log in again")
        else:
            yield Finding(f"source {source.name}", "good", f"{port} can be opened")


def _group_of(port: Path) -> str:
    try:
        return grp.getgrgid(port.stat().st_gid).gr_name
    except KeyError:
        return "dialout"


_Examine = Callable[[Config], Iterator[Finding]]
_EXAMINATIONS: Final[tuple[tuple[_Examine, int], ...]] = (
    (_python, FAILED),
    (_interpreter, FAILED),
    (_bundles, BAD_BUNDLE),
    (store_room, FAILED),
    (store_privacy, FAILED),
    (_ports, FAILED),
)
"""What is looked at, and the exit status when it is bad; the highest counts."""
