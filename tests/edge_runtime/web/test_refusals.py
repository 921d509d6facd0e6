"""What the page refuses, each over a real socket."""

import asyncio
import resource
import shutil
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from edge_runtime.config import WebConfig, structure
from edge_runtime.errors import ConfigError
from edge_runtime.web import serving
from edge_runtime.web.accounts import Accounts
from edge_runtime.web.logins import ATTEMPTS
from tests.edge_runtime.web.house import House, a_house
from tests.free_port import free_port
from tests.synthetic import chunks, ecg, opened, steady

MARKS = "/api/v1/sources/chest/marks"
ACKNOWLEDGE = "/api/v1/alarms/any/acknowledge"
PASSWORD = "correct horse battery"


def in_house(directory: Path, test: Callable[[House], Awaitable[None]]) -> None:
    async def run() -> None:
        async with a_house(directory) as house:
            await test(house)

    asyncio.run(run())


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8137", "127.0.0.1.evil.example"])
def test_a_rebound_host_name_is_refused(tmp_path: Path, host: str) -> None:
    async def ask(house: House) -> None:
        async with house.client(host=host) as client:
            for path in ("/", "/api/v1/status", "/api/v1/live"):
                answer = await client.get(path)
                assert answer.status_code == 421
                assert "chest" not in answer.text

    in_house(tmp_path, ask)


@pytest.mark.parametrize("path", [MARKS, ACKNOWLEDGE, "/api/v1/nothing"])
def test_an_anonymous_change_is_refused_on_loopback_too(tmp_path: Path, path: str) -> None:
    async def ask(house: House) -> None:
        async with house.client() as client:
            for headers in ({}, {"origin": f"http://127.0.0.1:{house.port}"}):
                answer = await client.post(path, json={"text": "x"}, headers=headers)
                assert answer.status_code == 401
        assert house.marks == []

    in_house(tmp_path, ask)


async def logged_in(house: House) -> httpx.AsyncClient:
    """A client that holds the cookie of a nurse."""
    async with house.client(origin=f"http://127.0.0.1:{house.port}") as client:
        credentials = {"name": "nurse", "password": PASSWORD}
        answer = await client.post("/api/v1/login", json=credentials)
    assert answer.status_code == 200, answer.text
    again = house.client(origin=f"http://127.0.0.1:{house.port}")
    again.cookies = client.cookies
    return again


def test_a_change_from_another_site_is_refused_with_a_good_cookie(tmp_path: Path) -> None:
    Accounts(tmp_path).set_password("nurse", "acknowledge", PASSWORD)

    async def ask(house: House) -> None:
        house.play([opened(source="chest"), *chunks(ecg([], 1))])
        async with await logged_in(house) as client:
            for headers in (
                {"origin": "https://evil.example"},
                {"origin": "null"},
                {"origin": f"http://127.0.0.1:{house.port + 1}"},
                {"sec-fetch-site": "cross-site"},
                {"sec-fetch-site": "same-site"},
            ):
                answer = await client.post(MARKS, json={"text": "x"}, headers=headers)
                assert answer.status_code == 403, headers
        assert house.marks == []

    in_house(tmp_path, ask)


def test_another_site_does_not_even_get_a_live_stream(tmp_path: Path) -> None:
    async def ask(house: House) -> None:
        async with house.client() as client:
            headers = {"sec-fetch-site": "cross-site"}
            for path in ("/api/v1/live", "/api/v1/status"):
                assert (await client.get(path, headers=headers)).status_code == 403
            assert (await client.get("/", headers=headers)).status_code == 200  # a link to it
            assert (await client.head("/api/v1/live")).status_code == 200

    in_house(tmp_path, ask)


def test_a_login_s_cookie_is_no_use_to_scripts_and_other_sites(tmp_path: Path) -> None:
    Accounts(tmp_path).set_password("nurse", "view", PASSWORD)

    async def ask(house: House) -> None:
        async with house.client(origin=f"http://127.0.0.1:{house.port}") as client:
            credentials = {"name": "nurse", "password": PASSWORD}
            answer = await client.post("/api/v1/login", json=credentials)
            cookie = answer.headers["set-cookie"].lower()
            assert "httponly" in cookie
            assert "samesite=strict" in cookie
            who = (await client.get("/api/v1/who")).json()
            assert who == {"name": "nurse", "role": "view"}
            refused = await client.post(MARKS, json={"text": "x"})
            assert refused.status_code == 403  # a viewer changes nothing
            assert (await client.post("/api/v1/logout")).status_code == 200
            assert (await client.get("/api/v1/who")).json() == {"name": None, "role": None}

    in_house(tmp_path, ask)


def test_passwords_cannot_be_tried_quickly(tmp_path: Path) -> None:
    async def ask(house: House) -> None:
        async with house.client() as client:
            wrong = {"name": "nurse", "password": "x"}
            statuses = [
                (await client.post("/api/v1/login", json=wrong)).status_code
                for _ in range(ATTEMPTS + 1)
            ]
        assert statuses == [401] * ATTEMPTS + [429]

    in_house(tmp_path, ask)


def test_a_token_in_the_address_opens_nothing(tmp_path: Path) -> None:
    token = Accounts(tmp_path).make_token("script", "administer")

    async def ask(house: House) -> None:
        async with house.client() as client:
            answer = await client.post(f"{MARKS}?token={token}", json={"text": "x"})
            assert answer.status_code == 401

    in_house(tmp_path, ask)


