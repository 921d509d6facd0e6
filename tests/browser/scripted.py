"""A page with a scripted sensor, as a process of its own: `python -m tests.browser.scripted PORT`.

Two sources in real time: `chest` sends calibration pulses (1 mV, 0.2 s, once a second, with a beat
labelled on every third), `wrist` sends them upside down. The store beside them knows their events,
and one session of before, two hours of them. Lines on standard input: `alarm` raises one and
answers the time of its event; `unplug` ends the sending, but not the page. Marks are answered as
they come.
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from edge_runtime.alarms.desk import AlarmDesk
from edge_runtime.audit import Audit
from edge_runtime.config import WebConfig
from edge_runtime.errands import Errands
from edge_runtime.events import (
    BeatClass,
    BeatClassified,
    BeatDetected,
    DeviceReported,
    Event,
    Phase,
    Rhythm,
    RhythmEpisode,
    SignalQuality,
)
from edge_runtime.events import QualityLevel as Level
from edge_runtime.keeping import Keeping
from edge_runtime.publication import Session
from edge_runtime.store.store import Store
from edge_runtime.threads import Errand
from edge_runtime.wearers import Wearers
from edge_runtime.web.accounts import Accounts
from edge_runtime.web.view import WebView
from firmware_bridge.stream import (
    ClockAnchor,
    DeviceStatus,
    SampleChunk,
    SampleIndex,
    UserMark,
)
from tests.edge_runtime.store.making import PROVENANCE, Recording, alarm, noise
from tests.edge_runtime.web.changeable import Changeable
from tests.synthetic import opened

RATE = 500
PULSE_S = 0.2
PASSWORD = "correct horse battery"
_STEP = 25
_PAST_S = 2 * 3600


class Sensor:
    """One source, played to the view."""

    def __init__(
        self, view: WebView, desk: AlarmDesk, store: Store, name: str, gain_mv: float
    ) -> None:
        self._view, self._desk, self._name, self._gain_mv = view, desk, name, gain_mv
        self._store = store
        self._session = Session.begin(opened(RATE, source=name, leads=("II",)))
        self._end = 0
        self._alarms = 0
        store.begin(self._session)
        quality = SignalQuality(at=0, decided=0, lead="II", level=Level.GOOD, reason="")
        published = [self._session.publish(quality)]
        store.record_events(published)
        view.see(name, self._session.opened, published)

    def step(self) -> None:
        index = np.arange(self._end, self._end + _STEP)
        pulse = np.where(index % RATE < PULSE_S * RATE, self._gain_mv, 0.0)
        chunk = SampleChunk("ecg", SampleIndex(self._end), pulse.astype(np.float32)[:, None])
        self._end += _STEP
        self._view.see(self._name, chunk, ())
        if self._end % RATE == 0:
            self._tell_of_itself()
            self._beat(self._end - RATE + int(PULSE_S * RATE / 2))

    def _tell_of_itself(self) -> None:
        """A clock that is 200 ppm slow, a battery, skin contact."""
        at = SampleIndex(self._end)
        host_ns = round(self._end / RATE * 1.0002e9)
        self._view.see(self._name, ClockAnchor(at, None, host_ns), ())
        self._view.see(self._name, DeviceStatus(at, 71.0, contact=True), ())
        if self._end == RATE:
            self._happen(
                DeviceReported(at=0, decided=self._end, battery_percent=71.0, contact=True)
            )

    def raise_alarm(self) -> None:
        self._alarms += 1
        self._happen(alarm(self._end, self._alarms))
        print(time.time(), flush=True)

    def _beat(self, at: int) -> None:
        label = BeatClass.VENTRICULAR if (at // RATE) % 3 == 0 else BeatClass.NORMAL
        scores = {"N": 0.1, "V": 0.9} if label is BeatClass.VENTRICULAR else {"N": 0.9, "V": 0.1}
        seen = BeatDetected(at=at, decided=self._end, lead="II", rr_s=1.0, heart_rate_bpm=60.0)
        told = BeatClassified(at=at, decided=self._end, label=label, scores=scores)
        self._happen(seen, told)
        if phase := {1: Phase.ONSET, 4: Phase.END}.get(at // RATE):
            self._happen(
                RhythmEpisode(at=at, decided=self._end, rhythm=Rhythm.BIGEMINY, phase=phase)
            )

    def _happen(self, *events: Event) -> None:
        chunk = SampleChunk("ecg", SampleIndex(self._end), np.zeros((0, 1), np.float32))
        published = [self._session.publish(event) for event in events]
        self._store.record_events(published)
        self._desk.see(self._name, chunk, published)
        self._view.see(self._name, chunk, published)


class Phone:
    """Somebody who is notified, and says so here."""

    name = "night nurse"

    async def test(self) -> str:
        print("phone rings", flush=True)
        return ""


def _print_mark(source: str, mark: UserMark) -> None:
    print(f"{source}: {mark.text}", flush=True)


def _past(store: Store, directory: Path) -> None:
    """A session that is over: a beat each 1.2 s, every fifth ventricular, and a minute's pause."""
    past = Recording(directory, store=store)
    past.samples(noise(1, 1000))
    step = round(1.2 * 100)
    events: list[Event] = []
    for n in range(_PAST_S * 100 // step):
        if 2000 <= n < 2050:
            continue
        label = BeatClass.VENTRICULAR if n % 5 == 0 else BeatClass.NORMAL
        at, rr_s = n * step, 60 + 1.2 if n == 2050 else 1.2
        events += [
            BeatDetected(at=at, decided=at + 20, lead="II", rr_s=rr_s, heart_rate_bpm=60 / rr_s),
            BeatClassified(at=at, decided=at + 60, label=label, scores={}),
        ]
    past.events(*events)
    store.end(past.session.id, "unplugged")


def _keeping(store: Store, directory: Path) -> Keeping:
    """Errands are done in the loop's own thread."""

    def at_once(errand: Errand) -> bool:
        errand.run()
        return True

    errands = Errands()
    errands.are_for(store)
    errands.open(at_once)
    wearers = Wearers(directory, {})
    return Keeping(errands, Audit(directory), wearers, lambda _source, _why: None)


async def play(port: int, directory: Path) -> None:
    accounts = Accounts(directory)
    for name, role in (("nurse", "acknowledge"), ("boss", "administer")):
        accounts.set_password(name, role, PASSWORD)
    store = Store(directory, PROVENANCE, {})
    settings = WebConfig(enabled=True, port=port)
    desk = AlarmDesk()
    keeping = _keeping(store, directory)
    changeable = Changeable(directory)
    view = WebView(
        settings,
        directory,
        ("chest", "wrist"),
        _print_mark,
        desk,
        keeping,
        changeable.reloader,
        phones=[Phone()],
        setting_desk=changeable.desk,
    )
    sensors = [
        Sensor(view, desk, store, "chest", 1.0),
        Sensor(view, desk, store, "wrist", -1.0),
    ]
    _past(store, directory)
    serving = asyncio.create_task(view.run())
    asked: asyncio.Queue[str] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin, lambda: asked.put_nowait(sys.stdin.readline().strip()))
    steps, began_s, plugged = 0, loop.time(), True
    while not serving.done():
        steps += 1
        await asyncio.sleep(max(0.0, began_s + steps * _STEP / RATE - loop.time()))
        while not asked.empty():
            match asked.get_nowait():
                case "alarm":
                    sensors[0].raise_alarm()
                case "unplug":
                    plugged = False
                case _:
                    return
        for sensor in sensors if plugged else []:
            sensor.step()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(int(sys.argv[1]), Path(folder)))
