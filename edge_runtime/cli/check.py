"""`edge-runtime check`: is this configuration acceptable, is the bundle set whole?"""

import json
from pathlib import Path

import click

from edge_runtime import config
from edge_runtime.cli.failing import exit_status
from edge_runtime.cli.options import config_option, set_option
from edge_runtime.rules.requirements import ON_CONDITION, not_in_force
from edge_runtime.site_rules import load as load_rules


@click.command("check")
@config_option
@set_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(file: Path | None, settings: tuple[str, ...], as_json: bool) -> None:
    """Check a configuration and the bundle set it names, without starting anything.

    All problems are reported at once, each with its path. Exit status 2 for a configuration that
    is refused, 3 for a bundle set that is. Rules that lack what they need are named.
    """
    with exit_status():
        loaded, _ = config.load(file, settings)
        from edge_runtime.update.choice import chosen_set  # noqa: PLC0415 - slow import

        bundles = chosen_set(loaded).bundles
        silent = not_in_force(rhythm=bundles.rhythm is not None)
        site = [] if loaded.site_rules.file is None else load_rules(loaded.site_rules.file)
    if as_json:
        click.echo(
            json.dumps(
                {
                    "ok": True,
                    "sources": [source.name for source in loaded.source],
                    "bundle_set": bundles.name,
                    "version": bundles.version,
                    "fingerprint": bundles.fingerprint,
                    "bundles": list(bundles.roles),
                    "site_rules": [rule.name for rule in site],
                    "rules_not_in_force": dict(silent),
                    "rules_on_condition": dict(ON_CONDITION),
                }
            )
        )
        return
    click.echo(f"configuration: good, {len(loaded.source)} source(s)")
    click.echo(
        f"bundle set:    {bundles.name} {bundles.version}, {bundles.fingerprint[:12]}, whole: "
        + ", ".join(bundles.roles)
    )
    for own in site:
        click.echo(f"site rule:     {own.name}, {own.priority.value}: {own.when}")
    for rule, needs in silent:
        click.echo(f"not in force:  {rule} needs {needs}")
    for rule, needs in ON_CONDITION:
        click.echo(f"on condition:  {rule} needs {needs}")
