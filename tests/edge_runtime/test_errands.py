"""What is asked of the store is done in the writer's thread, and answered where it was asked."""

import asyncio
import threading
from pathlib import Path

import pytest

from edge_runtime.errands import Errands
from edge_runtime.errors import StoreError
from edge_runtime.store.store import Store
from edge_runtime.threads import WriterThread
from tests.edge_runtime.store.making import PROVENANCE


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path, PROVENANCE, {})


def ignore(*_what: object) -> None:
    """Nothing is expected to fail."""


def test_an_errand_is_done_by_the_writer_and_what_it_raises_comes_back(store: Store) -> None:
    writer = WriterThread(store, ignore, ignore)
    errands = Errands()
    errands.are_for(store)
    errands.open(writer.put_errand)
    writer.start()

    async def ask() -> None:
        thread = await errands.ask(lambda _store: threading.current_thread().name)
        assert thread == "writer"
        with pytest.raises(StoreError, match="no session"):
            await errands.ask(lambda one: one.mark_for_removal("x"))
        assert await errands.ask(lambda one: one.remove_some()) is False

    asyncio.run(ask())
    writer.stop()
    assert writer.join(5)


def test_a_store_that_is_far_behind_or_not_there_says_so(store: Store) -> None:
    async def ask(errands: Errands) -> None:
        await errands.ask(lambda _store: None)

    with pytest.raises(StoreError, match="nothing is being stored"):
        asyncio.run(ask(Errands()))
    full = Errands()
    full.are_for(store)
    full.open(lambda _errand: False)
    with pytest.raises(StoreError, match="far behind"):
        asyncio.run(ask(full))
    store.close()
