"""The Grafana dashboard asks for what the daemon really tells."""

import json
import re
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from edge_runtime.availability import Availability
from edge_runtime.dropped import Drop
from edge_runtime.web.metrics import metrics
from edge_runtime.web.shapes import DroppedCount, SourceStatus

BOARD = Path(__file__).parents[2] / "deploy" / "grafana" / "ecg-edge.json"


def told() -> dict[str, set[str]]:
    """Every metric with the names of its labels, as somebody else's parser reads them."""
    source = SourceStatus(
        **{
            field: {"int": 1, "float": 1.0, "str": "x"}.get(str(kind), [])
            for field, kind in SourceStatus.__annotations__.items()
        }
        | {
            "source": "chest",
            "availability": Availability.ONLINE,
            "beats": {"V": 1},
            "heart_rate_bpm": 75.0,
            "age_s": 0.1,
            "battery_percent": 80.0,
            "gaps": 1,
            "missing_s": 1.0,
            "duration_s": 1.0,
        }
    )
    text = metrics([source], [], 1, [DroppedCount(kind=Drop.JSON_EVENTS, source="chest", count=1)])
    samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
    return {one.name: set(one.labels) for one in samples}


def expressions(board: dict[str, Any]) -> list[str]:
    asked = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    return [*asked, *(one["query"] for one in board["templating"]["list"])]


def test_every_metric_and_label_it_asks_for_exists() -> None:
    known, board = told(), json.loads(BOARD.read_text(encoding="utf-8"))
    asked: set[str] = set()
    for expression in expressions(board):
        names = re.findall(r"ecg_edge_\w+", expression)
        assert names, expression
        asked.update(names)
        for name, selector in re.findall(r"(ecg_edge_\w+)\{([^}]*)\}", expression):
            labels = set(re.findall(r"(\w+)=", selector))
            assert labels <= known.get(name, set()), expression
    assert asked == known.keys()  # and nothing that is told is left out
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            (name, *_) = re.findall(r"ecg_edge_\w+", target["expr"])
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= known[name]


def test_grafana_can_import_it() -> None:
    """As https://grafana.com/docs/grafana/latest/dashboards/share-dashboards-panels/ has it: a data
    source that is asked for at the import, and ids that are one of a kind."""
    board = json.loads(BOARD.read_text(encoding="utf-8"))
    (asked,) = board["__inputs"]
    source = {"type": "prometheus", "uid": f"${{{asked['name']}}}"}
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel.get("datasource", source) == source
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
    assert "Not a medical device" in json.dumps(panels[0])
