"""What Home Assistant is told of a source: one retained message that makes it a device.

https://www.home-assistant.io/integrations/mqtt/#device-discovery-payload (2024.11 or newer). Each
entity has an availability of its own, and each value expires: what stands still looks unavailable,
never healthy. Nothing listens to topics below `history/`.
"""

import json
from typing import Any, Final

from edge_runtime.alarms.desk import DAEMON
from edge_runtime.events import AlarmCleared, AlarmRaised, AlarmStateChanged, Priority, QualityLevel
from edge_runtime.integrations.message import NOTICE
from edge_runtime.integrations.mqtt.topics import Topics, slug
from edge_runtime.sinks.live import WAITING

_ONLINE: Final = "{{ 'online' if value == 'online' else 'offline' }}"
_REACHABLE: Final = "{{ 'offline' if value == 'offline' else 'online' }}"
"""Alarms are known also while no signal comes: that is one of them."""
_ALARM_EVENT: Final = (
    "{{ {'event_type': value_json.event.type, 'alarm': value_json.alarm | default(''),"
    " 'time': value_json.time, 'priority': value_json.event.priority | default(''),"
    " 'text': value_json.event.text | default(''), 'state': value_json.event.state | default('')}"
    " | to_json }}"
)


def discovery_topic(prefix: str, node: str, source: str) -> str:
    """Where the message goes."""
    return f"{prefix}/device/{_device_id(node, source)}/config"


def discovery(
    topics: Topics, node: str, source: str, version: str, expire_after_s: int
) -> dict[str, Any]:
    """The message, as a JSON object. The daemon's own (`DAEMON`) has alarms alone."""
    device = _device_id(node, source)
    entities = _alarm_entities(topics, expire_after_s)
    if source != DAEMON:
        entities |= _signal_entities(topics, expire_after_s)
    for name, entity in entities.items():
        entity["unique_id"] = f"{device}_{name}"
    return {
        "device": {
            "identifiers": [device],
            "name": f"ECG {source}" if source != DAEMON else f"ECG daemon {node}",
            "manufacturer": "ecg-edge",
            "model": NOTICE,
            "sw_version": version,
        },
        "origin": {"name": "ecg-edge", "sw_version": version},
        "components": entities,
    }


def encoded(payload: dict[str, Any]) -> bytes:
    """As it is sent."""
    return json.dumps(payload, separators=(",", ":")).encode()


def _device_id(node: str, source: str) -> str:
    return f"ecg_edge_{slug(node)}_{slug(source)}"


def _signal_entities(topics: Topics, expire_after_s: int) -> dict[str, dict[str, Any]]:
    common = {
        "state_topic": topics.live,
        "expire_after": expire_after_s,
        **_available(topics, _ONLINE),
    }
    return {
        "heart_rate": {
            "platform": "sensor",
            "name": "Heart rate",
            "icon": "mdi:heart-pulse",
            "unit_of_measurement": "bpm",
            "state_class": "measurement",
            "suggested_display_precision": 0,
            "value_template": "{{ value_json.heart_rate_bpm }}",
            **common,
        },
        "quality": {
            "platform": "sensor",
            "name": "Signal quality",
            "device_class": "enum",
            "options": [*(level.value for level in QualityLevel), WAITING],
            "value_template": "{{ value_json.quality }}",
            "entity_category": "diagnostic",
            **common,
        },
        "battery": {
            "platform": "sensor",
            "name": "Battery",
            "device_class": "battery",
            "unit_of_measurement": "%",
            "state_class": "measurement",
            "value_template": "{{ value_json.battery_percent }}",
            "entity_category": "diagnostic",
            **common,
        },
    }


def _alarm_entities(topics: Topics, expire_after_s: int) -> dict[str, dict[str, Any]]:
    common = {
        "state_topic": topics.alarms,
        "expire_after": expire_after_s,
        **_available(topics, _REACHABLE),
    }
    return {
        "alarm": {
            "platform": "binary_sensor",
            "name": "Alarm",
            "device_class": "problem",
            "value_template": "{{ 'OFF' if value_json.priority == 'none' else 'ON' }}",
            "json_attributes_topic": topics.alarms,
            **common,
        },
        "alarm_priority": {
            "platform": "sensor",
            "name": "Alarm priority",
            "device_class": "enum",
            "options": ["none", *(priority.value for priority in Priority)],
            "value_template": "{{ value_json.priority }}",
            **common,
        },
        "alarm_text": {
            "platform": "sensor",
            "name": "Alarm text",
            "value_template": "{{ value_json.text or 'none' }}",
            **common,
        },
        "alarm_event": {
            "platform": "event",
            "name": "Alarms",
            "state_topic": f"{topics.base}/events/alarm",
            "event_types": [
                str(kind.__struct_config__.tag)
                for kind in (AlarmRaised, AlarmCleared, AlarmStateChanged)
            ],
            "value_template": _ALARM_EVENT,
            **_available(topics, _REACHABLE),
        },
    }


def _available(topics: Topics, template: str) -> dict[str, Any]:
    return {"availability": [{"topic": topics.availability, "value_template": template}]}
