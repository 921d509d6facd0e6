"""`edge-runtime doctor`: will this machine run it? Each answer with what to do about it."""

import grp
import json
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

import click
from rich.console import Console
from rich.table import Table

from edge_runtime import config
from edge_runtime.cli.failing import BAD_BUNDLE, FAILED, exit_status
from edge_runtime.cli.options import config_option, set_option
from edge_runtime.config import Config
from edge_runtime.disk_encryption import Encryption, encryption
from edge_runtime.errors import BundleError, EdgeRuntimeError
from edge_runtime.golden_engine import run_engine
from edge_runtime.inference.golden import Status, check_bundle_set
from edge_runtime.inference.interpreter import find_runtime
from edge_runtime.store.disk import is_open
from edge_runtime.update.choice import chosen_folder

_LEAST_FREE_BYTES: Final = 1 << 30
_BYTES_PER_LEAD_DAY: Final = 500 * 86_400 * 3
"""500 Hz in format 24, as the store writes a 24-bit sensor's counts."""

Verdict = Literal["good", "warning", "bad"]
_STYLES: Final[dict[Verdict, str]] = {"good": "green", "warning": "yellow", "bad": "bold red"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One answer."""

    subject: str
    verdict: Verdict
    words: str


@click.command("doctor")
@config_option
@set_option
@click.option("--json", "as_json", is_flag=True, help="One JSON array of findings.")
def command(file: Path | None, settings: tuple[str, ...], as_json: bool) -> None:
    """Examine this machine: interpreter, bundle set, store, ports.

    The TFLite interpreter is really built and the bundle set's golden vectors are replayed on it:
    raw signal to conditioned (bit-exact), INT8 tensors in to out, and minutes of raw signal to
    events. Exit status 3 when the bundle set is bad, 1 when anything else is.
    """
    with exit_status():
        loaded, _ = config.load(file, settings)
    findings: list[Finding] = []
    status = 0
    for examine, status_if_bad in _EXAMINATIONS:
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


def _store(loaded: Config) -> Iterator[Finding]:
    directory = loaded.store.directory
    existing = next(place for place in (directory, *directory.parents) if place.exists())
    if not os.access(existing, os.W_OK | os.X_OK):
        yield Finding(
            "store",
            "bad",
            f"{existing} is not writable for this user; "
            f"sudo install -d -o $USER {directory}, or set store.directory",
        )
        return
    free = shutil.disk_usage(existing).free
    days = free / (_BYTES_PER_LEAD_DAY * max(1, len(loaded.source)))
    words = f"{directory}: {free / 2**30:.1f} GiB free, about {days:.0f} days of one lead each"
    yield Finding("store", "good" if free >= _LEAST_FREE_BYTES else "warning", words)


def _privacy(loaded: Config) -> Iterator[Finding]:
    directory = loaded.store.directory
    if not directory.is_dir():
        return
    if is_open(directory):
        words = f"others may look into {directory}; chmod 700 {directory}"
        yield Finding("store's rights", "warning", words)
    else:
        yield Finding("store's rights", "good", "nobody but its owner may look into it")
    found = encryption(directory)
    yield Finding("encryption", *_ENCRYPTION[found])


_ENCRYPTION: Final[dict[Encryption, tuple[Verdict, str]]] = {
    Encryption.ENCRYPTED: ("good", "the store lies on an encrypted disk (dm-crypt)"),
    Encryption.PLAIN: (
        "warning",
        "the store's disk is not encrypted: who takes it has the ECG; cryptsetup (LUKS) helps",
    ),
    Encryption.IN_MEMORY: ("warning", "the store lies in memory: nothing outlives the power"),
    Encryption.UNKNOWN: (
        "warning",
        "whether the store's disk is encrypted cannot be told from its block devices",
    ),
}


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


_EXAMINATIONS: Final[tuple[tuple[Callable[[Config], Iterator[Finding]], int], ...]] = (
    (_python, FAILED),
    (_interpreter, FAILED),
    (_bundles, BAD_BUNDLE),
    (_store, FAILED),
    (_privacy, FAILED),
    (_ports, FAILED),
)
"""What is looked at, and the exit status when it is bad; the highest counts."""
