"""Site rules: what is refused at load, what they can do, what they cannot, and how they change."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from edge_runtime import site_rules
from edge_runtime.errors import ConfigError
from edge_runtime.events import AlarmRaised, Priority
from edge_runtime.rules.rulebook import RuleBook
from edge_runtime.rules.settings import RuleSettings
from edge_runtime.rules.site import SiteRule, SiteRuleFailedError, SiteSet, Value
from edge_runtime.site_rules import LONGEST, SiteBook, load
from tests.edge_runtime.rules.ward import CLOCK, LABEL, Ward

pytest.importorskip("rule_engine")


def a_file(folder: Path, when: str = "heart_rate_bpm > 70", **more: object) -> Path:
    fields = {"name": "own", "text": "Own", "priority": "low", "when": when, **more}
    lines = [f"{key} = {_toml(value)}" for key, value in fields.items()]
    file = folder / "site.toml"
    file.write_text("\n".join(["[[rule]]", *lines]))
    return file


def _toml(value: object) -> str:
    return f"'''{value}'''" if isinstance(value, str) else str(value)


class SiteWard(Ward):
    """A ward with rules of its own."""

    def __init__(self, *rules: SiteRule) -> None:
        super().__init__()
        self.set = SiteSet(1, rules)
        self.book = RuleBook(RuleSettings(), CLOCK, self)
        self.book.begin(0)

    def current(self) -> SiteSet:
        return self.set


def made(folder: Path, when: str, **more: object) -> SiteRule:
    (rule,) = load(a_file(folder, when, **more))
    return rule


@pytest.mark.parametrize(
    ("when", "says"),
    [
        ("hart_rate > 70", "unknown symbol"),
        ("heart_rate_bpm > 'fast'", "type mismatch"),
        ("beat > 3", "type mismatch"),
        ("beat =~ 'V.*'", "=~ is not allowed"),
        ("beat !~ 'V.*'", "!~ is not allowed"),
        ("rr_s ** 3 > 1", r"\*\* is not allowed"),
        ("$any([readable])", "is not allowed"),
        ("[x for x in [1, 2]] == [1]", "not allowed"),
        ("beat.length > 1", "not allowed"),
        ("beat[0] == 'V'", "not allowed"),
        ("heart_rate_bpm > ", "syntax"),
        ("heart_rate_bpm + 1", "neither true nor false"),
        ("heart_rate_bpm > 70" + " " * LONGEST, "at most 500"),
        ("", "syntax|neither"),
    ],
)
def test_what_is_refused_at_load(tmp_path: Path, when: str, says: str) -> None:
    with pytest.raises(ConfigError, match=f"own.*({says})"):
        load(a_file(tmp_path, when))


@pytest.mark.parametrize(
    "when",
    [
        "heart_rate_bpm > 70 and beat == 'V'",
        "not readable or v_in_a_row >= 2",
        "beat in ['S', 'V'] and rr_s < 0.6 * mean_rr_s",
        "(pvcs_per_minute + svebs_per_minute) / 2 > 3",
        "quality == 'usable'",
        "readable" + " and readable" * 30,
    ],
)
def test_what_is_allowed(tmp_path: Path, when: str) -> None:
    assert made(tmp_path, when).needs


@pytest.mark.parametrize(
    "more",
    [{"priority": "urgent"}, {"name": "Own rule"}, {"for_s": -1}, {"typo": 1}, {"text": ""}],
)
def test_other_mistakes_are_refused(tmp_path: Path, more: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        load(a_file(tmp_path, **more))


def test_two_rules_of_one_name_and_no_toml_are_refused(tmp_path: Path) -> None:
    file = a_file(tmp_path)
    file.write_text(file.read_text() * 2 if file.read_text().endswith("\n") else "")
    file.write_text("[[rule]]\nname='a'\nwhen='readable'\ntext='A'\npriority='low'\n" * 2)
    with pytest.raises(ConfigError, match="another of this name"):
        load(file)
    file.write_text("[[rule")
    with pytest.raises(ConfigError, match="cannot be read"):
        load(file)
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "none.toml")


def test_a_site_rule_alarms_with_its_trace_and_ends(tmp_path: Path) -> None:
    ward = SiteWard(made(tmp_path, "heart_rate_bpm > 70", priority="medium"))
    ward.see("NNN", 420)
    alarm = ward.alarm("site.own")
    assert (alarm.at, alarm.decided, alarm.priority) == (840, 840 + LABEL, "medium")
    assert alarm.explanation.values == {"heart_rate_bpm": 71.429}
    assert "heart_rate_bpm > 70" in alarm.explanation.sentence
    assert "site.own" not in ward.see("N" * 10, 500).active


@pytest.mark.parametrize(("rr", "n"), [(430, 0), (428, 1)])
def test_the_bound_is_the_expressions(tmp_path: Path, rr: int, n: int) -> None:
    ward = SiteWard(made(tmp_path, "heart_rate_bpm >= 70"))
    assert ward.see("N" * 9, rr).raised.count("site.own") == n


@pytest.mark.parametrize(("beats", "n"), [(6, 0), (7, 1)])
def test_for_s_is_how_long_it_must_hold(tmp_path: Path, beats: int, n: int) -> None:
    ward = SiteWard(made(tmp_path, "readable", for_s=6))
    assert ward.see("N" * beats, 500).raised.count("site.own") == n


def test_a_high_site_rule_latches_and_no_site_rule_touches_a_built_in_one(
    tmp_path: Path,
) -> None:
    high = made(tmp_path, "v_in_a_row >= 2", priority="high")
    with_site, without = SiteWard(high), Ward()
    for ward in (with_site, without):
        ward.see("NNN", 400).see("V" * 8, 200).see("N" * 5, 400).wait(8)
    assert with_site.alarm("site.own").latched
    built_in = [e for e in with_site.events if isinstance(e, AlarmRaised)]
    lethal = [
        [(e.rule, e.at, e.decided) for e in events if e.priority is Priority.HIGH]
        for events in (
            [e for e in built_in if not e.rule.startswith("site")],
            [e for e in without.events if isinstance(e, AlarmRaised)],
        )
    ]
    assert lethal[0] == lethal[1]
    assert {rule for rule, _, _ in lethal[0]} == {"ventricular_tachycardia", "asystole"}


def test_a_rule_that_uses_an_unknown_value_is_not_asked(tmp_path: Path) -> None:
    ward = SiteWard(made(tmp_path, "rr_s < 9"))
    assert ward.see("N", 400).raised == []
    assert "site.own" in ward.see("N", 400).raised


def failing(message: str) -> SiteRule:
    def holds(_values: Mapping[str, Value]) -> bool:
        raise SiteRuleFailedError(message)

    return SiteRule("own", "Own", Priority.LOW, "readable", frozenset({"readable"}), holds)


def test_a_rule_that_fails_is_out_of_force_with_a_technical_alarm() -> None:
    ward = SiteWard(failing("it took 3.0 ms; 1 ms is allowed"))
    ward.see("NNNN", 400)
    alarm = ward.alarm("site_rule_failed")
    assert (alarm.kind, alarm.text) == (
        "technical",
        "Site rule own is out of force: it took 3.0 ms; 1 ms is allowed",
    )
    ward.set = SiteSet(2, ())
    assert ward.see("N", 400).active == []


def test_an_overrun_of_the_budget_is_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule, times = made(tmp_path, "readable"), iter([0, 1_000_000, 0, 1_000_001])
    monkeypatch.setattr(site_rules.time, "thread_time_ns", lambda: next(times))
    assert rule.holds({"readable": True})
    with pytest.raises(SiteRuleFailedError, match="1 ms is allowed"):
        rule.holds({"readable": True})


def test_a_division_by_zero_is_a_failure(tmp_path: Path) -> None:
    with pytest.raises(SiteRuleFailedError):
        made(tmp_path, "1 / v_in_a_row > 0").holds({"v_in_a_row": 0.0})


def test_a_changed_set_ends_what_it_no_longer_holds(tmp_path: Path) -> None:
    ward = SiteWard(made(tmp_path, "readable"))
    assert "site.own" in ward.see("NN", 400).active
    ward.set = SiteSet(2, (made(tmp_path, "readable", text="Other words"),))
    assert "site.own" not in ward.see("N", 400).active  # in its refractory time
    ward.set = SiteSet(3, ())
    assert ward.see("N", 400).active == []


def test_hot_reload_logs_the_difference_and_keeps_the_last_good_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    said: list[str] = []
    file = a_file(tmp_path, "heart_rate_bpm > 70")
    book = SiteBook(file, said.append)
    book.look()
    assert book.current().version == 1
    a_file(tmp_path, "heart_rate_bpm > 90.5")
    book.look()
    assert book.current().version == 2
    assert "own changed from low 'Own' when heart_rate_bpm > 70" in caplog.text
    a_file(tmp_path, "heart_rate_bpm > nonsense")
    book.look()
    assert book.current().rules[0].when == "heart_rate_bpm > 90.5"
    assert "stay in force" in said[-1]
    file.unlink()
    book.look()
    assert book.current().version == 2
    a_file(tmp_path, "readable", name="another")
    book.look()
    assert [rule.name for rule in book.current().rules] == ["another"]
    assert said[-1] == ""
    assert "own removed" in caplog.text
    assert "another added" in caplog.text
