"""What the API says of settings; see `shapes`."""

from typing import Annotated

import msgspec

from edge_runtime.preview import MOST_HOURS

Value = bool | int | float | str


class _Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What these have in common."""


class SettingShown(_Shape, frozen=True, kw_only=True):
    """One key of the configuration. `kind`: switch, whole (number), number, choice or text; `low`
    and `high` are its bounds. `may_be_empty`: null is a value, by which something else decides.
    `origin`: default, file, saved (here), command line (and then it cannot be changed here).
    `effect`: when a change comes to bear."""

    key: str
    kind: str
    value: Value | None
    default: Value | None
    low: float | None
    high: float | None
    choices: list[Value]
    may_be_empty: bool
    origin: str
    effect: str


class SettingsShown(_Shape, frozen=True, kw_only=True):
    """Everything that can be changed, in the order of the configuration."""

    settings: list[SettingShown]


class SettingsOrder(_Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """New values by key; null takes back what was saved before."""

    changes: Annotated[dict[str, Value | None], msgspec.Meta(min_length=1, max_length=200)]


class PreviewOrder(_Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Try these values on what is stored of so many hours."""

    changes: Annotated[dict[str, Value | None], msgspec.Meta(min_length=1, max_length=200)]
    hours: Annotated[float, msgspec.Meta(gt=0, le=MOST_HOURS)] = 24.0


class RulePreview(_Shape, frozen=True, kw_only=True):
    """How many alarms of a rule: with the settings in force, and with those tried."""

    rule: str
    now: int
    then: int


class SettingsTried(_Shape, frozen=True, kw_only=True):
    """On how many hours of stored beats; rules that differ first. `not_previewed` need more than
    is stored."""

    hours: float
    rules: list[RulePreview]
    not_previewed: list[str]
