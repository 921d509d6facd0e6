"""What every peer can do, and which there are."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Final, Protocol

from model_build.errors import RecipeError
from model_build.peers.beats import PeerBeats, Rows


class Peer(Protocol):
    """A published classifier of beats."""

    def fit(self, beats: PeerBeats, seed: int) -> None:
        """Learn from beats that all have a class and a readable window."""

    def scores(self, beats: PeerBeats) -> Rows:
        """Log scores float32 (k, K) in the order of `CLASSES`; the largest is what it says."""


@dataclass(frozen=True, slots=True)
class Described:
    """A peer for tables: its name, and where it was published."""

    name: str
    title: str
    citation: str


_MODULES: Final = {
    "article-cnn": "article_cnn",
    "article-lstm": "article_lstm",
    "chazal": "chazal",
    "mondejar": "mondejar",
    "acharya": "acharya",
}
NAMES: Final[Sequence[str]] = tuple(_MODULES)


def new_peer(name: str) -> tuple[Peer, Described]:
    """An untrained peer by its name. Raises `RecipeError` where there is none of that name."""
    if name not in _MODULES:
        raise RecipeError(f"no peer {name!r}; there are {', '.join(NAMES)}")
    module = import_module(f"{__package__}.{_MODULES[name]}")
    peer: Peer = module.new()
    return peer, Described(name, module.TITLE, module.CITATION)
