"""Two compiled kernels of scipy, loaded without the `scipy.signal` package.

Importing `scipy.signal` drags in stats, optimize and sparse (75 MB); its two compiled modules
alone cost 2 MB, and a call to them 1 us instead of 28. Their names are private to scipy, so a
test proves them bit-equal to the public functions; where they cannot be loaded the public
package is imported instead, with a warning. With stored coefficients both give the same bits on
x86-64 and aarch64 (plain multiply and add in fixed order).
"""

import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import scipy
from numpy.typing import NDArray

Array = NDArray[np.float64]

_ZERO_EXTENSION = 0  # scipy's enum value of mode "constant"


def _load_compiled(name: str) -> ModuleType:
    full_name = f"scipy.signal.{name}"
    # Extension modules initialise once per process: share scipy's own copy, and leave ours
    # where scipy will look for it.
    if full_name in sys.modules:
        return sys.modules[full_name]
    folder = Path(scipy.__file__).parent / "signal"
    for suffix in EXTENSION_SUFFIXES:
        file = folder / f"{name}{suffix}"
        if file.is_file():
            spec = spec_from_file_location(
                full_name, file, loader=ExtensionFileLoader(full_name, str(file))
            )
            if spec is None or spec.loader is None:
                break
            module = module_from_spec(spec)
            spec.loader.exec_module(module)
            sys.modules[full_name] = module
            return module
    raise ImportError(f"no compiled {full_name} in {folder}")


def _load_kernels() -> tuple[Callable[..., Any], Callable[..., Any]] | None:
    try:
        return (
            _load_compiled("_sosfilt")._sosfilt,
            _load_compiled("_upfirdn_apply")._apply,
        )
    except (ImportError, AttributeError) as error:
        warnings.warn(
            f"scipy's compiled filters could not be loaded alone ({error}); importing all of "
            "scipy.signal instead, which costs about 75 MB",
            RuntimeWarning,
            stacklevel=2,
        )
        return None


_COMPILED = _load_kernels()


def sosfilt(sos: Array, x: Array, zi: Array) -> tuple[Array, Array]:
    """Filter `x` (n_leads, n) through second-order sections `sos` (n_sections, 6).

    `zi` is the state, (n_leads, n_sections, 2). Returns the output and the new state; the
    arguments are left as they were.
    """
    if _COMPILED is None:
        from scipy import signal  # noqa: PLC0415 - only where the compiled module is not found

        y, zf = signal.sosfilt(sos, x, axis=-1, zi=np.moveaxis(zi, 0, 1))
        return y, np.ascontiguousarray(np.moveaxis(zf, 1, 0))
    y = np.array(x, dtype=np.float64, order="C")
    state = np.array(zi, dtype=np.float64, order="C")
    _COMPILED[0](sos, y, state)
    return y, state


@dataclass(frozen=True, slots=True, eq=False)
class Polyphase:
    """FIR taps at `up` times the input rate, laid out for `upfirdn`."""

    taps: Array
    up: int
    down: int
    rows: Array

    @classmethod
    def of(cls, taps: Array, up: int, down: int) -> "Polyphase":
        """Lay `taps` (n,) out: one row per phase, each flipped, zero padded at its far end."""
        padded = np.concatenate([taps, np.zeros(-len(taps) % up)])
        rows = np.ascontiguousarray(padded.reshape(-1, up).T[:, ::-1].ravel())
        return cls(taps=taps, up=up, down=down, rows=rows)

    def output_length(self, n: int) -> int:
        """How many outputs `n` inputs give, counting those over the zeros around the input."""
        return ((n - 1) * self.up + len(self.taps) - 1) // self.down + 1


def upfirdn(filter_: Polyphase, x: Array) -> Array:
    """`y[m] = sum_k taps[m * down - k * up] * x[k]` along the last axis of `x` (n_leads, n)."""
    if _COMPILED is None:
        from scipy import signal  # noqa: PLC0415 - only where the compiled module is not found

        public: Array = signal.upfirdn(filter_.taps, x, filter_.up, filter_.down, axis=-1)
        return public
    out = np.zeros((x.shape[0], filter_.output_length(x.shape[1])))
    _COMPILED[1](
        np.ascontiguousarray(x, dtype=np.float64),
        filter_.rows,
        out,
        filter_.up,
        filter_.down,
        1,
        _ZERO_EXTENSION,
        0.0,
    )
    return out
