"""A call of a network, and whoever may make several of them together."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


class Network(Protocol):
    """What a call is of: `interpreter.Graph`."""

    model: bytes
    """Calls of equal models are calls of one network."""

    def make(self, call: "Call", rows: int) -> None:
        """Make a call of this network, as part of a larger one of so many `rows`."""


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """Arrays by role: of `inputs` a list of one for each row, of `outputs` (rows, *shape)."""

    network: Network
    inputs: Mapping[str, list[Any]]
    outputs: Mapping[str, Any]

    @property
    def rows(self) -> int:
        """How often the network is to be invoked."""
        return len(next(iter(self.outputs.values())))


class Gathers(Protocol):
    """Makes calls together with others where it can (`edge_runtime.gathering`)."""

    def takes(self, call: Call) -> bool:
        """Whether the call was made together with others; if not, the caller makes it."""


class Singly:
    """Leaves every call to its caller."""

    def takes(self, call: Call) -> bool:
        """False."""
        del call
        return False
