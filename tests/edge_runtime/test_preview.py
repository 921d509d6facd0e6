"""A limit tried on what was stored gives what it gave live, and what another would have given."""

import json
from collections import Counter
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge_runtime.events import AlarmRaised, Event
from edge_runtime.preview import NOT_PREVIEWED, preview
from edge_runtime.rules.rate import FastRateSettings
from edge_runtime.rules.settings import RuleSettings
from edge_runtime.store.reading import read_only
from tests.edge_runtime.cli.running import edge_runtime
from tests.edge_runtime.stored_alarms import store_alarms

FS = 250
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Event]]:
    folder = tmp_path_factory.mktemp("store")
    return folder, store_alarms(folder)


def counted(events: list[Event]) -> Counter[str]:
    rules = Counter(e.rule for e in events if isinstance(e, AlarmRaised))
    return Counter({rule: n for rule, n in rules.items() if rule not in NOT_PREVIEWED})


def test_the_present_limits_give_what_they_gave_live(stored: tuple[Path, list[Event]]) -> None:
    folder, events = stored
    with closing(read_only(folder)) as connection:
        found = preview(connection, RuleSettings(), RuleSettings(), EPOCH)
    assert found.now == found.then == counted(events)
    assert {"asystole", "pause", "couplet"} <= found.now.keys()
    assert found.hours == pytest.approx(170 / 3600, abs=0.01)


def test_another_limit_gives_other_alarms(stored: tuple[Path, list[Event]]) -> None:
    fast = replace(RuleSettings(), tachycardia=FastRateSettings(above_bpm=150))
    with closing(read_only(stored[0])) as connection:
        found = preview(connection, RuleSettings(), fast, EPOCH)
    assert (found.now["tachycardia"], found.then["tachycardia"]) == (1, 0)
    assert found.rows()[0] == ("tachycardia", 1, 0)


def test_what_is_older_is_not_counted(stored: tuple[Path, list[Event]]) -> None:
    with closing(read_only(stored[0])) as connection:
        future = datetime.now(UTC) + timedelta(hours=1)
        assert not preview(connection, RuleSettings(), RuleSettings(), future).now


def test_the_command_says_it_in_words_and_as_json(stored: tuple[Path, list[Event]]) -> None:
    options = ("--set", f"store.directory={stored[0]}", "--hours", "1")
    plain = edge_runtime("preview", *options)
    assert plain.exit_code == 0
    answer = json.loads(
        edge_runtime(
            "preview", *options, "--set", "rules.tachycardia.above_bpm=150", "--json"
        ).stdout
    )
    assert answer["rules"]["tachycardia"] == {"now": 1, "then": 0}
    assert "ventricular_fibrillation" in answer["not_previewed"]
    none = edge_runtime("preview", "--set", "store.directory=/nonexistent")
    assert none.exit_code == 1
