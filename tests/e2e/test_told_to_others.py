"""One alarm, end to end: the store, the API, MQTT and a webhook speak of it by one id."""

import asyncio
import base64
import json
import signal
import urllib.request
from pathlib import Path

import pytest

from firmware_bridge.errors import UsageError
from firmware_bridge.simulator.recording import demo_recording
from tests.e2e.processes import rows, running
from tests.edge_runtime.integrations.mosquitto import listening, mosquitto
from tests.edge_runtime.integrations.receiver import receiver
from tests.free_port import free_port


@pytest.mark.slow
def test_exactly_one_alarm_id(tmp_path: Path) -> None:
    try:
        demo_recording()
    except UsageError as missing:
        pytest.skip(str(missing))
    store, link, port = tmp_path / "store", tmp_path / "sensor", free_port()
    secret = tmp_path / "secret"
    secret.write_text(f"whsec_{base64.b64encode(bytes(32)).decode()}\n")
    simulator = ("firmware_bridge", "simulate", "--scenario", "leadoff", "--json", "--link", link)

    async def run() -> None:
        async with mosquitto(tmp_path) as broker, listening(broker.port) as heard:
            with receiver() as there, running(*simulator, cwd=tmp_path) as sensor:
                await asyncio.to_thread(sensor.wait_for, "{")
                settings = (
                    "source.0.name=chest",
                    f"source.0.port={link}",
                    f"store.directory={store}",
                    "web.enabled=true",
                    f"web.port={port}",
                    "mqtt.enabled=true",
                    "mqtt.host=127.0.0.1",
                    f"mqtt.port={broker.port}",
                    "mqtt.tls=false",
                    "mqtt.name=bedside",
                    "webhook.0.name=archive",
                    f"webhook.0.url={there.url}",
                    f"webhook.0.secret_file={secret}",
                )
                words = [word for one in settings for word in ("--set", one)]
                with running("edge_runtime", "run", "--json", *words, cwd=tmp_path) as daemon:
                    await asyncio.to_thread(daemon.wait_for, "alarm_raised", 1, 150)
                    await heard.until(lambda h: bool(h.on("chest/events/alarm")))
                    async with asyncio.timeout(20):
                        while not there.sent:
                            await asyncio.sleep(0.05)
                    address = f"http://127.0.0.1:{port}/api/v1/alarms"
                    with await asyncio.to_thread(urllib.request.urlopen, address) as answer:
                        told = json.load(answer)["alarms"]
                    daemon.send(signal.SIGINT)
                    assert await asyncio.to_thread(daemon.finish) == 0
                    assert daemon.errors == ""
                await heard.until(lambda h: "offline" in h.text("chest/availability"))
                session, number = rows(store, _FIRST_ALARM)[0]
                alarm = f"{session}/{number}"
                assert told[-1]["id"] == alarm
                assert heard.json("chest/events/alarm")[0]["alarm"] == alarm
                assert json.loads(there.sent[0].body)["alarm"] == alarm
                ids = [one["id"] for one in heard.json("chest/events/alarm")]
                assert len(ids) == len(set(ids))

    asyncio.run(run())


_FIRST_ALARM = (
    "SELECT session.name, alarm.alarm FROM alarm JOIN session ON session.id = alarm.session"
    " ORDER BY alarm.alarm LIMIT 1"
)
