"""Notifications: who is told what and when, sent through the real apprise to a real server."""

import asyncio
import base64
import datetime
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from edge_runtime.alarms.desk import AlarmDesk
from edge_runtime.alarms.strips import StripStore
from edge_runtime.cli import main
from edge_runtime.config import structure
from edge_runtime.dropped import Drop, Dropped
from edge_runtime.errors import ConfigError
from edge_runtime.events import (
    AlarmKind,
    AlarmRaised,
    AlarmStateChanged,
    Priority,
    QualityLevel,
    Trace,
)
from edge_runtime.integrations import phone as module
from edge_runtime.integrations.notification import Notification
from edge_runtime.integrations.phone import Phone
from edge_runtime.integrations.settings import PhoneConfig
from tests.edge_runtime.daemon_parts import ListStore
from tests.edge_runtime.integrations.happening import raised, session
from tests.edge_runtime.integrations.receiver import receiver
from tests.synthetic import chunks, ecg, opened, steady

NOTICE = "Not a medical device, not for emergencies."


class Sent:
    """In place of apprise's program: what would be sent."""

    def __init__(self, *problems: str) -> None:
        self.notes: list[Notification] = []
        self.attached: list[bytes] = []
        self._problems = list(problems)

    async def __call__(self, urls: list[str], note: Notification) -> str:
        assert urls == ["json://127.0.0.1:9/"]
        self.notes.append(note)
        if note.attach is not None:
            self.attached.append(Path(note.attach).read_bytes())
        return self._problems.pop(0) if self._problems else ""


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    one = Sent()
    monkeypatch.setattr(module, "send", one)
    return one


class At:
    """The local time of the test."""

    def __init__(self, text: str = "12:00") -> None:
        self.time = datetime.time.fromisoformat(text)

    def __call__(self) -> datetime.datetime:
        return datetime.datetime.combine(datetime.date(2026, 11, 26), self.time)


def phone(folder: Path, desk: AlarmDesk | None = None, at: At | None = None, **more: Any) -> Phone:
    (folder / "urls").write_text("# my own\njson://127.0.0.1:9/\n")
    dropped = more.pop("dropped", None)
    settings = PhoneConfig("daughter", folder / "urls", **more)
    return Phone(settings, folder, desk or AlarmDesk(), dropped, local_now=at or At())


def see(one: Phone, *events: Any, source: str = "chest") -> None:
    stream = session(source)
    one.see(source, opened(source=source), [stream.publish(event) for event in events])


def until(one: Phone, holds: Callable[[], bool]) -> None:
    async def run() -> None:
        task = asyncio.create_task(one.run())
        async with asyncio.timeout(20):
            while not holds():
                await asyncio.sleep(0.005)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())


def waiting(one: Phone) -> list[str]:
    return [due.notification.body for due in one._texts]


def technical() -> AlarmRaised:
    return msgspec.structs.replace(raised(9, Priority.MEDIUM), kind=AlarmKind.TECHNICAL)


def test_by_default_it_says_that_there_is_one_and_no_more(tmp_path: Path, sent: Sent) -> None:
    one = phone(tmp_path, page="https://ecg.local:8137/")
    see(one, raised(), raised(2, Priority.MEDIUM), technical())
    until(one, lambda: bool(sent.notes))
    (note,) = sent.notes
    assert note.title == "ECG alarm"
    assert note.body == (
        f"Alarm on device chest, 12:00.\nOpen the page: https://ecg.local:8137/\n{NOTICE}"
    )
    assert note.attach is None


def test_values_are_told_where_the_target_asks_for_them(tmp_path: Path) -> None:
    one = phone(tmp_path, values=True)
    see(one, raised())
    assert "Asystole (high): none" in waiting(one)[0]
    assert waiting(one)[0].endswith(NOTICE)


@pytest.mark.parametrize("kind", ["high", "medium", "low", "technical"])
def test_each_class_is_chosen_by_itself(tmp_path: Path, kind: str) -> None:
    chosen = {name: name == kind for name in ("high", "medium", "low", "technical")}
    one = phone(tmp_path, values=True, **chosen)
    see(one, raised(1), raised(2, Priority.MEDIUM), raised(3, Priority.LOW), technical())
    (told,) = waiting(one)
    assert f"({'medium' if kind == 'technical' else kind})" in told


@pytest.mark.parametrize(
    ("quiet", "at", "is_quiet"),
    [
        ("22:00-07:00", "21:59", False),
        ("22:00-07:00", "22:00", True),
        ("22:00-07:00", "03:00", True),
        ("22:00-07:00", "07:00", False),
        ("12:00-14:00", "13:00", True),
        ("12:00-14:00", "14:00", False),
    ],
)
def test_quiet_hours_hold_back_all_but_high_priority(
    tmp_path: Path, quiet: str, at: str, is_quiet: bool
) -> None:
    one = phone(tmp_path, at=At(at), quiet=quiet, medium=True, technical=True)
    see(one, raised(1, Priority.MEDIUM), technical())
    assert len(waiting(one)) == (0 if is_quiet else 2)
    see(one, raised(3, Priority.HIGH))
    assert len(waiting(one)) == (1 if is_quiet else 3)


def test_one_may_be_told_only_once_nobody_has_acknowledged(tmp_path: Path) -> None:
    one = phone(tmp_path, when="escalated")
    see(one, raised(1))
    assert waiting(one) == []
    see(one, AlarmStateChanged(at=1, decided=1, alarm=1, state="acknowledged", by="nurse"))
    assert waiting(one) == []
    stream = session()
    escalated = AlarmStateChanged(at=1, decided=1, alarm=2, state="escalated", by="nobody")
    one.see("chest", opened(), [stream.publish(raised(2)), stream.publish(escalated)])
    assert len(waiting(one)) == 1


