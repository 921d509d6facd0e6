"""LSL outlets, read by liblsl's own inlet on this machine alone."""

import json
import time
from typing import Any

import numpy as np
import pytest

from firmware_bridge.stream import Gap, GapReason, SampleIndex
from tests.edge_runtime.integrations.happening import raised, session
from tests.synthetic import chunks, ecg, opened


@pytest.fixture(scope="module")
def outlets(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The view, with liblsl told to keep to this machine before it reads its settings."""
    import os

    file = tmp_path_factory.mktemp("lsl") / "lsl.cfg"
    file.write_text("[multicast]\nResolveScope = machine\n[lab]\nKnownPeers = {127.0.0.1}\n")
    os.environ.setdefault("LSLAPICFG", str(file))
    try:
        from edge_runtime.integrations.lsl import LslOutlets
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"no liblsl here: {error}")
    return LslOutlets("test-node")


def inlet(wanted: str, value: str) -> Any:
    import pylsl

    (found, *_) = pylsl.resolve_byprop(wanted, value, minimum=1, timeout=10)
    opened_inlet = pylsl.StreamInlet(found)
    opened_inlet.open_stream(timeout=10)
    return opened_inlet


def pulled(one: Any, n: int) -> list[Any]:
    rows: list[Any] = []
    until_s = time.monotonic() + 20
    while len(rows) < n and time.monotonic() < until_s:
        got, _ = one.pull_chunk(timeout=0.2)
        rows += list(got)
    return rows


def test_an_inlet_gets_the_samples_and_the_events_that_were_sent(outlets: Any) -> None:
    stream = session("lsl-chest")
    form = opened(source="lsl-chest", leads=("I", "II"))
    outlets.see("lsl-chest", form, [])
    signal, events = inlet("name", "lsl-chest"), inlet("name", "lsl-chest events")
    info = signal.info(10)
    assert (info.type(), info.channel_count(), info.nominal_srate()) == ("ECG", 2, 500.0)
    first = info.desc().child("channels").child("channel")
    assert (first.child_value("label"), first.child_value("unit")) == ("I", "millivolts")

    samples = ecg([0.5], 2, lead_gains=(1.0, 0.5))
    first_half, second_half = samples[:500], samples[500:]
    for chunk in chunks(first_half):
        outlets.see("lsl-chest", chunk, [])
    gap = Gap("ecg", SampleIndex(500), 500, True, GapReason.LOST_PACKET)
    outlets.see("lsl-chest", gap, [stream.publish(raised())])
    for chunk in chunks(second_half, first=1000):
        outlets.see("lsl-chest", chunk, [])
    np.testing.assert_array_equal(np.array(pulled(signal, len(samples)), np.float32), samples)
    ((told,),) = pulled(events, 1)
    assert json.loads(told)["event"]["type"] == "alarm_raised"
    outlets.keep(())
    assert not outlets._signals
