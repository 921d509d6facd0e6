"""An accelerator beside the processor: a TFLite external delegate, such as libedgetpu.

Every graph keeps an interpreter of the processor's. What the accelerator fails at, whenever it
does, the processor does again; the first failure ends the accelerator's part for all graphs, and
is told once.
"""

import ctypes
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from edge_runtime.errors import InterpreterError
from edge_runtime.inference.calls import Gathers, Singly

_log = logging.getLogger(__name__)

COMPILED: Final = "{}_edgetpu.tflite"
"""What the vendor's compiler calls its output for a graph of this name."""


@dataclass(frozen=True, slots=True)
class AcceleratorConfig:
    """An accelerator for the networks. `library` is its TFLite delegate, such as libedgetpu.so.1
    for a Coral stick; empty: none. `options` are the delegate's own, each KEY=VALUE. `graphs` is a
    folder with graphs compiled for it, NAME_edgetpu.tflite for each NAME.tflite; a graph that is
    not there is handed over as it is. `use` "faster": a trial at the start decides; "always": it
    does all it can; "never". When it fails, the processor goes on."""

    library: str = ""
    options: tuple[str, ...] = ()
    graphs: Path | None = None
    use: Literal["faster", "always", "never"] = "faster"

    def __post_init__(self) -> None:
        for option in self.options:
            if "=" not in option:
                raise ValueError(f"option {option!r} is no KEY=VALUE")


class Accelerator:
    """One delegate library, for all graphs whose calls are made one at a time.

    Raises InterpreterError where the library cannot be loaded or finds nothing to drive.
    """

    def __init__(self, config: AcceleratorConfig, load: Callable[..., Any]) -> None:
        self.from_rows = 1
        """Calls with so many rows or more are its part, fewer are the processor's."""
        self.gathering: Gathers = Singly()
        """Whom calls are offered to before they are made."""
        self.is_lost = False
        """It has failed, and is asked no more."""
        self._config, self._load = config, load
        self._untold: str | None = None
        try:
            # What is missing shows now, and before the runtimes' own loader stumbles over it.
            ctypes.CDLL(config.library)
            self._delegate()
        except (ValueError, OSError, RuntimeError) as error:
            raise InterpreterError(f"{config.library}: {one_line(error)}") from error

    def options_for(self, graph: Path) -> tuple[bytes | None, list[Any]]:
        """The compiled graph, None where there is none, and the delegate for its interpreter.

        Raises ValueError, OSError or RuntimeError, as the delegate does.
        """
        folder = self._config.graphs
        compiled = None if folder is None else folder / COMPILED.format(graph.stem)
        model = compiled.read_bytes() if compiled is not None and compiled.is_file() else None
        return model, [self._delegate()]

    def lost(self, error: Exception) -> None:
        """It has failed; the processor goes on."""
        if not self.is_lost:
            self.is_lost = True
            self._untold = f"{self._config.library}: {one_line(error)}"
            _log.warning("accelerator %s; the processor goes on without it", self._untold)

    def take_loss(self) -> str | None:
        """Why it has failed, in words, the first time this is asked; else None."""
        words, self._untold = self._untold, None
        return words

    def _delegate(self) -> Any:
        options = dict(option.split("=", 1) for option in self._config.options)
        return self._load(self._config.library, options)


def one_line(error: BaseException) -> str:
    """What a delegate says, without the lines it says it in."""
    return "; ".join(line.strip() for line in str(error).splitlines() if line.strip())
