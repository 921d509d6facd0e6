"""What the API says, over a real socket, against its own description."""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from edge_runtime.alarms.desk import AlarmDesk
from edge_runtime.alarms.strips import FOLDER, StripStore
from edge_runtime.dropped import Drop
from edge_runtime.event_schema import event_schema
from edge_runtime.events import (
    AlarmCleared,
    BeatClass,
    BeatClassified,
    BeatDetected,
    QualityLevel,
    Trace,
)
from edge_runtime.publication import Published, Session
from edge_runtime.web.accounts import Accounts
from edge_runtime.web.api import described
from edge_runtime.web.feed import LiveFeed
from edge_runtime.web.shapes import Frame
from edge_runtime.web.trend import TrendKeeper
from tests.edge_runtime.daemon_parts import ListStore
from tests.edge_runtime.store.making import Recording, alarm, noise
from tests.edge_runtime.store.making import beat as stored_beat
from tests.edge_runtime.web.changeable import Changeable
from tests.edge_runtime.web.house import House, a_house
from tests.synthetic import chunks, ecg, gap, opened, steady

DOCS = Path(__file__).parents[3] / "docs"
SIGNAL = ecg(steady(75, 0.5, 29), 30)

ELSEWHERE = ("/live", "/alarms/{alarm}/strip", "/devices")
"""Tried in tests of their own."""


def in_house(directory: Path, test: Callable[[House], Awaitable[None]]) -> None:
    async def run() -> None:
        desk = Changeable(directory).desk
        async with a_house(directory, ("chest", "wrist"), setting_desk=desk) as house:
            await test(house)

    asyncio.run(run())


def beat(at: int) -> BeatDetected:
    return BeatDetected(at=at, decided=at + 180, lead="I", rr_s=0.8, heart_rate_bpm=75.0)


def test_the_committed_description_is_the_code_s() -> None:
    """After a change: python -m edge_runtime.web.openapi > docs/openapi.json."""
    assert json.loads((DOCS / "openapi.json").read_text()) == described()


