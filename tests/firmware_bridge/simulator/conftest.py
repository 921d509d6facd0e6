"""The packaged excerpt, where it is installed."""

import pytest

from firmware_bridge.errors import UsageError
from firmware_bridge.simulator.recording import Recording, demo_recording


@pytest.fixture(scope="session")
def demo() -> Recording:
    """Five minutes of MIT-BIH 208; skips where the `demo` extra is not installed."""
    try:
        return demo_recording()
    except UsageError as missing:
        pytest.skip(str(missing))
