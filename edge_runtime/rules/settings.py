"""All settings of the rules, as `[rules.<name>]` of the configuration, and the rules they make."""

from dataclasses import dataclass, field
from typing import Final, Literal

from edge_runtime.rules.asystole import Asystole, AsystoleSettings
from edge_runtime.rules.facts import SignalClock
from edge_runtime.rules.pause import Pause, PauseSettings
from edge_runtime.rules.rate import (
    BradycardiaSettings,
    ExtremeBradycardia,
    ExtremeTachycardia,
    TachycardiaSettings,
)
from edge_runtime.rules.rule import Rule
from edge_runtime.rules.technical import (
    LeadOff,
    LeadOffSettings,
    SignalLost,
    SignalLostSettings,
    Unreadable,
    UnreadableSettings,
)
from edge_runtime.rules.ventricular import Ventricular, VentricularSettings

Profile = Literal["bed", "active"]

TACHYCARDIA_BPM: Final[dict[Profile, float]] = {"bed": 140.0, "active": 180.0}
"""Above which rate a profile calls tachycardia extreme: who exercises reaches 140 in health."""


@dataclass(frozen=True, slots=True)
class RuleSettings:
    """`profile`: `bed` for someone at rest, `active` for someone who moves and exercises.
    Asystole and signal lost have no `enabled`: they cannot be switched off."""

    profile: Profile = "bed"
    asystole: AsystoleSettings = field(default_factory=AsystoleSettings)
    pause: PauseSettings = field(default_factory=PauseSettings)
    extreme_bradycardia: BradycardiaSettings = field(default_factory=BradycardiaSettings)
    extreme_tachycardia: TachycardiaSettings = field(default_factory=TachycardiaSettings)
    ventricular: VentricularSettings = field(default_factory=VentricularSettings)
    signal_lost: SignalLostSettings = field(default_factory=SignalLostSettings)
    lead_off: LeadOffSettings = field(default_factory=LeadOffSettings)
    unreadable: UnreadableSettings = field(default_factory=UnreadableSettings)


def make_rules(settings: RuleSettings, clock: SignalClock) -> tuple[Rule, ...]:
    """The rules that are switched on, the most urgent first: the order in which they are told."""
    rules: list[Rule] = [
        SignalLost(settings.signal_lost, clock),
        Asystole(settings.asystole, clock),
    ]
    if settings.ventricular.enabled:
        rules.append(Ventricular(settings.ventricular, clock))
    if settings.extreme_tachycardia.enabled:
        own = settings.extreme_tachycardia.above_bpm
        above_bpm = TACHYCARDIA_BPM[settings.profile] if own is None else own
        rules.append(ExtremeTachycardia(settings.extreme_tachycardia, clock, above_bpm))
    if settings.extreme_bradycardia.enabled:
        rules.append(ExtremeBradycardia(settings.extreme_bradycardia, clock))
    if settings.pause.enabled:
        rules.append(Pause(settings.pause, clock))
    if settings.lead_off.enabled:
        rules.append(LeadOff(settings.lead_off))
    if settings.unreadable.enabled:
        rules.append(Unreadable(settings.unreadable, clock))
    return tuple(rules)
