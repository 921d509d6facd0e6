"""Asking the writer's thread to do something with the store, while the daemon runs."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from edge_runtime.errors import StoreError
from edge_runtime.store.store import Store
from edge_runtime.threads import Errand

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class _Asked(Generic[_Answer]):
    act: Callable[[], _Answer]
    answer: Future[_Answer]

    def run(self) -> None:
        try:
            self.answer.set_result(self.act())
        except Exception as error:  # noqa: BLE001 - it is raised where it was asked
            self.answer.set_exception(error)


class Errands:
    """The way to the store for everybody who is not the writer's thread."""

    def __init__(self) -> None:
        self._store: Store | None = None
        self._put: Callable[[Errand], bool] | None = None

    def are_for(self, store: Store) -> None:
        """Which store it is."""
        self._store = store

    def open(self, put: Callable[[Errand], bool]) -> None:
        """Where errands go from now on."""
        self._put = put

    async def ask(self, act: Callable[[Store], _Answer]) -> _Answer:
        """What `act` says of the store, done between two records. Raises what it raises, and
        StoreError where the store does not get to it."""
        if self._store is None or self._put is None:
            raise StoreError("nothing is being stored")
        store = self._store
        asked: _Asked[Any] = _Asked(lambda: act(store), Future())
        if not self._put(asked):
            raise StoreError("the store is far behind (a slow or failing disk); try again later")
        answer: _Answer = await asyncio.wrap_future(asked.answer)
        return answer
