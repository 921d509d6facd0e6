"""An update from beginning to end: what is on offer, what of it is wanted, and fetching that."""

from collections.abc import Callable
from typing import Any

from edge_runtime.assembly import engine_settings
from edge_runtime.config import Config
from edge_runtime.errors import UpdateError
from edge_runtime.inference.bundle import BundleSet
from edge_runtime.update.catalogue import Catalogue
from edge_runtime.update.choice import CONFIGURED, Chosen, chosen_set
from edge_runtime.update.clock_trust import is_synchronized
from edge_runtime.update.plan import Plan, make_plan
from edge_runtime.update.repository import Repository
from edge_runtime.update.root import read_root
from edge_runtime.update.sensors import seen_sensors
from edge_runtime.update.shadow import Agreement, compare
from edge_runtime.update.shelf import Shelf
from edge_runtime.update.staging import (
    drop_old_firmware,
    fetch_firmware,
    only_update,
    stage_set,
)


class Updating:
    """One run of `edge-runtime update`. Raises this project's errors; what runs is untouched."""

    def __init__(
        self,
        config: Config,
        say: Callable[[str], None],
        synchronized: Callable[[], bool] = is_synchronized,
    ) -> None:
        assert config.update.repository is not None, "the caller has looked"
        self._config = config
        self._say = say
        self._shelf = Shelf(config.store.directory)
        self._repository = Repository(
            config.update.repository,
            read_root(config.update.root),
            self._shelf.folder / "trust",
            synchronized=synchronized,
        )

    def run(self, *, only_plan: bool) -> dict[str, Any]:
        """What was planned and, unless `only_plan`, done."""
        with only_update(self._shelf):
            catalogue = self._repository.refresh()
            chosen = chosen_set(self._config)
            plan = self._plan(catalogue, chosen)
            for line in plan.lines():
                self._say(line)
            done: dict[str, Any] = {"plan": plan.as_dict(), "staged": None, "firmware": []}
            if only_plan:
                return done
            done["firmware"] = self._fetch_firmware(plan)
            if plan.takes_set:
                done["staged"] = self._stage(catalogue, plan, chosen)
            return done

    def _plan(self, catalogue: Catalogue, chosen: Chosen) -> Plan:
        state = self._shelf.state()
        present = chosen.bundles.version
        if state.staged is not None and state.staged.id in state.sets:
            present = state.sets[state.staged.id].version  # it waits for its turn already
        return make_plan(
            catalogue, chosen.bundles.name, present, seen_sensors(self._config.store.directory)
        )

    def _stage(self, catalogue: Catalogue, plan: Plan, chosen: Chosen) -> str:
        if chosen.id == CONFIGURED:
            raise UpdateError(
                "bundles.directory names a set of its own, which no update replaces; remove it "
                "from the configuration to take what the repository offers"
            )
        assert plan.offer is not None, "a plan that takes a set has one"

        def beside(found: BundleSet) -> Agreement | None:
            settings = engine_settings(self._config, lead="auto")
            return compare(chosen.bundles, found, self._config.store.directory, settings)

        staged = stage_set(self._shelf, self._repository, catalogue, plan.offer, beside, self._say)
        self._say(f"{staged} is staged: it runs as soon as no alarm is on, on trial at first")
        return staged

    def _fetch_firmware(self, plan: Plan) -> list[str]:
        fetched = []
        for step in plan.firmware:
            if not step.newer:
                continue
            image = fetch_firmware(self._shelf, self._repository, step)
            fetched.append(str(image))
            self._say(f"fetched {image}; to {step.source}: firmware-bridge flash {image}")
        drop_old_firmware(self._shelf, plan.firmware)
        return fetched
