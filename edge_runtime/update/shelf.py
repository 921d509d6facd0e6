"""The bundle sets that a device keeps, which of them runs, and how it changes from one to another.

    STATE/models/state.json      which set runs, which ran before, what is staged or on trial
    STATE/models/current         a link to the set that runs; absent: the set that the package ships
    STATE/models/sets/ID/        whole, verified sets

Every change is one replaced `state.json`; the link follows it, and `settle` makes it follow after
a kill in between. So whatever is cut off where, the old set runs or the new one. A new set is
*staged* first; the daemon takes it when no alarm is on, and it is on *trial* until it is confirmed
or rejected. Any process may change the state: a lock file keeps their changes apart.
"""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

import msgspec

from edge_runtime.errors import BundleError, StoreError, UpdateError
from edge_runtime.inference.bundle import BundleSet, default_set, load_bundle_set
from edge_runtime.store.disk import make_directory, sync_directory
from firmware_bridge.errors import RecordError
from firmware_bridge.records.writing import replace_file

FOLDER: Final = "models"
SHIPPED: Final = "shipped"
"""Id of the set that the package ships; it is never on the shelf, and always there."""
MOST_STARTS: Final = 3
"""Starts of the daemon that a set on trial is given: a third one that did not come to a verdict
means that the set, or this machine with it, does not stay up."""

Origin = Literal["shipped", "signed", "unsigned"]


class KeptSet(msgspec.Struct, frozen=True, kw_only=True):
    """A set on the shelf. `origin`: "signed" came out of a trusted repository."""

    name: str
    version: str
    fingerprint: str
    origin: Origin


class Staged(msgspec.Struct, frozen=True, kw_only=True):
    """What is to run as soon as no alarm is on; `trial`: on probation at first."""

    id: str
    trial: bool


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """The set that runs is on probation; `before` is the one that ran until then."""

    before: str
    starts: int = 1


class ShelfState(msgspec.Struct, frozen=True, kw_only=True):
    """All that is remembered. `rejected`: fingerprints of sets that failed here, and why."""

    schema: Literal[1] = 1
    sets: dict[str, KeptSet] = {}
    current: str = SHIPPED
    previous: str | None = None
    staged: Staged | None = None
    trial: Trial | None = None
    rejected: dict[str, str] = {}


