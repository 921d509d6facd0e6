"""The page on the local network: its certificate, who is let in, and what is refused."""

import asyncio
import datetime
import shutil
import ssl
import stat
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from edge_runtime.cli import invite as invite_command
from edge_runtime.cli import main
from edge_runtime.config import WebConfig, structure
from edge_runtime.errors import ConfigError
from edge_runtime.web.accounts import Accounts
from edge_runtime.web.entry import CODE_LASTS_S, Invitations
from edge_runtime.web.lan import fingerprint, made_certificate, own_names
from edge_runtime.web.logins import ATTEMPTS
from tests.edge_runtime.integrations.happening import beat
from tests.edge_runtime.web.house import House, a_house
from tests.free_port import free_port
from tests.synthetic import chunks, ecg, opened

NAMES = ("ward", "ward.local")
NOW = datetime.datetime(2026, 11, 26, tzinfo=datetime.UTC)


def test_a_certificate_is_made_once_and_its_key_is_nobody_else_s(tmp_path: Path) -> None:
    certificate, key = made_certificate(tmp_path, NAMES, NOW)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    before = certificate.read_bytes()
    assert made_certificate(tmp_path, NAMES, NOW) == (certificate, key)
    assert certificate.read_bytes() == before
    almost_over = NOW + datetime.timedelta(days=800)
    made_certificate(tmp_path, NAMES, almost_over)
    renewed = certificate.read_bytes()
    assert renewed != before
    made_certificate(tmp_path, ("other", "other.local"), almost_over)
    assert certificate.read_bytes() != renewed


