"""Signed webhooks over real HTTP, verified by the package of the specification."""

import asyncio
import base64
import json
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook as Verifier  # the specification's own

from edge_runtime.alarms.desk import AlarmDesk
from edge_runtime.config import structure
from edge_runtime.dropped import Drop, Dropped
from edge_runtime.errors import ConfigError
from edge_runtime.events import Notice
from edge_runtime.integrations import webhook as module
from edge_runtime.integrations.settings import WebhookConfig
from edge_runtime.integrations.webhook import Webhook
from edge_runtime.publication import Published
from firmware_bridge.links import reconnect
from tests.edge_runtime.integrations.happening import alarms, beat, cleared, raised, session
from tests.edge_runtime.integrations.receiver import receiver
from tests.free_port import free_port
from tests.synthetic import opened

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reconnect.random, "random", lambda: 1.0)
    monkeypatch.setattr(module, "_LONGEST_WAIT_S", 0.05)


def settings(folder: Path, url: str, **more: Any) -> WebhookConfig:
    file = folder / "secret"
    file.write_text(f"{SECRET}\n")
    return WebhookConfig("archive", url, file, **more)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.005)


def running(view: Webhook, test: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        task = asyncio.create_task(view.run())
        try:
            await test()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())


def see(view: Webhook, *published: Published) -> None:
    view.see("chest", opened(source="chest"), published)


def test_alarms_are_posted_in_order_and_their_signature_holds(tmp_path: Path) -> None:
    stream = session()
    happened = [stream.publish(one) for one in (raised(1), beat(900), cleared(1))]
    notice = stream.publish(Notice(at=1, decided=1, code="x", message="y"))
    with receiver() as there:
        view = Webhook(settings(tmp_path, there.url), tmp_path, AlarmDesk())
        see(view, *happened, notice)
        running(view, lambda: until(lambda: there.took(2)))
    assert len(there.sent) == 2  # no beat, no notice
    for sent, one in zip(there.sent, (happened[0], happened[2]), strict=True):
        told = Verifier(SECRET).verify(sent.body, {k.lower(): v for k, v in sent.headers.items()})
        assert told["id"] == one.id
        assert told["alarm"] == f"{stream.id}/1"
        assert told["published_late"] is False
        assert told["notice"].startswith("Not a medical device")
        assert sent.headers["content-type"] == "application/json"
    forged = there.sent[0].body.replace(b"Asystole", b"Nothing!")
    with pytest.raises(Exception, match="signature"):
        Verifier(SECRET).verify(forged, {k.lower(): v for k, v in there.sent[0].headers.items()})


def test_everything_but_beats_where_that_is_asked_for(tmp_path: Path) -> None:
    stream = session()
    with receiver() as there:
        view = Webhook(settings(tmp_path, there.url, events="all"), tmp_path, AlarmDesk())
        notice = Notice(at=1, decided=1, code="x", message="y")
        see(view, stream.publish(beat(900)), stream.publish(notice))
        running(view, lambda: until(lambda: there.took(1)))
    assert [json.loads(sent.body)["event"]["type"] for sent in there.sent] == ["notice"]


def test_a_receiver_that_fails_is_tried_again_with_the_same_id(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = alarms(2)
    with receiver(0, 500, 429, 0) as there, caplog.at_level(logging.WARNING):
        view = Webhook(settings(tmp_path, there.url), tmp_path, AlarmDesk())
        see(view, first, second)
        running(view, lambda: until(lambda: there.took(5)))
    ids = [sent.headers["webhook-id"] for sent in there.sent]
    assert ids == [first.id] * 4 + [second.id]
    assert sum("wait on disk" in line for line in caplog.messages) == 1
    assert sum("takes events again" in line for line in caplog.messages) == 1


def test_what_waited_for_a_receiver_through_a_restart_is_late(tmp_path: Path) -> None:
    port, (one,) = free_port(), alarms(1)
    chosen = settings(tmp_path, f"http://127.0.0.1:{port}/hook")
    view = Webhook(chosen, tmp_path, AlarmDesk())
    see(view, one)

    async def nobody() -> None:
        await until(lambda: len(view._spool._outbox) == 1)

    running(view, nobody)
    again = Webhook(chosen, tmp_path, AlarmDesk())
    with receiver(port) as there:
        running(again, lambda: until(lambda: there.took(1)))
    assert json.loads(there.sent[0].body)["published_late"] is True
    assert there.sent[0].headers["webhook-id"] == one.id


def test_what_is_refused_for_good_holds_nothing_up_and_is_counted(tmp_path: Path) -> None:
    first, second = alarms(2)
    dropped = Dropped()
    with receiver(0, 400) as there:
        view = Webhook(settings(tmp_path, there.url), tmp_path, AlarmDesk(), dropped)
        see(view, first, second)
        running(view, lambda: until(lambda: there.took(2)))
    assert [sent.headers["webhook-id"] for sent in there.sent] == [first.id, second.id]
    assert dropped.counts() == {(Drop.UNSENT_MESSAGES, ""): 1}


def test_a_receiver_that_stays_away_becomes_an_alarm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ALARM_AFTER_S", 0.1)
    desk = AlarmDesk()
    view = Webhook(settings(tmp_path, f"http://127.0.0.1:{free_port()}/"), tmp_path, desk)
    see(view, *alarms(1))
    running(view, lambda: until(lambda: bool(desk.board().alarms)))
    assert "webhook archive cannot be delivered" in desk.board().alarms[0].raised.text


def test_a_receiver_that_never_answers_ends_no_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANSWERED_WITHIN_S", 30.0)

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        view = Webhook(settings(tmp_path, f"http://127.0.0.1:{port}/"), tmp_path, AlarmDesk())
        see(view, *alarms(1))
        task = asyncio.create_task(view.run())
        await until(lambda: bool(len(view._spool._fresh)))
        began_s = time.monotonic()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert time.monotonic() - began_s < 2
        server.close()

    asyncio.run(run())


def test_addresses_and_secrets_are_checked_at_the_start(tmp_path: Path) -> None:
    hook = {"name": "a", "url": "http://192.168.1.2/", "secret_file": "x"}
    with pytest.raises(ConfigError, match=r"192\.168\.1\.2 is another machine: use https"):
        structure({"webhook": [hook]})
    with pytest.raises(ConfigError, match="two webhooks have the same name 'a'"):
        structure({"webhook": [hook | {"url": "https://a/"}] * 2})
    with pytest.raises(ConfigError, match="no address of the web"):
        structure({"heartbeat": {"url": "ftp://a/"}})
    for text in ("", "hunter2", "whsec_aGk="):
        (tmp_path / "secret").write_text(text)
        with pytest.raises(ConfigError) as caught:
            module.key_of(tmp_path / "secret")
        assert not text or text not in str(caught.value)