class Shelf:
    """The shelf in a state directory. Raises UpdateError where it cannot be read or written."""

    def __init__(self, directory: Path) -> None:
        self.folder = directory / FOLDER
        self._state_file = self.folder / "state.json"
        self._link = self.folder / "current"

    # --- reading

    def state(self) -> ShelfState:
        """What is remembered; without a file, or for a stranger who may not read it (somebody who
        replays a record of his own): the shipped set runs.

        A file that cannot be read (a disk fault: it is only ever replaced whole) counts as none:
        the shipped set is always whole, and monitoring goes on.
        """
        try:
            text = self._state_file.read_bytes()
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return ShelfState()
        except OSError as error:
            raise UpdateError(f"{self._state_file}: {error.strerror}") from error
        try:
            return msgspec.json.decode(text, type=ShelfState)
        except msgspec.DecodeError:
            return ShelfState()

    def place(self, set_id: str) -> Path:
        """Folder of a set, by its id."""
        return default_set() if set_id == SHIPPED else self.folder / "sets" / set_id

    def open_current(self) -> tuple[str, BundleSet]:
        """Id and set that are to run now: the current one, or the first whole one behind it.

        Changes nothing. Raises BundleError when not even the shipped set is whole.
        """
        state = self.state()
        before = state.trial.before if state.trial else state.previous
        for set_id in dict.fromkeys((state.current, before, state.previous)):
            if set_id is None or set_id == SHIPPED:
                continue
            with contextlib.suppress(BundleError):
                return set_id, load_bundle_set(self.place(set_id))
        return SHIPPED, load_bundle_set(default_set())

    def origin(self, set_id: str) -> Origin:
        """Where a set came from."""
        kept = self.state().sets.get(set_id)
        return "shipped" if kept is None else kept.origin

    # --- changing

    def add(self, folder: Path, origin: Origin) -> str:
        """Move the verified set in `folder` onto the shelf and stage it for a trial; its id.

        `folder` lies on the same file system (`incoming`). Raises BundleError.
        """
        found = load_bundle_set(folder)
        set_id = f"{found.name}-{found.version}-{found.fingerprint[:8]}"
        kept = KeptSet(
            name=found.name, version=found.version, fingerprint=found.fingerprint, origin=origin
        )
        with self._changing() as change:
            target = self.place(set_id)
            if not _is_whole(target, found.fingerprint):
                sync_tree(folder)
                make_directory(target.parent)
                shutil.rmtree(target, ignore_errors=True)
                folder.rename(target)
                sync_directory(target.parent)

            def stage(state: ShelfState) -> ShelfState:
                rejected = {k: v for k, v in state.rejected.items() if k != found.fingerprint}
                return msgspec.structs.replace(
                    state,
                    sets={**state.sets, set_id: kept},
                    staged=None if state.current == set_id else Staged(id=set_id, trial=True),
                    rejected=rejected,
                )

            change(stage)
        return set_id

    def stage(self, set_id: str, *, trial: bool = True) -> None:
        """Let the daemon take a set that is on the shelf. Raises UpdateError for an unknown one."""

        def change_to(state: ShelfState) -> ShelfState:
            if set_id != SHIPPED and set_id not in state.sets:
                known = ", ".join((SHIPPED, *state.sets))
                raise UpdateError(f"there is no set {set_id} here; there are {known}")
            if set_id == state.current:
                return msgspec.structs.replace(state, staged=None)
            return msgspec.structs.replace(state, staged=Staged(id=set_id, trial=trial))

        self._change(change_to)

    def switch(self) -> str:
        """The staged set, if there is one, runs from now on; returns the current set's id."""

        def to_staged(state: ShelfState) -> ShelfState:
            staged = state.staged
            if staged is None:
                return state
            # What is on trial was never confirmed: it is not what one goes back to.
            before = state.trial.before if state.trial else state.current
            return msgspec.structs.replace(
                state,
                current=staged.id,
                previous=state.previous if staged.trial or staged.id == before else before,
                staged=None,
                trial=Trial(before=before) if staged.trial and staged.id != before else None,
            )

        return self._change(to_staged).current

    def count_start(self) -> None:
        """The daemon starts: one more try of a set on trial, the last of which rejects it."""

        def counted(state: ShelfState) -> ShelfState:
            if state.trial is None:
                return state
            if state.trial.starts >= MOST_STARTS:
                return _rejected(state, f"the daemon did not stay up in {MOST_STARTS} starts")
            trial = msgspec.structs.replace(state.trial, starts=state.trial.starts + 1)
            return msgspec.structs.replace(state, trial=trial)

        self._change(counted)

    def forgive_start(self) -> None:
        """The daemon was told to stop while a set was on trial: that start counts for nothing."""

        def forgiven(state: ShelfState) -> ShelfState:
            if state.trial is None:
                return state
            trial = msgspec.structs.replace(state.trial, starts=max(0, state.trial.starts - 1))
            return msgspec.structs.replace(state, trial=trial)

        self._change(forgiven)

    def confirm(self) -> None:
        """The trial is over: the set stays, the one before is what `rollback` goes to."""

        def confirmed(state: ShelfState) -> ShelfState:
            if state.trial is None:
                return state
            return msgspec.structs.replace(state, previous=state.trial.before, trial=None)

        self._change(confirmed)

    def begin(self) -> tuple[str, BundleSet]:
        """The daemon starts: id and set that it runs, after all that a start decides.

        A staged set is taken, since nothing is monitored yet; a set on trial uses up a try; one
        that is not whole any more is rejected. Raises BundleError when not even the shipped set is
        whole, UpdateError.
        """
        state = self.state()
        if state == ShelfState():
            self.settle()
            return self.open_current()
        if state.staged is not None:
            self.switch()
        else:
            self.count_start()
        set_id, bundles = self.open_current()
        while (current := self.state().current) not in {set_id, SHIPPED}:
            self.reject(current, "it is damaged on the disk, or does not fit this release")
        return set_id, bundles

    def forget_rejections(self) -> None:
        """Sets that failed here may be tried again."""
        self._change(lambda state: msgspec.structs.replace(state, rejected={}))

    def reject(self, set_id: str, why: str) -> None:
        """`set_id` must not run here: if it does, the one before runs from now on."""

        def without(state: ShelfState) -> ShelfState:
            if state.current == set_id != SHIPPED:
                return _rejected(state, why)
            staged = None if state.staged and state.staged.id == set_id else state.staged
            kept = state.sets.get(set_id)
            rejected = state.rejected if kept is None else {**state.rejected, kept.fingerprint: why}
            return msgspec.structs.replace(state, staged=staged, rejected=rejected)

        self._change(without)

    def refuse(self, fingerprint: str, why: str) -> None:
        """A set that is not on the shelf must not come onto it by itself."""
        self._change(
            lambda state: msgspec.structs.replace(
                state, rejected={**state.rejected, fingerprint: why}
            )
        )

    def settle(self) -> None:
        """Finish what a kill left half done: the link, and sets that nothing refers to any more."""
        if self.folder.is_dir():
            self._change(lambda state: state)

    def _change(self, act: Callable[[ShelfState], ShelfState]) -> ShelfState:
        with self._changing() as change:
            return change(act)

    @contextmanager
    def _changing(self) -> Iterator[Callable[[Callable[[ShelfState], ShelfState]], ShelfState]]:
        """The right to change the state until the end of the block."""

        def change(act: Callable[[ShelfState], ShelfState]) -> ShelfState:
            before = self.state()
            after = act(before)
            kept = {k: v for k, v in after.sets.items() if k in _referred(after)}
            after = msgspec.structs.replace(after, sets=kept)
            if after != before:
                replace_file(self._state_file, msgspec.json.encode(after) + b"\n", sync=True)
            self._follow(after)
            return after

        try:
            make_directory(self.folder)
            with (self.folder / "lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield change
        except (OSError, RecordError, StoreError) as error:
            raise UpdateError(f"{self.folder}: cannot be changed: {error}") from error

    def _follow(self, state: ShelfState) -> None:
        """The link, then the folders, as `state` has them."""
        goal = None if state.current == SHIPPED else f"sets/{state.current}"
        found = str(self._link.readlink()) if self._link.is_symlink() else None
        if goal is None and found is not None:
            self._link.unlink()
        elif goal is not None and found != goal:
            beside = self.folder / "current.part"
            beside.unlink(missing_ok=True)
            beside.symlink_to(goal)
            beside.replace(self._link)
        if goal != found:
            sync_directory(self.folder)
        sets = self.folder / "sets"
        for folder in sets.iterdir() if sets.is_dir() else ():
            if folder.name not in state.sets:
                shutil.rmtree(folder, ignore_errors=True)


def _rejected(state: ShelfState, why: str) -> ShelfState:
    """The current set goes, the one before it runs."""
    before = state.trial.before if state.trial else (state.previous or SHIPPED)
    kept = state.sets.get(state.current)
    rejected = state.rejected if kept is None else {**state.rejected, kept.fingerprint: why}
    previous = state.previous if state.trial else None
    return msgspec.structs.replace(
        state, current=before, previous=previous, trial=None, rejected=rejected
    )


def _referred(state: ShelfState) -> set[str | None]:
    return {
        state.current,
        state.previous,
        state.staged.id if state.staged else None,
        state.trial.before if state.trial else None,
    }


def _is_whole(folder: Path, fingerprint: str) -> bool:
    try:
        return load_bundle_set(folder).fingerprint == fingerprint
    except BundleError:
        return False


def sync_tree(folder: Path) -> None:
    """Every file below `folder`, and every name, is on disk when this returns."""
    for path in sorted(folder.rglob("*"), reverse=True):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    sync_directory(folder)
