"""The committed numbers are those the design gives, and read back unchanged."""

from pathlib import Path

import numpy as np
import pytest

from edge_runtime.errors import BundleError
from edge_runtime.signal.spec import DEFAULT_SPEC_FILE, read_spec
from model_build.conditioning import design_cascade, design_kernel, write_spec


def test_the_shipped_numbers_come_from_the_design() -> None:
    # Design functions differ in the last bits between platforms; the file does not.
    spec = read_spec()
    np.testing.assert_allclose(spec.kernel, design_kernel(), rtol=0, atol=1e-12)
    for mains_hz, cascade in spec.cascades.items():
        sos, zi, delay = design_cascade(mains_hz)
        np.testing.assert_allclose(cascade.sos, sos, rtol=0, atol=1e-10)
        np.testing.assert_allclose(cascade.zi, zi, rtol=0, atol=1e-8)
        assert cascade.delay == delay


def test_every_digit_survives_the_file(tmp_path: Path) -> None:
    write_spec(tmp_path / "conditioning.toml")
    spec = read_spec(tmp_path / "conditioning.toml")
    assert np.array_equal(spec.kernel, design_kernel())
    assert np.array_equal(spec.cascades[50].sos, design_cascade(50)[0])
    assert len(spec.sha256) == 64


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("version = 1", "version = 2"),
        ("contract_rate_hz = 250", "contract_rate_hz = 360"),
        ("half = [", "half = [nan,"),
        ("per_crossing = 128", "per_crossing = 100"),
        ("delay_samples", "delay"),
        ("[kernel]", "[kernel"),
    ],
)
def test_a_damaged_spec_is_refused(tmp_path: Path, old: str, new: str) -> None:
    text = DEFAULT_SPEC_FILE.read_text()
    assert old in text
    path = tmp_path / "conditioning.toml"
    path.write_text(text.replace(old, new))
    with pytest.raises(BundleError, match="install the bundle set again"):
        read_spec(path)


def test_a_missing_spec_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="not a usable conditioning spec"):
        read_spec(tmp_path / "none.toml")
