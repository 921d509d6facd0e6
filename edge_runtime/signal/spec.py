"""The numbers the signal path filters with, as the bundle set's `conditioning.toml` gives them.

Nothing is designed on the device: design functions differ in the last bits between platforms,
stored coefficients do not. `model_build.conditioning` writes the file.
"""

import hashlib
import tomllib
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import BundleError

CONTRACT_RATE_HZ: Final = 250
"""Rate of everything behind the resampler."""

SPEC_VERSION: Final = 1

DEFAULT_SPEC_FILE: Final = Path(__file__).parents[1] / "bundles" / "default" / "conditioning.toml"


@dataclass(frozen=True, slots=True, eq=False)
class Cascade:
    """Second-order sections in the order they apply, at the contract rate.

    `sos` (n_sections, 6) as scipy lays it out; `zi` (n_sections, 2) is the settled state for a
    constant input of one; `delay` is by how many contract samples an R wave peaks later.
    """

    sos: NDArray[np.float64]
    zi: NDArray[np.float64]
    delay: Fraction


@dataclass(frozen=True, slots=True, eq=False)
class ConditioningSpec:
    """Resampling kernel and filters.

    `kernel` holds one side of the interpolation kernel, centre first, `kernel_step` entries per
    zero crossing; `cascades` maps the mains frequency (None: no notch) to the filters.
    """

    kernel: NDArray[np.float64]
    kernel_step: int
    cascades: dict[int | None, Cascade]
    sha256: str

    @property
    def kernel_reach(self) -> int:
        """Half width of the kernel in zero crossings."""
        return (len(self.kernel) - 1) // self.kernel_step


def read_spec(path: Path = DEFAULT_SPEC_FILE) -> ConditioningSpec:
    """Read `conditioning.toml`; without a path, the one of the shipped bundle set.

    Raises:
        BundleError: the file is missing, is not TOML, or lacks or misstates a number.
    """
    try:
        content = path.read_bytes()
        return _parse(tomllib.loads(content.decode()), hashlib.sha256(content).hexdigest())
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(
            f"{path}: not a usable conditioning spec ({error}); install the bundle set again"
        ) from error


def _parse(table: dict[str, Any], sha256: str) -> ConditioningSpec:
    if table["version"] != SPEC_VERSION:
        raise ValueError(f"version {table['version']}, this runtime reads {SPEC_VERSION}")
    if table["contract_rate_hz"] != CONTRACT_RATE_HZ:
        raise ValueError(f"contract_rate_hz {table['contract_rate_hz']} is not {CONTRACT_RATE_HZ}")
    kernel = _numbers(table["kernel"]["half"], (-1,))
    step = int(table["kernel"]["per_crossing"])
    if step < 1 or len(kernel) < step or (len(kernel) - 1) % step:
        raise ValueError("kernel: not a whole number of zero crossings")
    cascades: dict[int | None, Cascade] = {}
    for entry in table["cascade"]:
        sos = _numbers(entry["sos"], (-1, 6))
        cascades[entry.get("mains_hz")] = Cascade(
            sos=sos,
            zi=_numbers(entry["zi"], (len(sos), 2)),
            delay=Fraction(entry["delay_samples"]),
        )
    if None not in cascades:
        raise ValueError("no cascade without a notch")
    return ConditioningSpec(kernel, step, cascades, sha256)


def _numbers(values: list[Any], shape: tuple[int, ...]) -> NDArray[np.float64]:
    array = np.array(values, dtype=np.float64).reshape(shape)
    if not np.isfinite(array).all():
        raise ValueError("a coefficient is not finite")
    array.flags.writeable = False
    return array
