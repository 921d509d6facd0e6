"""TLS to the broker. A wrong certificate, on either side, is told, and nothing is sent."""

import asyncio
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.config import structure
from edge_runtime.errors import ConfigError
from edge_runtime.integrations.mqtt.broker import Broker
from edge_runtime.integrations.settings import MqttConfig
from tests.edge_runtime.integrations.happening import alarms
from tests.edge_runtime.integrations.mosquitto import listening, mosquitto
from tests.edge_runtime.integrations.sending import BASE, Sender


@dataclass(frozen=True)
class Papers:
    """An authority, and what it signed: for the broker, for this client."""

    ca: Path
    broker: tuple[Path, Path]
    client: tuple[Path, Path]


def openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def issued(folder: Path, host: str = "localhost") -> Papers:
    folder.mkdir(exist_ok=True)
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    ca, ca_key = folder / "ca.pem", folder / "ca.key"
    openssl("req", "-x509", *curve, "-subj", "/CN=ward", "-out", ca, "-keyout", ca_key)
    pairs = []
    for name, alternative in (("broker", f"DNS:{host}"), ("client", "DNS:client")):
        pair = folder / f"{name}.pem", folder / f"{name}.key"
        signed_by = ("-CA", ca, "-CAkey", ca_key)
        extension = ("-addext", f"subjectAltName={alternative}")
        subject = ("-subj", f"/CN={name}", *extension)
        openssl("req", "-x509", *curve, *signed_by, *subject, "-out", pair[0], "-keyout", pair[1])
        pairs.append(pair)
    return Papers(ca, *pairs)


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return issued(tmp_path_factory.mktemp("papers"))


def listener(papers: Papers) -> str:
    """The broker's TLS listener, that wants a certificate of its clients."""
    return (
        f"cafile {papers.ca}\ncertfile {papers.broker[0]}\nkeyfile {papers.broker[1]}\n"
        "require_certificate true\n"
    )


def secure(port: int, papers: Papers, **settings: Any) -> MqttConfig:
    given = {"certificate": papers.client[0], "key": papers.client[1], "ca": papers.ca} | settings
    return MqttConfig(enabled=True, host="localhost", port=port, **given)


def test_both_sides_show_their_certificates(tmp_path: Path, papers: Papers) -> None:
    shown = ("--cafile", str(papers.ca), "--cert", str(papers.client[0]))
    shown = (*shown, "--key", str(papers.client[1]), "-h", "localhost")

    async def run() -> None:
        async with mosquitto(tmp_path, listener(papers)) as broker:
            sender = Sender(tmp_path, secure(broker.port, papers))
            hearing = listening(broker.port, *shown, topic=f"{BASE}/#")
            async with hearing as heard, sender.running():
                sender.spool.put(alarms(1)[0])
                await heard.until(lambda h: bool(h.on("/alarm")))

    asyncio.run(run())


@pytest.mark.parametrize("wrong", ["authority", "no certificate", "other certificate", "host"])
def test_with_a_wrong_certificate_nothing_is_sent(
    tmp_path: Path, papers: Papers, wrong: str
) -> None:
    others = issued(tmp_path / "others", host="elsewhere.example")
    theirs: dict[str, Any] = {"certificate": others.client[0], "key": others.client[1]}
    settings, at_broker, words = {
        "authority": ({"ca": others.ca}, papers, "CERTIFICATE_VERIFY_FAILED"),
        "no certificate": ({"certificate": None, "key": None}, papers, "certificate"),
        "other certificate": (theirs, papers, "certificate"),
        "host": ({**theirs, "ca": others.ca}, others, "Hostname mismatch"),
    }[wrong]

    async def run() -> None:
        async with mosquitto(tmp_path, listener(at_broker)) as broker:
            sender = Sender(tmp_path, secure(broker.port, papers, **settings))
            sender.spool.put(alarms(1)[0])
            async with sender.running():
                await sender.until(words)
        assert "reached" not in sender.said
        assert len(sender.outbox) == 1

    asyncio.run(run())


def test_files_that_are_no_certificates_are_told_before_the_start(tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.pem"
    nothing.write_text("nothing\n")
    for settings in (
        {"ca": nothing},
        {"ca": tmp_path / "absent.pem"},
        {"certificate": nothing, "key": nothing},
    ):
        with pytest.raises(ConfigError, match="cannot be used"):
            Broker(MqttConfig(**settings))
    with pytest.raises(ConfigError, match="cannot be read"):
        Broker(MqttConfig(username="ecg", password_file=tmp_path / "absent"))


def test_a_network_without_tls_is_no_configuration_unless_one_says_so() -> None:
    table: dict[str, Any] = {"enabled": True, "host": "192.168.1.5", "tls": False}
    with pytest.raises(ConfigError, match="without tls everybody"):
        structure({"mqtt": table})
    assert structure({"mqtt": table | {"unencrypted": True}}).mqtt.unencrypted
    assert not structure({"mqtt": table | {"host": "127.0.0.1"}}).mqtt.tls
    with pytest.raises(ConfigError, match="belong together"):
        structure({"mqtt": {"certificate": "a.pem"}})
    with pytest.raises(ConfigError, match="beginning of topics"):
        structure({"mqtt": {"topic": "a/#"}})
