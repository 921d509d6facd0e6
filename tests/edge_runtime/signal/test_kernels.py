"""The compiled kernels against the public functions, and what they cost to load."""

import importlib
import subprocess
import sys

import numpy as np
import pytest
from scipy import signal

from edge_runtime.signal import kernels


@pytest.fixture(params=["compiled", "public"])
def variant(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "public":
        monkeypatch.setattr(kernels, "_COMPILED", None)
    return str(request.param)


def test_sosfilt_equals_public_scipy_bit_for_bit(variant: str) -> None:
    rng = np.random.default_rng(1)
    sos = signal.butter(4, [0.5, 40], "bandpass", fs=250, output="sos")
    x = rng.normal(size=(3, 1000))
    zi = rng.normal(size=(3, len(sos), 2))
    x_before, zi_before = x.copy(), zi.copy()

    y, zf = kernels.sosfilt(sos, x, zi)

    expected, expected_zf = signal.sosfilt(sos, x, axis=-1, zi=np.moveaxis(zi, 0, 1))
    assert np.array_equal(y, expected)
    assert np.array_equal(np.moveaxis(zf, 0, 1), expected_zf)
    assert np.array_equal(x, x_before)
    assert np.array_equal(zi, zi_before)


@pytest.mark.parametrize(("up", "down"), [(1, 2), (25, 36), (250, 257), (25, 13)])
def test_upfirdn_equals_public_scipy_bit_for_bit(variant: str, up: int, down: int) -> None:
    rng = np.random.default_rng(2)
    taps, x = rng.normal(size=8 * up + 1), rng.normal(size=(2, 700))

    y = kernels.upfirdn(kernels.Polyphase.of(taps, up, down), x)

    assert np.array_equal(y, signal.upfirdn(taps, x, up, down, axis=-1))


@pytest.mark.parametrize("first", ["scipy.signal", "edge_runtime.signal.kernels"])
def test_lives_beside_scipy_signal_in_either_order(first: str) -> None:
    code = (
        f"import {first}, edge_runtime.signal.kernels as k, scipy.signal as s\n"
        "import numpy as np\n"
        "assert k._COMPILED is not None\n"
        "s.sosfilt(s.butter(2, 0.1, output='sos'), np.ones(9)); s.resample_poly(np.ones(9), 2, 3)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_loads_no_scipy_signal_package() -> None:
    code = (
        "import sys, edge_runtime.signal.conditioner\n"
        "assert not {'scipy.signal', 'scipy.stats', 'scipy.optimize'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_warns_and_falls_back_where_scipy_hides_the_modules(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(kernels, "_load_compiled", missing)
    with pytest.warns(RuntimeWarning, match="importing all of scipy.signal"):
        assert kernels._load_kernels() is None
    assert importlib.import_module("scipy.signal")
