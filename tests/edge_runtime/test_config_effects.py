"""What differs between two configurations, and when that takes effect."""

from pathlib import Path
from typing import Any

import pytest

from edge_runtime.config import structure
from edge_runtime.config_effects import changes

CHEST = {"name": "chest", "port": "/dev/a"}
WRIST = {"name": "wrist", "port": "/dev/b"}


def differ(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [str(change) for change in changes(structure(before), structure(after))]


def test_the_same_is_no_change() -> None:
    table = {"source": [CHEST], "rules": {"asystole": {"after_s": 5}}}
    assert differ(table, table) == []


@pytest.mark.parametrize(
    ("after", "line"),
    [
        (
            {"rules": {"asystole": {"after_s": 5}}},
            "rules.asystole.after_s 4 -> 5 (at once)",
        ),
        (
            {"rules": {"tachycardia": {"above_bpm": 130}}},
            "rules.tachycardia.above_bpm none -> 130 (at once)",
        ),
        ({"rules": {"pause": {"enabled": False}}}, "rules.pause.enabled true -> false (at once)"),
        ({"alarms": {"pause_s": 60}}, "alarms.pause_s 120 -> 60 (at once)"),
        ({"signal": {"mains_hz": 60}}, "signal.mains_hz 50 -> 60 (its source is opened anew)"),
        ({"store": {"raw": False}}, "store.raw true -> false (at the next start)"),
        ({"web": {"port": 8200}}, "web.port 8137 -> 8200 (at the next start)"),
        ({"site_rules": {"file": "/x"}}, "site_rules.file changed (at the next start)"),
    ],
)
def test_each_key_says_when(after: dict[str, Any], line: str) -> None:
    assert differ({}, after) == [line]


def test_sources_are_told_apart_by_name_wherever_they_stand() -> None:
    fast = CHEST | {"baud": 115_200}
    assert differ({"source": [CHEST, WRIST]}, {"source": [WRIST, fast]}) == [
        "source.chest.baud 0 -> 115200 (its source is opened anew)"
    ]
    assert differ({"source": [CHEST]}, {"source": [WRIST]}) == [
        "source.chest removed (its source is opened anew)",
        "source.wrist added (its source is opened anew)",
    ]


def test_no_name_address_or_path_is_told(tmp_path: Path) -> None:
    before = {"source": [CHEST | {"subject": "Ada", "port": "C4:A1:B2:C3:D4:E5"}]}
    after = {"source": [CHEST | {"subject": "Bo", "port": "C4:A1:B2:C3:D4:E6"}]}
    after["store"] = {"directory": str(tmp_path)}  # type: ignore[assignment]
    assert differ(before, after) == [
        "source.chest.port changed (its source is opened anew)",
        "source.chest.subject changed (its source is opened anew)",
        "store.directory changed (at the next start)",
    ]
