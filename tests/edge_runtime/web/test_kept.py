"""What is kept, through the API: shown, reviewed, deleted, given to another wearer."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import httpx

from edge_runtime.audit import Entry, entries
from edge_runtime.events import UserMarked
from edge_runtime.store.backups import remember_backup
from edge_runtime.store.reading import read_only, session_names
from edge_runtime.web.accounts import Accounts
from tests.edge_runtime.store.making import Recording, alarm, beat, noise
from tests.edge_runtime.web.house import House, a_house
from tests.synthetic import chunks, ecg, opened, steady

SIGNAL = ecg(steady(75, 0.5, 9), 10)


def in_house(run: Recording, test: Callable[[House], Awaitable[None]]) -> None:
    async def live() -> None:
        async with a_house(run.directory, ("chest",), store=run.store) as house:
            await test(house)

    asyncio.run(live())
    run.store.close()


def recorded(directory: Path) -> Recording:
    run = Recording(directory)
    run.samples(noise(1, 500))
    run.events(*beat(100), alarm(200), UserMarked(at=300, decided=300, text="dizzy"))
    run.store.end(run.session.id, "unplugged")
    return run


def by_token(house: House, name: str, role: str) -> httpx.AsyncClient:
    token = Accounts(house.directory).make_token(name, role)
    return house.client(authorization=f"Bearer {token}")


def acts(directory: Path) -> list[tuple[str, str]]:
    return [(one.by, one.act) for one in entries(directory) if isinstance(one, Entry)]


def test_a_session_is_told_in_numbers(tmp_path: Path) -> None:
    run = recorded(tmp_path)

    async def ask(house: House) -> None:
        async with house.client() as client:
            shown = (await client.get(f"/api/v1/sessions/{run.session.id}")).json()
            assert (shown["wearer"], shown["end_reason"]) == ("wearer 7", "unplugged")
            assert (shown["beats"], shown["rules"]) == (1, {"asystole": 1})
            assert [one["text"] for one in shown["diary"]] == ["dizzy"]
            assert shown["raw_bytes"] > 2000
            sums = await client.get(
                f"/api/v1/sessions/{run.session.id}/holter", params={"offset_min": -330}
            )
            assert sums.json()["figures"]["beats"] == 1
            assert sums.json()["started"].endswith("-05:30")
            for wrong in ("none", "..%2fx"):
                assert (await client.get(f"/api/v1/sessions/{wrong}")).status_code == 404

    in_house(run, ask)
    assert set(acts(tmp_path)) == {("nobody known", "view")}


def test_the_holter_report_is_made_in_the_reader_s_language_and_time(tmp_path: Path) -> None:
    run = recorded(tmp_path)
    order = {"format": "holter", "language": "zh", "offset_min": 480}

    async def ask(house: House) -> None:
        path = f"/api/v1/sessions/{run.session.id}/export"
        async with by_token(house, "archive", "view") as client:
            answer = await client.post(path, json=order, timeout=60)
            assert answer.content.startswith(b"%PDF-"), answer.text
            assert f"{run.session.id}.holter.pdf" in answer.headers["content-disposition"]
            for wrong in ({**order, "language": "de"}, {**order, "offset_min": 900}):
                assert (await client.post(path, json=wrong)).status_code == 400

    in_house(run, ask)
    assert acts(tmp_path) == [("archive", "export")]


def test_a_review_needs_the_right_to_acknowledge_and_lies_beside_the_alarm(tmp_path: Path) -> None:
    run = recorded(tmp_path)
    this = {"session": run.session.id, "alarm": 1, "verdict": "false", "comment": "touched"}
    that = {"session": run.session.id, "beat": 100, "verdict": "reclassified", "label": "V"}

    async def ask(house: House) -> None:
        async with house.client() as client:
            assert (await client.post("/api/v1/reviews", json=this)).status_code == 401
        async with by_token(house, "archive", "view") as client:
            assert (await client.post("/api/v1/reviews", json=this)).status_code == 403
        async with by_token(house, "dr", "acknowledge") as client:
            for given in (this, that):
                answer = await client.post("/api/v1/reviews", json=given)
                assert answer.status_code == 200, answer.text
                assert answer.json()["by"] == "dr"
            for wrong in (
                {**this, "beat": 100},
                {**this, "alarm": None},
                {**this, "verdict": "maybe"},
                {**that, "label": "W"},
                {**that, "label": None},
            ):
                assert (await client.post("/api/v1/reviews", json=wrong)).status_code == 400
            absent = await client.post("/api/v1/reviews", json={**this, "alarm": 2})
            assert absent.status_code == 409
            path = f"/api/v1/sessions/{run.session.id}/reviews"
            found = (await client.get(path)).json()["reviews"]
            assert (await client.get("/api/v1/sessions/none/reviews")).status_code == 404
        assert [(one["subject"], one["target"], one["verdict"]) for one in found] == [
            ("alarm", 1, "false"),
            ("beat", 100, "reclassified"),
        ]

    in_house(run, ask)
    assert acts(tmp_path) == [("dr", "review"), ("dr", "review")]


def test_an_administrator_deletes_and_nothing_is_shown_any_more(tmp_path: Path) -> None:
    run = recorded(tmp_path)
    gone = run.session.id
    remember_backup(tmp_path, tmp_path / "stick", [gone])

    async def ask(house: House) -> None:
        house.session = run.session
        house.play([opened(source="chest"), *chunks(SIGNAL)], alarm(1000), *beat(2000))
        url = f"/api/v1/sessions/{gone}"
        async with by_token(house, "dr", "acknowledge") as client:
            assert (await client.delete(url)).status_code == 403
        async with by_token(house, "boss", "administer") as client:
            assert len((await client.get("/api/v1/alarms")).json()["alarms"]) == 1
            answer = await client.delete(url)
            assert answer.json() == {"session": gone, "backups": [str(tmp_path / "stick")]}
            assert (await client.get("/api/v1/alarms")).json()["alarms"] == []
            board = (await client.get("/api/v1/alarms/board")).json()
            assert (board["others"], board["sounding"]) == ([], None)
            trend = (await client.get("/api/v1/sources/chest/trend")).json()
            assert trend["points"] == []
            assert (await client.delete(url)).status_code == 409

    in_house(run, ask)
    with closing(read_only(tmp_path)) as connection:
        assert session_names(connection) == []
    assert acts(tmp_path) == [("boss", "delete")]


def test_another_wearer_begins_another_session(tmp_path: Path) -> None:
    run = recorded(tmp_path)

    async def ask(house: House) -> None:
        house.play([opened(source="chest"), *chunks(SIGNAL)], alarm(1000))
        path = "/api/v1/sources/chest/wearer"
        async with by_token(house, "nurse", "acknowledge") as client:
            assert (await client.post(path, json={"wearer": "P-9"})).status_code == 200
            assert (await client.post(path, json={"wearer": "P-9"})).status_code == 409
            assert (await client.post(path, json={"wearer": "a\nb"})).status_code == 400
            other = path.replace("chest", "none")
            assert (await client.post(other, json={"wearer": "P-9"})).status_code == 404
            assert (await client.get("/api/v1/alarms")).json()["alarms"] == []
        assert house.anew == [("chest", "another wearer")]

    in_house(run, ask)
    assert acts(tmp_path) == [("nurse", "wearer")]
    assert b"P-9" not in (tmp_path / "audit.jsonl").read_bytes()
