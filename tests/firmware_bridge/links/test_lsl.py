"""An LSL inlet against liblsl's own outlet, on this machine alone."""

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from firmware_bridge.drivers import DriverRequest, driver_maker
from firmware_bridge.errors import LinkError, UsageError
from firmware_bridge.lsl_session import LslForm, LslSession
from firmware_bridge.stream import Gap, GapReason, LinkChanged, SampleChunk, StreamItem, Tick
from tests.firmware_bridge.simulated import collect, misplaced, of, samples_reached

RATE = 500


@pytest.fixture(scope="module")
def lsl(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """pylsl, told to keep to this machine before liblsl reads its settings."""
    import os

    file = tmp_path_factory.mktemp("lsl") / "lsl.cfg"
    file.write_text("[multicast]\nResolveScope = machine\n[lab]\nKnownPeers = {127.0.0.1}\n")
    os.environ["LSLAPICFG"] = str(file)
    try:
        import pylsl
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"no liblsl here: {error}")
    return pylsl


class Sender:
    """Pushes sample k as k microvolts on two channels."""

    def __init__(self, lsl: Any, name: str, unit: str = "microvolts") -> None:
        info = lsl.StreamInfo(name, "ECG", 2, RATE, lsl.cf_float32, f"{name}-id")
        channels = info.desc().append_child("channels")
        for label in ("I", "II"):
            channel = channels.append_child("channel")
            channel.append_child_value("label", label)
            channel.append_child_value("unit", unit)
        self.outlet = lsl.StreamOutlet(info)
        self.lsl = lsl
        self.began_s = lsl.local_clock()
        self.sent = 0

    def push(self) -> None:
        due = int((self.lsl.local_clock() - self.began_s) * RATE)
        numbers = np.arange(self.sent, due, dtype=np.float32)
        if len(numbers):
            rows = np.stack([numbers, -numbers], axis=1)
            self.outlet.push_chunk(rows.tolist(), self.began_s + (due - 1) / RATE)
        self.sent = due


@contextmanager
def sending(make: Callable[[], Sender], away: threading.Event | None = None) -> Iterator[None]:
    """A sender in a thread; once `away` is set its outlet goes for two seconds and comes back."""
    over, ready = threading.Event(), threading.Event()

    def run() -> None:
        sender = make()
        ready.set()
        while not over.wait(0.02):
            sender.push()
            if away is not None and away.is_set():
                away.clear()
                began_s = sender.began_s
                del sender
                over.wait(2.0)
                sender = make()
                sender.began_s = began_s
                sender.sent = int((sender.lsl.local_clock() - began_s) * RATE)

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(5)
    try:
        yield
    finally:
        over.set()
        thread.join(5)


def driver(port: str, counts_per_mv: float | None = None) -> Any:
    return driver_maker("lsl")(DriverRequest("lab", port, counts_per_mv=counts_per_mv))


def test_an_outlet_s_samples_arrive_in_order(lsl: Any) -> None:
    with sending(lambda: Sender(lsl, "ward")):
        items = asyncio.run(collect(driver("ward"), samples_reached(RATE)))
    opened = items[0]
    assert opened.model == "ward"  # type: ignore[union-attr]
    assert opened.reference.leads == ("I", "II")  # type: ignore[union-attr]
    assert misplaced(items) == 0
    assert of(items, Gap) == []
    chunk = of(items, SampleChunk)[0]
    np.testing.assert_allclose(chunk.samples[:, 1], -chunk.samples[:, 0])


@pytest.mark.slow
def test_a_sender_that_restarts_leaves_a_gap_of_its_length(lsl: Any) -> None:
    away = threading.Event()

    def enough(items: list[StreamItem]) -> bool:
        if len(of(items, SampleChunk)) == 5 and isinstance(items[-1], SampleChunk):
            away.set()
        return bool(of(items, Gap)) and isinstance(items[-1], SampleChunk)

    with sending(lambda: Sender(lsl, "bed"), away):
        items = asyncio.run(collect(driver("source_id=bed-id"), enough))
    assert [link.up for link in of(items, LinkChanged)] == [False, True]
    (gap,) = of(items, Gap)
    assert gap.reason is GapReason.RECONNECT
    first, last = of(items, SampleChunk)[0], of(items, SampleChunk)[-1]
    numbers = [round(float(chunk.samples[0, 0]) * 1000) for chunk in (first, last)]
    assert gap.n_missing >= 2 * RATE
    assert len(of(items, Tick)) >= 4  # silence is told while it looks for the sender
    assert abs((numbers[1] - numbers[0]) - (last.first - first.first)) <= 0.05 * RATE


def test_a_stream_that_is_not_there_is_named(lsl: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from firmware_bridge.links import lsl as link

    del lsl
    monkeypatch.setattr(link, "_FOUND_WITHIN_S", 0.2)
    with pytest.raises(LinkError, match="no LSL stream with name=nobody"):
        asyncio.run(collect(driver("nobody"), lambda _: False))


def test_a_missing_library_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(ModuleType):
        def __getattr__(self, name: str) -> object:
            raise RuntimeError("LSL binary library file was not found")

    monkeypatch.delitem(sys.modules, "firmware_bridge.links.lsl", raising=False)
    monkeypatch.setitem(sys.modules, "pylsl", Broken("pylsl"))
    monkeypatch.setitem(sys.modules, "pylsl.util", Broken("pylsl.util"))
    with pytest.raises(UsageError, match="finds no liblsl"):
        driver_maker("lsl")


def test_a_unit_that_is_no_voltage_asks_for_the_scale() -> None:
    form = LslForm("lab", 250.0, ("I",), ("counts",))
    with pytest.raises(UsageError, match="set counts_per_mv"):
        LslSession("lab", form)
    assert LslSession("lab", form, 200.0).opened.reference.counts_per_unit == (200.0,)
    with pytest.raises(UsageError, match="no regular rate"):
        LslSession("lab", LslForm("marks", 0.0, ("I",), ("mV",)))


@pytest.mark.parametrize("jitter_ms", [0.0, 15.0])
def test_stamps_that_jitter_are_no_gaps(jitter_ms: float) -> None:
    session = LslSession("lab", LslForm("lab", 250.0, ("I",), ("mV",)))
    random = np.random.default_rng(1)
    items: list[StreamItem] = []
    for k in range(1, 200):
        stamp_s = k * 50 / 250 + random.uniform(0, jitter_ms) / 1000
        items += session.chunk(np.zeros((50, 1)), stamp_s, int(k * 0.2e9))
    assert of(items, Gap) == []
    assert of(items, SampleChunk)[-1].end == 199 * 50
