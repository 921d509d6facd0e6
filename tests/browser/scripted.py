"""A page with a scripted sensor, as a process of its own: `python -m tests.browser.scripted PORT`.

Two sources in real time: `chest` sends calibration pulses (1 mV, 0.2 s, once a second, with a beat
labelled on every third), `wrist` sends them upside down. Lines on standard input: `alarm` raises
one and answers the time of its event; `unplug` ends the sending, but not the page. Marks are
answered as they come.
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from edge_runtime.alarms.desk import AlarmDesk
from edge_runtime.config import WebConfig
from edge_runtime.events import BeatClass, BeatClassified, BeatDetected, SignalQuality
from edge_runtime.events import QualityLevel as Level
from edge_runtime.publication import Session
from edge_runtime.web.accounts import Accounts
from edge_runtime.web.view import WebView
from firmware_bridge.stream import SampleChunk, SampleIndex, UserMark
from tests.edge_runtime.store.making import Recording, alarm, noise
from tests.synthetic import opened

RATE = 500
PULSE_S = 0.2
PASSWORD = "correct horse battery"
_STEP = 25


class Sensor:
    """One source, played to the view."""

    def __init__(self, view: WebView, desk: AlarmDesk, name: str, gain_mv: float) -> None:
        self._view, self._desk, self._name, self._gain_mv = view, desk, name, gain_mv
        self._session = Session.begin(opened(RATE, source=name, leads=("II",)))
        self._end = 0
        self._alarms = 0
        quality = SignalQuality(at=0, decided=0, lead="II", level=Level.GOOD, reason="")
        view.see(name, self._session.opened, [self._session.publish(quality)])

    def step(self) -> None:
        index = np.arange(self._end, self._end + _STEP)
        pulse = np.where(index % RATE < PULSE_S * RATE, self._gain_mv, 0.0)
        chunk = SampleChunk("ecg", SampleIndex(self._end), pulse.astype(np.float32)[:, None])
        self._end += _STEP
        self._view.see(self._name, chunk, ())
        if self._end % RATE == 0:
            self._beat(self._end - RATE + int(PULSE_S * RATE / 2))

    def raise_alarm(self) -> None:
        self._alarms += 1
        raised = alarm(self._end, self._alarms)
        chunk = SampleChunk("ecg", SampleIndex(self._end), np.zeros((0, 1), np.float32))
        published = [self._session.publish(raised)]
        self._desk.see(self._name, chunk, published)
        self._view.see(self._name, chunk, published)
        print(time.time(), flush=True)

    def _beat(self, at: int) -> None:
        label = BeatClass.VENTRICULAR if (at // RATE) % 3 == 0 else BeatClass.NORMAL
        scores = {"N": 0.1, "V": 0.9} if label is BeatClass.VENTRICULAR else {"N": 0.9, "V": 0.1}
        seen = BeatDetected(at=at, decided=self._end, lead="II", rr_s=1.0, heart_rate_bpm=60.0)
        told = BeatClassified(at=at, decided=self._end, label=label, scores=scores)
        chunk = SampleChunk("ecg", SampleIndex(self._end), np.zeros((0, 1), np.float32))
        self._view.see(self._name, chunk, [self._session.publish(one) for one in (seen, told)])


def _print_mark(source: str, mark: UserMark) -> None:
    print(f"{source}: {mark.text}", flush=True)


async def play(port: int, directory: Path) -> None:
    Accounts(directory).set_password("nurse", "acknowledge", PASSWORD)
    recording = Recording(directory)
    recording.samples(noise(1, 1000))
    recording.store.close()
    settings = WebConfig(enabled=True, port=port)
    desk = AlarmDesk()
    view = WebView(settings, directory, ("chest", "wrist"), _print_mark, desk)
    sensors = [Sensor(view, desk, "chest", 1.0), Sensor(view, desk, "wrist", -1.0)]
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