@pytest.mark.parametrize(
    "path",
    [
        "/../accounts.json",
        "/static/../../accounts.json",
        "/%2e%2e/accounts.json",
        "/..%2f..%2fetc/passwd",
        "/accounts.json",
        "//etc/passwd",
        "/api/v1/../../accounts.json",
    ],
)
def test_no_path_leads_out_of_the_page(tmp_path: Path, path: str) -> None:
    Accounts(tmp_path).make_token("script", "administer")

    async def ask(house: House) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
        request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        writer.write(request.encode())
        answer = await reader.read()
        writer.close()
        assert answer.startswith(b"HTTP/1.1 404")
        assert b"token" not in answer

    in_house(tmp_path, ask)


def test_an_oversized_body_is_refused_announced_or_not(tmp_path: Path) -> None:
    token = Accounts(tmp_path).make_token("script", "administer")

    async def ask(house: House) -> None:
        async def unannounced() -> AsyncIterator[bytes]:
            for _ in range(9):
                yield b" " * 8192

        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        house.play([opened(source="chest"), *chunks(ecg([], 1))])
        async with house.client(**headers) as client:
            answer = await client.post(MARKS, content=b" " * 70_000)
            assert answer.status_code == 413
            streamed = await client.post(MARKS, content=unannounced())
            assert streamed.status_code == 413

    in_house(tmp_path, ask)


def test_a_thousand_idle_sockets_shut_nobody_out(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4096:
        pytest.skip(f"only {hard} open files are allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4096), hard))

    async def ask(house: House) -> None:
        idle = [
            await asyncio.open_connection("127.0.0.1", house.port, limit=1024) for _ in range(1000)
        ]
        try:
            async with house.client() as client:
                began_s = time.monotonic()
                assert (await client.get("/api/v1/status")).status_code == 200
                assert time.monotonic() - began_s < 2
            alive = sum(not reader.at_eof() and reader.exception() is None for reader, _ in idle)
            assert alive <= serving.MOST_CONNECTIONS
        finally:
            for _, writer in idle:
                writer.transport.abort()

    in_house(tmp_path, ask)


def test_a_reader_that_never_reads_holds_nothing_up(tmp_path: Path) -> None:
    async def ask(house: House) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", house.port)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(b"GET /api/v1/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await writer.drain()
        feed = house.view._feed
        async with asyncio.timeout(5):
            while not feed.readers:
                await asyncio.sleep(0.01)
        samples = ecg(steady(75, 0.5, 590), 600)
        house.play([opened(source="chest")])
        for chunk in chunks(samples, 5000):  # ten minutes, several megabytes of frames
            house.view.see("chest", chunk, ())
            feed.make_frame()
        await asyncio.sleep(0)
        assert sum(map(len, feed._frames)) < 2_000_000
        async with house.client() as client:
            answer = await client.get("/api/v1/sources/chest")
            assert answer.json()["end"] == len(samples)
        writer.transport.abort()

    in_house(tmp_path, ask)


def test_plain_http_on_a_network_is_no_configuration() -> None:
    for host in ("0.0.0.0", "192.168.1.7", "::", "ecg.local"):
        with pytest.raises(ConfigError, match="plain HTTP"):
            structure({"web": {"enabled": True, "host": host}})


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A self-signed one for ecg.local."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    files = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-subj", "/CN=ecg.local", "-addext", "subjectAltName=DNS:ecg.local"),
            *("-out", str(files[0]), "-keyout", str(files[1])),
        ],
        check=True,
        capture_output=True,
    )
    return files


def test_on_a_network_it_speaks_tls_and_reading_needs_a_login_too(
    tmp_path: Path, certificate: tuple[Path, Path]
) -> None:
    token = Accounts(tmp_path).make_token("viewer", "view")
    settings = WebConfig(
        enabled=True,
        host="0.0.0.0",
        port=free_port(),
        hosts=("ecg.local",),
        certificate=certificate[0],
        key=certificate[1],
    )
    base = f"https://127.0.0.1:{settings.port}"
    trusted = ssl.create_default_context(cafile=str(certificate[0]))
    named = {"headers": {"host": "ecg.local"}, "extensions": {"sni_hostname": "ecg.local"}}

    async def ask() -> None:
        async with (
            a_house(tmp_path, settings=settings) as house,
            httpx.AsyncClient(verify=trusted, base_url=base, trust_env=False) as client,
        ):
            assert (await client.get("/", **named)).status_code == 200
            for path in ("/api/v1/status", "/api/v1/live", "/api/v1/metrics"):
                assert (await client.get(path, **named)).status_code == 401
            client.headers["authorization"] = f"Bearer {token}"
            assert (await client.get("/api/v1/status", **named)).status_code == 200
            rebound = named | {"headers": {"host": "0.0.0.0"}}
            assert (await client.get("/", **rebound)).status_code == 421
            async with house.client() as plain:
                with pytest.raises(httpx.RemoteProtocolError):
                    await plain.get("/api/v1/status")

    asyncio.run(ask())


def test_headers_of_every_answer_forbid_what_the_page_does_not_need(tmp_path: Path) -> None:
    async def ask(house: House) -> None:
        async with house.client() as client:
            for path in ("/", "/api/v1/status", "/nothing"):
                headers = (await client.get(path)).headers
                policy = headers["content-security-policy"]
                assert "default-src 'none'" in policy
                assert "unsafe" not in policy
                assert headers["x-content-type-options"] == "nosniff"
                assert headers["referrer-policy"] == "no-referrer"
                assert "server" not in headers

    in_house(tmp_path, ask)