def test_openssl_reads_the_same_fingerprint_and_names(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    certificate, _ = made_certificate(tmp_path, NAMES, NOW)
    asked = ("openssl", "x509", "-in", str(certificate), "-noout")
    options = ("-fingerprint", "-sha256", "-ext", "subjectAltName")
    said = subprocess.run([*asked, *options], capture_output=True, text=True, check=True).stdout
    assert f"ingerprint={fingerprint(certificate)}" in said
    for name in ("DNS:ward,", "DNS:ward.local", "DNS:localhost", "IP Address:127.0.0.1"):
        assert name in said


def test_a_file_that_is_no_certificate_is_said(tmp_path: Path) -> None:
    (tmp_path / "tls").mkdir()
    for name in ("certificate.pem", "key.pem"):
        (tmp_path / "tls" / name).write_text("nothing")
    with pytest.raises(ConfigError, match="no certificate can be made or read"):
        made_certificate(tmp_path, NAMES)
    with pytest.raises(ConfigError, match="cannot be read"):
        fingerprint(tmp_path / "tls" / "certificate.pem")


def on_lan(directory: Path, test: Callable[[House, httpx.AsyncClient], Awaitable[None]]) -> None:
    """The page with `lan`, and a client of another machine that trusts its certificate."""
    settings = WebConfig(enabled=True, lan=True, port=free_port())
    own = own_names()[1]

    async def run() -> None:
        async with a_house(directory, settings=settings) as house:
            house.play([opened(source="chest"), *chunks(ecg([], 1))], beat(100))
            trusted = ssl.create_default_context(cafile=directory / "tls" / "certificate.pem")
            origin = f"https://{own}:{settings.port}"
            client = httpx.AsyncClient(
                verify=trusted,
                base_url=f"https://127.0.0.1:{settings.port}",
                headers={"host": f"{own}:{settings.port}", "origin": origin},
                trust_env=False,
            )
            async with client:
                await test(house, client)

    asyncio.run(run())


async def invited(house: House, role: str = "acknowledge") -> str:
    async with house.local_client() as local:
        answer = await local.post("/api/v1/invitations", json={"name": "nurse", "role": role})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["address"] == f"https://{own_names()[1]}:{house.port}/"
    assert told["fingerprint"] == fingerprint(house.directory / "tls" / "certificate.pem")
    return str(told["code"])


def test_nobody_reads_without_a_login_and_a_code_lets_in_once(tmp_path: Path) -> None:
    async def ask(house: House, client: httpx.AsyncClient) -> None:
        assert (await client.get("/")).status_code == 200  # how one comes in
        for path in ("/api/v1/status", "/api/v1/live", "/api/v1/metrics", "/api/v1/phones"):
            assert (await client.get(path)).status_code == 401
        code = await invited(house)
        spoken = f"{code[:5].lower()} {code[5:]}"
        answer = await client.post("/api/v1/login/code", json={"code": spoken})
        assert answer.json() == {"name": "nurse", "role": "acknowledge"}
        assert "secure" in answer.headers["set-cookie"].lower()
        assert (await client.get("/api/v1/status")).status_code == 200
        marked = await client.post("/api/v1/sources/chest/marks", json={"text": "dizzy"})
        assert marked.status_code == 200
        off = await client.post("/api/v1/alarms/off", json={"off": True})
        assert off.status_code == 403  # that needs the role administer
        again = {"name": "friend", "role": "administer"}
        assert (await client.post("/api/v1/invitations", json=again)).status_code == 403
        client.cookies.clear()
        used = await client.post("/api/v1/login/code", json={"code": code})
        assert used.status_code == 401
        assert (await client.get("/api/v1/status")).status_code == 401

    on_lan(tmp_path, ask)


def test_codes_cannot_be_tried_quickly_nor_from_another_site(tmp_path: Path) -> None:
    async def ask(house: House, client: httpx.AsyncClient) -> None:
        code = await invited(house)
        for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
            refused = await client.post("/api/v1/login/code", json={"code": code}, headers=headers)
            assert refused.status_code == 403
        statuses = [
            (await client.post("/api/v1/login/code", json={"code": "22222-22222"})).status_code
            for _ in range(ATTEMPTS + 1)
        ]
        assert statuses == [401] * ATTEMPTS + [429]

    on_lan(tmp_path, ask)


def test_plain_http_other_names_and_websockets_are_refused(tmp_path: Path) -> None:
    async def ask(house: House, client: httpx.AsyncClient) -> None:
        async with house.client() as plain:
            with pytest.raises(httpx.RemoteProtocolError):
                await plain.get("/")
        for host, status in (
            ("evil.example", 421),
            (f"{own_names()[1]}.evil.example", 421),
            ("0.0.0.0", 421),
            ("192.168.1.7:8137", 200),  # in numbers: no name can be rebound to it
            ("[fe80::1]:8137", 200),
            (own_names()[0], 200),
        ):
            assert (await client.get("/", headers={"host": host})).status_code == status, host
        upgrade = {
            "connection": "Upgrade",
            "upgrade": "websocket",
            "sec-websocket-version": "13",
            "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        }
        answer = await client.get("/api/v1/live", headers=upgrade)
        assert answer.status_code != 101

    on_lan(tmp_path, ask)


def test_an_invitation_gives_nobody_another_role(tmp_path: Path) -> None:
    Accounts(tmp_path).set_password("nurse", "view", "correct horse battery")

    async def ask(house: House, _: httpx.AsyncClient) -> None:
        async with house.local_client() as local:
            for order, status in (
                ({"name": "nurse", "role": "administer"}, 409),
                ({"name": "friend", "role": "king"}, 400),
                ({"name": " ", "role": "view"}, 400),
                ({"name": "nurse", "role": "view"}, 200),
            ):
                answer = await local.post("/api/v1/invitations", json=order)
                assert answer.status_code == status, order

    on_lan(tmp_path, ask)


def test_a_code_is_good_for_ten_minutes_and_only_so_many_are_open() -> None:
    now = [0.0]
    invitations = Invitations(lambda: now[0])
    code = invitations.make("nurse")
    now[0] += CODE_LASTS_S
    assert invitations.take(code) is None
    codes = [invitations.make(f"n{k}") for k in range(17)]
    assert invitations.take(codes[0]) is None  # it had to make room
    assert invitations.take(codes[16]) == "n16"
    assert len(set(codes)) == 17


def test_the_command_prints_address_code_and_fingerprint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = {
        "code": "ABCDE23456",
        "expires_s": 600.0,
        "address": "https://ward.local:8137/",
        "fingerprint": "AB:CD",
    }
    asked: list[object] = []

    def ask(directory: Path, method: str, path: str, body: object) -> object:
        asked.append((directory, method, path, body))
        return made

    monkeypatch.setattr(invite_command, "ask", ask)
    at = ["--set", f"store.directory={tmp_path}"]
    said = CliRunner().invoke(main, ["invite", "nurse", "--role", "acknowledge", *at])
    assert said.exit_code == 0, said.output
    assert asked == [(tmp_path, "POST", "/invitations", {"name": "nurse", "role": "acknowledge"})]
    assert "https://ward.local:8137/#code=ABCDE23456\n" in said.output
    assert "once, within 10 minutes" in said.output
    assert "AB:CD" in said.output
    assert "▀" in said.output  # the QR code


def test_lan_is_https_and_not_read_by_everybody() -> None:
    web = structure({"web": {"enabled": True, "lan": True}}).web
    assert web.address == f"https://{own_names()[1]}:8137/"
    assert (web.listens_on, web.is_loopback) == ("0.0.0.0", False)
    kept = structure({"web": {"enabled": True}}).web
    assert (kept.listens_on, kept.is_loopback) == ("127.0.0.1", True)
