"""How a daemon takes a new set: never during an alarm, on trial, and back again by itself."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from edge_runtime.errors import BundleError, UpdateError
from edge_runtime.inference.bundle import BundleSet
from edge_runtime.threads import AnyEngine
from edge_runtime.update.choice import CONFIGURED, Chosen
from edge_runtime.update.keeper import QUIET_S, Conditions, ModelKeeper
from edge_runtime.update.shadow import Agreement
from edge_runtime.update.shelf import SHIPPED, Shelf
from edge_runtime.web.models import model_status
from firmware_bridge.stream import StreamOpened
from tests.edge_runtime.daemon_parts import EchoEngine, stream
from tests.edge_runtime.store.making import Hand
from tests.edge_runtime.update.on_shelf import arrive, keep

TRIAL_S = 60.0
GOOD = Agreement(3600.0, 4000, 0.999, 0.98, 0.0, 1.0, 2000.0)
BAD = Agreement(3600.0, 4000, 0.999, 0.2, 0.0, 1.0, 2000.0)


@dataclass
class Daemon:
    """What a keeper sees of a daemon; engines echo."""

    shelf: Shelf
    clock: Hand = field(default_factory=Hand)
    alarm: bool = False
    agreement: Agreement | None = GOOD
    made: list[str] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    reopened: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    fails: dict[str, Exception] = field(default_factory=dict)
    keeper: ModelKeeper = field(init=False)

    def __post_init__(self) -> None:
        set_id, bundles = self.shelf.begin()
        self.keeper = self.keep(Chosen(set_id, bundles, self.shelf.origin(set_id)))

    def keep(self, chosen: Chosen) -> ModelKeeper:
        conditions = Conditions(
            make=self.make,
            in_alarm=lambda: self.alarm,
            compare=lambda _old, _new, _longest_s: self.agreement,
            taken=lambda bundles: self.taken.append(bundles.version),
            trial_s=TRIAL_S,
            now_s=self.clock,
        )
        keeper = ModelKeeper(self.shelf, chosen, conditions)

        async def reopen(reason: str) -> None:
            self.reopened.append(reason)

        keeper.connect(reopen, lambda _name, message: self.said.append(message))
        return keeper

    def make(self, bundles: BundleSet, _opened: StreamOpened) -> AnyEngine:
        self.made.append(bundles.version)
        if bundles.version in self.fails:
            raise self.fails[bundles.version]
        return EchoEngine()

    def look(self, after_s: float = 0.0) -> None:
        self.clock.now_s += after_s
        asyncio.run(self.keeper.look(self.shelf))

    def monitor(self, seconds: float) -> None:
        """A source opens and sends so much signal."""
        items = stream("chest", round(seconds * 10))
        first = items[0]
        assert isinstance(first, StreamOpened)
        engine = self.keeper.make_engine(first)
        for item in items:
            engine.feed(item)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


@pytest.fixture
def daemon(shelf: Shelf) -> Daemon:
    daemon = Daemon(shelf)
    daemon.look()
    return daemon


def taken(daemon: Daemon, version: str = "8.3.0") -> str:
    """A staged set that the daemon took."""
    new = arrive(daemon.shelf, version)
    daemon.look(after_s=QUIET_S)
    assert daemon.keeper.chosen.id == new
    return new


def test_a_staged_set_is_taken_tried_and_confirmed(daemon: Daemon) -> None:
    new = taken(daemon)
    assert daemon.reopened == [f"models: {new} instead of shipped"]
    assert daemon.taken == ["8.3.0"]
    assert daemon.keeper.on_trial
    daemon.monitor(TRIAL_S - 1)
    daemon.look()
    assert daemon.keeper.on_trial
    daemon.monitor(2)
    daemon.look()
    assert not daemon.keeper.on_trial
    assert daemon.shelf.state().trial is None
    assert daemon.said[-1].startswith(f"{new} is confirmed: 60 min of stored signal")
    daemon.monitor(1)
    assert daemon.made == ["8.3.0"] * 3


def test_never_during_an_alarm(daemon: Daemon) -> None:
    new = arrive(daemon.shelf, "8.3.0")
    daemon.alarm = True
    for _ in range(3):
        daemon.look(after_s=3600)
    assert daemon.keeper.chosen.id == SHIPPED
    assert daemon.said == [f"{new} waits until no alarm is on"]
    daemon.alarm = False
    daemon.look()
    daemon.look(after_s=QUIET_S - 1)
    assert daemon.keeper.chosen.id == SHIPPED
    daemon.alarm = True  # it flickers
    daemon.look(after_s=0.5)
    daemon.alarm = False
    daemon.look(after_s=0.5)
    daemon.look(after_s=QUIET_S - 1)
    assert daemon.keeper.chosen.id == SHIPPED
    daemon.look(after_s=1)
    assert daemon.keeper.chosen.id == new


def test_a_set_that_disagrees_is_taken_back(daemon: Daemon) -> None:
    new = taken(daemon)
    daemon.agreement = BAD
    daemon.monitor(TRIAL_S)
    daemon.look()
    assert daemon.keeper.chosen.id == SHIPPED
    assert daemon.reopened[-1].startswith(f"models: {new} was taken back: only 20.0%")
    assert daemon.taken[-1] == daemon.keeper.chosen.bundles.version
    assert not daemon.keeper.on_trial


def test_it_is_not_taken_back_during_an_alarm_either(daemon: Daemon) -> None:
    new = taken(daemon)
    daemon.agreement = BAD
    daemon.monitor(TRIAL_S)
    daemon.alarm = True
    daemon.look()
    assert daemon.keeper.chosen.id == new
    daemon.alarm = False
    daemon.look()
    daemon.look(after_s=QUIET_S)
    assert daemon.keeper.chosen.id == SHIPPED


def test_an_engine_that_cannot_be_made_is_taken_back_at_once(daemon: Daemon) -> None:
    daemon.fails["8.3.0"] = BundleError("tensor")
    taken(daemon)
    daemon.alarm = True  # nobody is monitored now: waiting would be worse
    with pytest.raises(BundleError):
        daemon.monitor(1)
    daemon.look()
    assert daemon.keeper.chosen.id == SHIPPED
    daemon.monitor(1)


def test_a_staged_set_that_was_damaged_since_is_not_taken(daemon: Daemon) -> None:
    new = arrive(daemon.shelf, "8.3.0")
    (daemon.shelf.place(new) / "conditioning.toml").unlink()
    daemon.look(after_s=QUIET_S)
    assert daemon.keeper.chosen.id == SHIPPED
    assert "is not taken" in daemon.said[-1]
    assert daemon.shelf.state().staged is None
    assert daemon.reopened == []


def test_without_stored_signal_the_trial_alone_counts(daemon: Daemon) -> None:
    taken(daemon)
    daemon.agreement = None
    daemon.monitor(TRIAL_S)
    daemon.look()
    assert not daemon.keeper.on_trial


def test_a_rollback_by_hand_is_followed(shelf: Shelf) -> None:
    first, second = keep(shelf, "8.3.0"), keep(shelf, "8.4.0")
    daemon = Daemon(shelf)
    daemon.look()
    assert daemon.keeper.chosen.id == second
    shelf.stage(first, trial=False)
    daemon.look(after_s=QUIET_S)
    assert daemon.keeper.chosen.id == first
    assert not daemon.keeper.on_trial


def test_a_rejection_by_another_process_is_followed(daemon: Daemon) -> None:
    new = taken(daemon)
    daemon.shelf.reject(new, "by hand")
    daemon.look()
    assert daemon.keeper.chosen.id == SHIPPED


def test_a_trial_goes_on_after_a_restart_that_was_wanted(daemon: Daemon) -> None:
    new = taken(daemon)
    for _ in range(5):
        daemon.keeper.stopped()
        daemon = Daemon(daemon.shelf)
        assert daemon.keeper.chosen.id == new
        assert daemon.keeper.on_trial
    daemon.monitor(TRIAL_S)
    daemon.look()
    assert not daemon.keeper.on_trial


def test_status_says_what_runs(daemon: Daemon) -> None:
    assert model_status(None) is None
    before = model_status(daemon.keeper)
    assert before is not None
    assert (before.origin, before.on_trial) == ("shipped", False)
    taken(daemon)
    now = model_status(daemon.keeper)
    assert now is not None
    assert (now.version, now.origin, now.on_trial) == ("8.3.0", "signed", True)


def test_a_set_that_the_configuration_names_stays(daemon: Daemon) -> None:
    chosen = Chosen(CONFIGURED, daemon.keeper.chosen.bundles, "unsigned")
    keeper = daemon.keep(chosen)
    told = model_status(keeper)
    assert told is not None
    assert told.origin == "unsigned"
    arrive(daemon.shelf, "8.3.0")
    asyncio.run(keeper.run())  # there is nothing to look after
    assert keeper.chosen.id == CONFIGURED


def test_a_shelf_that_fails_is_told_and_nothing_else(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ended(_seconds: float) -> None:
        if daemon.said:
            raise asyncio.CancelledError

    def broken() -> None:
        raise UpdateError("no space left")

    monkeypatch.setattr(asyncio, "sleep", ended)
    monkeypatch.setattr(daemon.shelf, "state", broken)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(daemon.keeper.run())
    assert daemon.said == ["models cannot be changed: no space left"]
    assert daemon.keeper.chosen.id == SHIPPED
