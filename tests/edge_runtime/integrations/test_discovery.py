"""What Home Assistant is told: field by field, and by Home Assistant's own schema.

The schema is asked where HOME_ASSISTANT_PYTHON names an interpreter that has the package
`homeassistant` (2024.11 or newer), which needs an environment of its own:
`pip install homeassistant paho-mqtt`.
"""

import json
import os
import re
import subprocess
from typing import Any

import msgspec
import pytest

from edge_runtime.alarms.desk import DAEMON, AlarmDesk
from edge_runtime.integrations.message import message
from edge_runtime.integrations.mqtt.discovery import discovery, discovery_topic
from edge_runtime.integrations.mqtt.topics import Topics, slug
from edge_runtime.integrations.state import SourceState
from tests.edge_runtime.integrations.happening import raised, session

SOURCES = ("chest", "Mrs. Müller/1", DAEMON)


def payload(source: str) -> dict[str, Any]:
    return discovery(Topics("ecg-edge/bedside", source), "bedside", source, "0.1.0", 15)


FIELDS = {
    # entity: platform, which topic it reads, expires, what must be beside
    "heart_rate": ("sensor", "live", True, {"unit_of_measurement": "bpm"}),
    "quality": ("sensor", "live", True, {"device_class": "enum"}),
    "battery": ("sensor", "live", True, {"device_class": "battery", "unit_of_measurement": "%"}),
    "alarm": ("binary_sensor", "alarms", True, {"device_class": "problem"}),
    "alarm_priority": ("sensor", "alarms", True, {"options": ["none", "high", "medium", "low"]}),
    "alarm_text": ("sensor", "alarms", True, {}),
    "alarm_event": ("event", "events/alarm", False, {}),
}


def test_each_entity_has_what_it_needs() -> None:
    told = payload("chest")
    assert set(told["components"]) == set(FIELDS)
    for name, (platform, topic, expires, beside) in FIELDS.items():
        entity = told["components"][name]
        assert entity["platform"] == platform
        assert entity["state_topic"] == f"ecg-edge/bedside/chest/{topic}"
        assert entity.get("expire_after") == (15 if expires else None)
        (availability,) = entity["availability"]
        assert availability["topic"] == "ecg-edge/bedside/chest/availability"
        assert beside.items() <= entity.items()
        assert entity["unique_id"] == f"ecg_edge_bedside_chest_{name}"
        assert "command_topic" not in entity
    assert told["components"]["alarm_event"]["event_types"] == [
        "alarm_raised",
        "alarm_cleared",
        "alarm_state_changed",
    ]


@pytest.mark.parametrize("source", SOURCES)
def test_nothing_listens_to_history(source: str) -> None:
    assert "history" not in json.dumps(payload(source))


def test_the_daemon_itself_has_alarms_alone() -> None:
    assert set(payload(DAEMON)["components"]) == {n for n in FIELDS if n.startswith("alarm")}


def test_names_become_topics_and_ids_and_stay_apart() -> None:
    assert slug("chest") == "chest"
    awkward = ["a b", "a/b", "a+b", "a#b", "ä", "心"]
    slugs = {slug(name) for name in awkward}
    assert len(slugs) == len(awkward)
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]+", one) for one in slugs)


def rendered(requests: list[dict[str, Any]]) -> list[Any]:
    """What Home Assistant makes of them: schema checks and templates, in its own interpreter."""
    python = os.environ.get("HOME_ASSISTANT_PYTHON")
    if python is None:
        pytest.skip("HOME_ASSISTANT_PYTHON names no interpreter with Home Assistant")
    done = subprocess.run(
        [python, "-c", _AT_HOME_ASSISTANT],
        input=json.dumps(requests),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answers: list[Any] = json.loads(done.stdout)
    return answers


_AT_HOME_ASSISTANT = """
import asyncio, json, sys
from homeassistant.components.mqtt import binary_sensor, event, sensor
from homeassistant.components.mqtt.discovery import TOPIC_MATCHER
from homeassistant.components.mqtt.schemas import DEVICE_DISCOVERY_SCHEMA
from homeassistant.core import HomeAssistant
from homeassistant.helpers.template import Template

SCHEMAS = {"sensor": sensor, "binary_sensor": binary_sensor, "event": event}

async def main():
    hass = HomeAssistant("/tmp")
    answers = []
    for request in json.load(sys.stdin):
        if "payload" in request:
            prefix, _, rest = request["topic"].partition("/")
            assert TOPIC_MATCHER.match(rest), rest
            DEVICE_DISCOVERY_SCHEMA(request["payload"])
            for entity in request["payload"]["components"].values():
                entity = dict(entity)
                schema = SCHEMAS[entity.pop("platform")].DISCOVERY_SCHEMA
                schema(entity | {"device": request["payload"]["device"]})
            answers.append("good")
        else:
            template = Template(request["template"], hass)
            answers.append(template.async_render_with_possible_json_value(request["value"], ""))
    print(json.dumps([str(one) for one in answers]))
    await hass.async_stop(force=True)

asyncio.run(main())
"""


def test_home_assistant_s_own_schema_takes_them() -> None:
    asked = [
        {"topic": discovery_topic("homeassistant", "bedside", source), "payload": payload(source)}
        for source in SOURCES
    ]
    assert rendered(asked) == ["good"] * len(SOURCES)


def test_home_assistant_reads_what_is_published() -> None:
    """The templates, over what is really sent."""
    components = payload("chest")["components"]
    state = SourceState("chest", AlarmDesk(), now_s=lambda: 0.0, utc_ns=lambda: 0)
    alarms = msgspec.json.encode(state.alarms()).decode()
    event = msgspec.json.encode(message(session().publish(raised()), late=False)).decode()

    def ask(entity: str, value: str) -> dict[str, Any]:
        return {"template": components[entity]["value_template"], "value": value}

    def available(entity: str, value: str) -> dict[str, Any]:
        (one,) = components[entity]["availability"]
        return {"template": one["value_template"], "value": value}

    live = '{"heart_rate_bpm": 72.5, "quality": "good", "battery_percent": null}'
    *states, told = rendered(
        [
            ask("heart_rate", live),
            ask("quality", live),
            ask("battery", live),
            ask("alarm", alarms),
            ask("alarm_priority", alarms),
            ask("alarm_text", alarms),
            *(available("heart_rate", word) for word in ("online", "no_signal", "offline")),
            *(available("alarm", word) for word in ("online", "no_signal", "offline")),
            ask("alarm_event", event),
        ]
    )
    assert states == [
        *("72.5", "good", "None", "OFF", "none", "none"),
        *("online", "offline", "offline"),
        *("online", "online", "offline"),
    ]
    as_json = json.loads(told)
    assert as_json["event_type"] == "alarm_raised"
    assert as_json["text"] == "Asystole"
    assert as_json["priority"] == "high"
