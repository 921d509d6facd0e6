"""A finished recording through the engine: what the `replay` command and the golden vectors use."""

from collections.abc import Iterable, Iterator

from edge_runtime.engine import Engine, EngineSettings
from edge_runtime.errors import PathError
from edge_runtime.events import Event
from edge_runtime.inference.bundle import BundleSet
from firmware_bridge.stream import StreamItem, StreamOpened


def replay(
    bundles: BundleSet, items: Iterable[StreamItem], settings: EngineSettings | None = None
) -> Iterator[Event]:
    """Events of a fresh engine that is fed with `items`, the first of which is StreamOpened.

    Raises PathError for a stream the engine cannot read.
    """
    remaining = iter(items)
    opened = next(remaining, None)
    if not isinstance(opened, StreamOpened):
        raise PathError("a stream begins with StreamOpened")
    engine = Engine.of_bundles(opened, bundles, settings)
    yield from engine.feed(opened)
    for item in remaining:
        yield from engine.feed(item)
    yield from engine.finish()