def test_every_read_endpoint_answers_as_described(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    recording.events(*stored_beat(100), alarm(200))
    recording.store.close()
    session = recording.session.id
    description = described()
    places = {"source": "chest", "session": session}

    async def ask(house: House) -> None:
        house.play([opened(source="chest"), *chunks(SIGNAL)], beat(250), alarm(1000))
        async with house.client() as client:
            for path, methods in description["paths"].items():
                if "get" not in methods or path.endswith(ELSEWHERE):
                    continue
                url = path.format(**places)
                wanted = {"first": 0, "length": 10} if path.endswith("strip") else {}
                answer = await client.get(url, params=wanted)
                assert answer.status_code == 200, (path, answer.text)
                (kind,) = methods["get"]["responses"]["200"]["content"]
                assert answer.headers["content-type"] == kind
                assert "json" not in kind or answer.json()

    in_house(tmp_path, ask)


def test_a_source_is_told_as_it_is(tmp_path: Path) -> None:
    async def ask(house: House) -> None:
        async with house.client() as client:
            before = (await client.get("/api/v1/sources/chest")).json()
            assert before["availability"] == "offline"
            labels = BeatClassified(at=250, decided=600, label=BeatClass.VENTRICULAR, scores={})
            items = [opened(source="chest"), *chunks(SIGNAL[:1000]), gap(1000, 500)]
            house.play(items, beat(250), labels)
            now = (await client.get("/api/v1/sources/chest")).json()
        assert now["availability"] == "online"
        assert (now["heart_rate_bpm"], now["beats"]) == (75.0, {"V": 1})
        assert (now["end"], now["leads"], now["rate_hz"]) == (1500, ["I"], 500.0)

    in_house(tmp_path, ask)


def test_a_strip_is_the_signal_with_holes_where_it_has_holes(tmp_path: Path) -> None:
    async def ask(house: House) -> None:
        items = [opened(source="chest"), *chunks(SIGNAL[:1000]), gap(1000, 500)]
        house.play([*items, *chunks(SIGNAL[1500:3000], first=1500)], beat(250))
        async with house.client() as client:
            answer = await client.get("/api/v1/sources/chest/strip?first=990&length=520")
            strip = answer.json()["samples"][0]
            assert strip[:10] == pytest.approx(SIGNAL[990:1000, 0], abs=1e-5)
            assert strip[10:510] == [None] * 500
            assert strip[510:] == pytest.approx(SIGNAL[1500:1510, 0], abs=1e-5)
            for wrong in (
                "first=5&length=0",
                "first=0&length=99999",
                "first=x&length=9",
                "first=1",
            ):
                refused = await client.get(f"/api/v1/sources/chest/strip?{wrong}")
                assert refused.status_code == 400

    in_house(tmp_path, ask)


def test_an_alarm_is_listed_until_and_after_it_ends(tmp_path: Path) -> None:
    async def ask(house: House) -> None:
        house.play([opened(source="chest"), *chunks(SIGNAL)], alarm(1000))
        async with house.client() as client:
            (shown,) = (await client.get("/api/v1/alarms")).json()["alarms"]
            assert shown["active"]
            assert shown["alarm"]["explanation"]["sentence"] == "no beat for 4.0 s"
            end = AlarmCleared(at=2000, decided=2000, alarm=1, rule="asystole", reason="beats")
            house.play([*chunks(SIGNAL[:10], first=len(SIGNAL))], end)
            (shown,) = (await client.get("/api/v1/alarms")).json()["alarms"]
            assert not shown["active"]
            assert shown["cleared"] is not None

    in_house(tmp_path, ask)


def test_an_alarm_is_acknowledged_and_everybody_sees_it(tmp_path: Path) -> None:
    token = Accounts(tmp_path).make_token("nurse", "acknowledge")

    async def ask(house: House) -> None:
        house.play([opened(source="chest"), *chunks(SIGNAL)], alarm(1000))
        house.desk.trouble("store", "the disk is full")
        session = house.session.id
        async with house.client(authorization=f"Bearer {token}") as client:

            async def board() -> dict[str, Any]:
                found: dict[str, Any] = (await client.get("/api/v1/alarms/board")).json()
                return found

            async def post(path: str, body: object = None) -> int:
                return (await client.post(f"/api/v1/alarms/{path}", json=body)).status_code

            before = await board()
            assert (before["sounding"], before["acknowledged"]) == ("high", [])
            assert [one["alarm"]["text"] for one in before["others"]] == ["the disk is full"]
            this = {"session": session, "alarm": 1}
            assert await post("acknowledge", this) == 200
            assert await post("acknowledge", this) == 409
            after = await board()
            assert (after["sounding"], after["acknowledged"]) == ("medium", [f"{session}/1"])
            assert await post("audio", {"paused": True}) == 200
            paused = await board()
            assert paused["sounding"] is None
            assert 100 < paused["paused_for_s"] <= 120
            assert await post("audio", {"paused": False}) == 200
            assert await post("reset") == 409
            assert await post("off", {"off": True}) == 403  # that is the administrator's
        async with house.local_client() as client:
            assert await post("off", {"off": True}) == 200
            assert (await board())["off"]

    in_house(tmp_path, ask)


def test_a_token_may_mark_and_the_mark_lies_at_the_newest_sample(tmp_path: Path) -> None:
    token = Accounts(tmp_path).make_token("diary", "acknowledge")

    async def ask(house: House) -> None:
        path = "/api/v1/sources/chest/marks"
        async with house.client(authorization=f"Bearer {token}") as client:
            early = await client.post(path, json={"text": "dizzy"})
            assert early.status_code == 409
            house.play([opened(source="chest"), *chunks(SIGNAL)], beat(250))
            done = await client.post(path, json={"text": " dizzy  now "})
            assert done.status_code == 200
            for wrong in (
                {},
                {"text": " "},
                {"text": "x" * 201},
                {"text": 5},
                {"text": "x", "more": 1},
                [],
            ):
                assert (await client.post(path, json=wrong)).status_code == 400
            assert (await client.post(path, data={"text": "x"})).status_code == 415
        ((source, mark),) = house.marks
        assert (source, mark.at, mark.text) == ("chest", len(SIGNAL), "dizzy now")

    in_house(tmp_path, ask)


def test_the_command_socket_is_the_same_application_and_its_owner_s_alone(tmp_path: Path) -> None:
    async def ask(house: House) -> None:
        house.play([opened(source="chest"), *chunks(SIGNAL)], beat(250))
        async with house.local_client() as client:
            status = (await client.get("/api/v1/status")).json()
            assert [one["source"] for one in status["sources"]] == ["chest", "wrist"]
            marked = await client.post("/api/v1/sources/chest/marks", json={"text": "x"})
            assert marked.status_code == 200
        assert (tmp_path / "run").stat().st_mode & 0o777 == 0o700

    in_house(tmp_path, ask)


def test_stored_events_come_in_pages(tmp_path: Path) -> None:
    recording = Recording(tmp_path)
    for at in range(100, 1100, 100):
        recording.events(*stored_beat(at))
    recording.store.close()

    async def ask(house: House) -> None:
        events: list[Published] = []
        path, after = f"/api/v1/sessions/{recording.session.id}/events", 0
        async with house.client() as client:
            while after is not None:
                page = (await client.get(path, params={"after": after, "limit": 6})).json()
                events += msgspec.convert(page["events"], list[Published])
                after = page["next"]
            assert (await client.get("/api/v1/sessions/none/events")).status_code == 404
        assert [one.number for one in events] == list(range(1, 21))

    in_house(tmp_path, ask)


def test_the_stored_strip_of_an_alarm_is_there_when_memory_has_forgotten(tmp_path: Path) -> None:
    """Written by what writes strips, as the samples around the alarm have come."""
    session = Session(opened(leads=("I", "II")), 1_790_000_000_000_000_000, 0)
    strips = StripStore(ListStore(), tmp_path)
    samples = ecg(steady(75, 0.5, 39), 40, lead_gains=(1.0, 0.5))
    strips.begin(session)
    traced = Trace(
        beats=[], quality=QualityLevel.GOOD, quality_reason="", strip_first=2500, strip_end=17500
    )
    raised = msgspec.structs.replace(alarm(10_000, 3), trace=traced)
    strips.record_events([session.publish(raised)])
    for chunk in chunks(samples):
        strips.record(session.id, chunk)

    async def ask(house: House) -> None:
        async with house.client() as client:
            path = f"/api/v1/sessions/{session.id}/alarms"
            strip = (await client.get(f"{path}/3/strip")).json()
            assert (strip["first"], strip["leads"]) == (2500, ["I", "II"])
            assert strip["samples"][1] == pytest.approx(samples[2500:17500, 1], abs=6e-4)
            for wrong in (f"{path}/4/strip", f"{path}/..%2f3/strip", f"{path}/x/strip"):
                assert (await client.get(wrong)).status_code == 404
            outside = f"/api/v1/sessions/..%2f{FOLDER}/alarms/3/strip"
            assert (await client.get(outside)).status_code == 404

    in_house(tmp_path, ask)


def test_an_export_needs_a_login_and_is_the_command_line_s_own(tmp_path: Path) -> None:
    token = Accounts(tmp_path).make_token("archive", "view")
    recording = Recording(tmp_path)
    recording.samples(noise(1, 3000))
    recording.store.close()
    session = recording.session.id

    async def ask(house: House) -> None:
        path = f"/api/v1/sessions/{session}/export"
        async with house.client() as client:
            assert (await client.post(path, json={"format": "csv"})).status_code == 401
        async with house.client(authorization=f"Bearer {token}") as client:
            answer = await client.post(path, json={"format": "csv", "to_s": 5}, timeout=30)
            assert answer.status_code == 200, answer.text
            assert f"{session}.csv" in answer.headers["content-disposition"]
            assert len(answer.text.splitlines()) == 501
            for wrong in ({"format": "exe"}, {"format": "csv", "to_s": -1}, {}):
                assert (await client.post(path, json=wrong)).status_code == 400
            for name in ("--help", "none", "..%2f..%2fx"):
                url = f"/api/v1/sessions/{name}/export"
                refused = await client.post(url, json={"format": "csv"}, timeout=30)
                assert refused.status_code == 404
        assert list(tmp_path.glob("export-*")) == []

    in_house(tmp_path, ask)


def test_metrics_are_read_by_prometheus_own_parser(tmp_path: Path) -> None:
    async def ask(house: House) -> None:
        labels = BeatClassified(at=250, decided=600, label=BeatClass.VENTRICULAR, scores={})
        items = [opened(source="chest"), *chunks(SIGNAL[:1000])]
        house.play(items, beat(250), labels, alarm(1000))
        async with house.client() as client:
            text = (await client.get("/api/v1/metrics")).text
        found = {
            (sample.name, *sorted(sample.labels.values())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
        assert found["ecg_edge_heart_rate_bpm", "chest"] == 75
        assert found["ecg_edge_beats_total", "V", "chest"] == 1
        assert found["ecg_edge_alarms_active", "chest", "high"] == 1
        assert found["ecg_edge_source_up", "wrist"] == 0
        assert ("ecg_edge_heart_rate_bpm", "wrist") not in found
        # A kind that dropped nothing says 0: its absence would look like health.
        assert {found["ecg_edge_dropped_total", *sorted((kind, ""))] for kind in Drop} == {0}

    in_house(tmp_path, ask)


def test_the_schema_of_events_is_the_published_one(tmp_path: Path) -> None:
    async def ask(house: House) -> None:
        async with house.client() as client:
            answer = await client.get("/api/v1/schema/events.json")
            assert answer.text == event_schema()

    in_house(tmp_path, ask)


def frames(content: bytes) -> list[Frame]:
    parts = [part for part in content.split(b"\n\n") if part]
    return [msgspec.json.decode(part.removeprefix(b"data: "), type=Frame) for part in parts]


def microvolts(frame: Frame) -> Any:
    samples = frame.sources[0].samples
    assert samples is not None
    return np.frombuffer(base64.b64decode(samples.leads[0]), "<i2")


def show(feed: LiveFeed, items: list[Any]) -> None:
    for item in items:
        feed.see("chest", item, ())


def test_live_frames_join_to_the_signal_that_was_sent() -> None:
    async def read() -> None:
        feed = LiveFeed(("chest",), AlarmDesk())
        show(feed, [opened(source="chest"), *chunks(SIGNAL[:1000])])
        stream = feed.follow()
        got = frames(await anext(stream))
        for first in range(1000, 3000, 50):
            show(feed, list(chunks(SIGNAL[first : first + 50], first=first)))
            feed.make_frame()
            got += frames(await anext(stream))
        joined = np.concatenate([microvolts(frame) for frame in got])
        assert np.abs(joined / 1000 - SIGNAL[:3000, 0]).max() <= 0.00051
        await stream.aclose()
        assert feed.readers == 0

    asyncio.run(read())


def test_a_late_reader_goes_on_with_the_newest() -> None:
    async def read() -> None:
        feed = LiveFeed(("chest",), AlarmDesk())
        assert feed.dropped() == []
        show(feed, [opened(source="chest"), *chunks(SIGNAL[:1000])])
        stream = feed.follow()
        await anext(stream)
        for first in range(1000, 14000, 50):  # 260 frames, more than are kept
            show(feed, list(chunks(SIGNAL[first : first + 50], first=first)))
            feed.make_frame()
        (frame,) = frames(await anext(stream))
        assert frame.alarms is not None
        samples = frame.sources[0].samples
        assert samples is not None
        assert samples.first + len(microvolts(frame)) == 14000
        (dropped,) = feed.dropped()
        assert (dropped.kind, dropped.count) == (Drop.PAGE_FRAMES, 260)
        await stream.aclose()

    asyncio.run(read())


def test_the_trend_counts_each_minute() -> None:
    keeper = TrendKeeper()
    for n, minute in enumerate(("10:00", "10:00", "10:01")):
        event = BeatDetected(at=n, decided=n, lead="I", rr_s=1.0, heart_rate_bpm=60.0 + n)
        text = f"2026-11-23T{minute}:05.000Z"
        keeper.see(Published(id="", source="", session="", number=n, time=text, event=event))
    label = BeatClassified(at=1, decided=9, label=BeatClass.VENTRICULAR, scores={})
    text = "2026-11-23T10:00:05.000Z"
    keeper.see(Published(id="", source="", session="", number=9, time=text, event=label))
    first, second = keeper.points()
    assert (first.beats, first.mean_bpm, first.ventricular) == (2, 60.5, 1)
    assert (second.beats, second.highest_bpm, second.ventricular) == (1, 62.0, 0)
