"""Which bundle set runs: the one that the configuration names, else what updates have brought."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_runtime.config import SHIPPED_BUNDLES, Config
from edge_runtime.errors import ConfigError, UpdateError
from edge_runtime.inference.bundle import BundleSet, load_bundle_set
from edge_runtime.update.shelf import SHIPPED, Origin, Shelf

log = logging.getLogger(__name__)

CONFIGURED: Final = "configured"
"""Id of a set that `bundles.directory` names: nothing updates it."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The set that is to run, its id on the shelf and where it came from."""

    id: str
    bundles: BundleSet
    origin: Origin


def chosen_set(config: Config) -> Chosen:
    """Changes nothing. Raises BundleError."""
    if config.bundles.directory != SHIPPED_BUNDLES:
        return Chosen(CONFIGURED, load_bundle_set(config.bundles.directory), "unsigned")
    shelf = Shelf(config.store.directory)
    set_id, bundles = shelf.open_current()
    return Chosen(set_id, bundles, shelf.origin(set_id))


def first_set(config: Config) -> Chosen:
    """What a daemon that starts now runs; a start has consequences on the shelf (`Shelf.begin`).

    Raises BundleError. Where the shelf cannot be changed (a full disk), its current set runs, and
    where it cannot even be read the shipped one.
    """
    if config.bundles.directory != SHIPPED_BUNDLES:
        return chosen_set(config)
    shelf = Shelf(config.store.directory)
    try:
        shelf.begin()
    except UpdateError as error:
        log.error("models: %s", error)
    try:
        return chosen_set(config)
    except UpdateError:
        return Chosen(SHIPPED, load_bundle_set(SHIPPED_BUNDLES), "shipped")


def chosen_folder(config: Config) -> Path:
    """Where the set lies that `chosen_set` gives."""
    return chosen_set(config).bundles.where


def require_signed(config: Config) -> None:
    """Raises ConfigError for a set that nobody signed, unless that was asked for."""
    if config.bundles.directory != SHIPPED_BUNDLES and not config.bundles.unsigned:
        raise ConfigError(
            f"bundles.directory: nobody has signed {config.bundles.directory}; "
            "give --unsigned (or bundles.unsigned = true) to run it all the same, "
            "which is then shown all the time"
        )
