"""Which sensors this device has seen, and what firmware they said they run: out of the store."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec

from edge_runtime.errors import StoreError
from edge_runtime.store.reading import read_only

_NEWEST = """SELECT source, stream FROM session WHERE id IN (
    SELECT max(id) FROM session GROUP BY source
) ORDER BY source"""


@dataclass(frozen=True, slots=True)
class SeenSensor:
    """What a source's sensor said of itself when it connected last."""

    source: str
    model: str
    firmware: str


class _Told(msgspec.Struct):
    model: str = ""
    firmware: str = ""


def seen_sensors(directory: Path) -> tuple[SeenSensor, ...]:
    """The sensor of every source in the store, as of its newest session; none without a store."""
    try:
        connection = read_only(directory)
    except StoreError:
        return ()
    with closing(connection):
        rows = connection.execute(_NEWEST).fetchall()
    told = [(source, msgspec.json.decode(stream, type=_Told)) for source, stream in rows]
    return tuple(SeenSensor(source, one.model, one.firmware) for source, one in told)