def test_the_daemon_s_own_troubles_are_told_once(tmp_path: Path, sent: Sent) -> None:
    desk = AlarmDesk()
    one = phone(tmp_path, desk, technical=True, high=False)
    desk.trouble("store", "the disk is full")
    until(one, lambda: bool(sent.notes))
    desk.trouble("store", "the disk is full")
    desk.trouble("audible", "no sound card")
    until(one, lambda: len(sent.notes) == 2)
    assert all("the daemon itself" in note.body for note in sent.notes)


def test_a_storm_fills_no_memory_and_the_newest_are_told(tmp_path: Path) -> None:
    dropped = Dropped()
    one = phone(tmp_path, dropped=dropped)
    for number in range(1, 101):
        see(one, raised(number))
    assert len(waiting(one)) == 32
    assert dropped.counts() == {(Drop.UNSENT_MESSAGES, ""): 68}


def test_a_service_that_fails_is_tried_again_and_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failing = Sent("no service", "no service", "", "no service")
    monkeypatch.setattr(module, "send", failing)
    monkeypatch.setattr(module.Backoff, "next_s", lambda _: 0.001)
    dropped = Dropped()
    one = phone(tmp_path, dropped=dropped)
    see(one, raised(1))
    until(one, lambda: len(failing.notes) == 3)
    assert caplog.messages == ["phone daughter: no service"]
    monkeypatch.setattr(module, "_GIVE_UP_S", 0.0)
    see(one, raised(2))
    until(one, lambda: bool(dropped.counts()))
    assert dropped.counts() == {(Drop.UNSENT_MESSAGES, ""): 1}


def test_a_picture_of_the_strip_follows_once_it_is_there(tmp_path: Path, sent: Sent) -> None:
    stream, rate = session(), 500
    trace = Trace(
        beats=[], quality=QualityLevel.GOOD, quality_reason="", strip_first=0, strip_end=15 * rate
    )
    alarm = msgspec.structs.replace(raised(at=9 * rate), decided=9 * rate, trace=trace)
    published = stream.publish(alarm)
    one = phone(tmp_path, strip=True)
    store = StripStore(ListStore(), tmp_path)
    store.begin(stream)
    one.see("chest", opened(source="chest"), [published])
    store.record_events([published])
    signal = chunks(ecg(steady(60, 0.5, 15), 15))

    def comes() -> bool:
        if sent.notes:  # the text does not wait for the picture
            for chunk in signal:
                store.record(stream.id, chunk)
        return bool(sent.attached)

    until(one, comes)
    image = Image.open(io.BytesIO(sent.attached[0]))
    assert image.size == (1000, 160)
    dark = np.asarray(image.convert("L")) < 60
    peaks = np.flatnonzero(dark[:60].any(axis=0))  # R is 1.1 mV: 44 px above the middle
    places = np.unique(np.round((peaks - 50) / 100))  # 100 px a second, the first at 0.5 s
    assert list(places) == list(range(10))
    assert not list(tmp_path.rglob("*.png"))  # it is not left lying about


def configured(folder: Path, urls: str) -> list[str]:
    (folder / "urls").write_text(f"{urls}\n")
    target = f'[[phone]]\nname = "daughter"\nurl_file = "{folder / "urls"}"\n'
    (folder / "config.toml").write_text(f'{target}[store]\ndirectory = "{folder}"\n')
    return ["notify", "test", "daughter", "--config", str(folder / "config.toml")]


def test_it_is_sent_by_apprise_itself(tmp_path: Path) -> None:
    """The command, the real program and a real server."""
    with receiver() as there:
        asked = configured(tmp_path, f"json://127.0.0.1:{there.port}/told")
        done = CliRunner().invoke(main, asked)
        assert done.exit_code == 0, done.output
        told = json.loads(there.sent[0].body)
    assert told["title"] == "ECG test"
    assert told["message"].endswith(NOTICE)
    asked[2] = "son"
    unknown = CliRunner().invoke(main, asked)
    assert unknown.exit_code == 2
    assert "configured are: daughter" in unknown.output


@pytest.mark.slow
def test_apprise_attaches_a_picture_and_says_what_failed(tmp_path: Path) -> None:
    picture = tmp_path / "a.png"
    picture.write_bytes(b"\x89PNG...")
    note = Notification("t", "b", str(picture))
    with receiver(0, 200, 500) as there:
        url = f"json://127.0.0.1:{there.port}/told"
        assert asyncio.run(module.send([url], note)) == ""
        (attached,) = json.loads(there.sent[-1].body)["attachments"]
        assert base64.b64decode(attached["base64"]) == b"\x89PNG..."
        refused = CliRunner().invoke(main, configured(tmp_path, url))
        assert refused.exit_code == 1
        assert "did not take it" in refused.output
    nonsense = CliRunner().invoke(main, configured(tmp_path, "nonsense"))
    assert "understands" in nonsense.output


def test_what_is_no_configuration_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="quiet 'night' is not of the form"):
        structure({"phone": [{"name": "a", "url_file": "x", "quiet": "night"}]})
    with pytest.raises(ConfigError, match="cannot be read"):
        Phone(PhoneConfig("a", tmp_path / "absent"), tmp_path, AlarmDesk())
    (tmp_path / "urls").write_text("# nothing\n")
    with pytest.raises(ConfigError, match="holds no address"):
        Phone(PhoneConfig("a", tmp_path / "urls"), tmp_path, AlarmDesk())
