"""All settings of the rules, as `[rules.<name>]` of the configuration, and the rules they make."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

from edge_runtime.rules.asystole import Asystole, AsystoleSettings
from edge_runtime.rules.atrial_fibrillation import (
    AtrialFibrillation,
    AtrialFibrillationSettings,
)
from edge_runtime.rules.ectopy import (
    Couplet,
    CoupletSettings,
    Geminy,
    GeminySettings,
    Multiform,
    MultiformSettings,
    PvcRate,
    PvcRateSettings,
    ROnT,
    ROnTSettings,
)
from edge_runtime.rules.facts import SignalClock
from edge_runtime.rules.fibrillation import Fibrillation, FibrillationSettings
from edge_runtime.rules.irregularity import (
    Irregular,
    IrregularSettings,
    MissedBeat,
    MissedBeatSettings,
    PauseRate,
    PauseRateSettings,
)
from edge_runtime.rules.pacing import (
    NotCapturing,
    NotCapturingSettings,
    NotPacing,
    NotPacingSettings,
)
from edge_runtime.rules.pause import Pause, PauseSettings
from edge_runtime.rules.rate import (
    Bradycardia,
    BradycardiaSettings,
    ExtremeBradycardia,
    ExtremeTachycardia,
    FastRateSettings,
    SlowRateSettings,
    Tachycardia,
    TachycardiaSettings,
)
from edge_runtime.rules.rule import Rule
from edge_runtime.rules.second_opinion import SecondOpinionSettings
from edge_runtime.rules.supraventricular import Supraventricular, SupraventricularSettings
from edge_runtime.rules.technical import (
    BatteryLow,
    BatterySettings,
    LeadOff,
    LeadOffSettings,
    SignalLost,
    SignalLostSettings,
    Unreadable,
    UnreadableSettings,
)
from edge_runtime.rules.ventricular import Ventricular, VentricularSettings

Profile = Literal["bed", "active"]

EXTREME_TACHYCARDIA_BPM: Final[dict[Profile, float]] = {"bed": 140.0, "active": 180.0}
"""Above which rate a profile calls tachycardia extreme: who exercises reaches 140 in health."""
TACHYCARDIA_BPM: Final[dict[Profile, float]] = {"bed": 120.0, "active": 160.0}
"""The same of the low-priority form."""


class _Switched(Protocol):
    @property
    def enabled(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class RuleSettings:
    """`profile`: `bed` for someone at rest, `active` for someone who moves and exercises.
    Asystole, fibrillation and signal lost have no `enabled`: they cannot be switched off."""

    profile: Profile = "bed"
    second_opinion: SecondOpinionSettings = field(default_factory=SecondOpinionSettings)
    asystole: AsystoleSettings = field(default_factory=AsystoleSettings)
    ventricular_fibrillation: FibrillationSettings = field(default_factory=FibrillationSettings)
    pause: PauseSettings = field(default_factory=PauseSettings)
    extreme_bradycardia: BradycardiaSettings = field(default_factory=BradycardiaSettings)
    extreme_tachycardia: TachycardiaSettings = field(default_factory=TachycardiaSettings)
    ventricular: VentricularSettings = field(default_factory=VentricularSettings)
    couplet: CoupletSettings = field(default_factory=CoupletSettings)
    bigeminy: GeminySettings = field(default_factory=GeminySettings)
    trigeminy: GeminySettings = field(default_factory=GeminySettings)
    r_on_t: ROnTSettings = field(default_factory=ROnTSettings)
    multiform_pvc: MultiformSettings = field(default_factory=MultiformSettings)
    pvcs_per_minute: PvcRateSettings = field(default_factory=PvcRateSettings)
    supraventricular: SupraventricularSettings = field(default_factory=SupraventricularSettings)
    bradycardia: SlowRateSettings = field(default_factory=SlowRateSettings)
    tachycardia: FastRateSettings = field(default_factory=FastRateSettings)
    missed_beat: MissedBeatSettings = field(default_factory=MissedBeatSettings)
    pauses_per_minute: PauseRateSettings = field(default_factory=PauseRateSettings)
    atrial_fibrillation: AtrialFibrillationSettings = field(
        default_factory=AtrialFibrillationSettings
    )
    irregular_rhythm: IrregularSettings = field(default_factory=IrregularSettings)
    pacer_not_capturing: NotCapturingSettings = field(default_factory=NotCapturingSettings)
    pacer_not_pacing: NotPacingSettings = field(default_factory=NotPacingSettings)
    signal_lost: SignalLostSettings = field(default_factory=SignalLostSettings)
    lead_off: LeadOffSettings = field(default_factory=LeadOffSettings)
    unreadable: UnreadableSettings = field(default_factory=UnreadableSettings)
    battery_low: BatterySettings = field(default_factory=BatterySettings)


def make_rules(settings: RuleSettings, clock: SignalClock) -> tuple[Rule, ...]:
    """The rules that are switched on, the most urgent first: the order in which they are told."""
    own = settings.extreme_tachycardia.above_bpm
    extreme_bpm = EXTREME_TACHYCARDIA_BPM[settings.profile] if own is None else own
    own = settings.tachycardia.above_bpm
    fast_bpm = TACHYCARDIA_BPM[settings.profile] if own is None else own
    switched: tuple[tuple[_Switched, Callable[[], Rule]], ...] = (
        (settings.ventricular, lambda: Ventricular(settings.ventricular, clock)),
        (
            settings.extreme_tachycardia,
            lambda: ExtremeTachycardia(settings.extreme_tachycardia, clock, extreme_bpm),
        ),
        (
            settings.extreme_bradycardia,
            lambda: ExtremeBradycardia(settings.extreme_bradycardia, clock),
        ),
        (settings.pause, lambda: Pause(settings.pause, clock)),
        (settings.r_on_t, lambda: ROnT(settings.r_on_t, clock)),
        (settings.supraventricular, lambda: Supraventricular(settings.supraventricular, clock)),
        (settings.pauses_per_minute, lambda: PauseRate(settings.pauses_per_minute, clock)),
        (settings.pacer_not_capturing, lambda: NotCapturing(settings.pacer_not_capturing, clock)),
        (settings.pacer_not_pacing, lambda: NotPacing(settings.pacer_not_pacing, clock)),
        (settings.couplet, lambda: Couplet(settings.couplet, clock)),
        (settings.bigeminy, lambda: Geminy("bigeminy", 1, settings.bigeminy, clock)),
        (settings.trigeminy, lambda: Geminy("trigeminy", 2, settings.trigeminy, clock)),
        (settings.multiform_pvc, lambda: Multiform(settings.multiform_pvc, clock)),
        (settings.pvcs_per_minute, lambda: PvcRate(settings.pvcs_per_minute, clock)),
        (settings.bradycardia, lambda: Bradycardia(settings.bradycardia, clock)),
        (settings.tachycardia, lambda: Tachycardia(settings.tachycardia, clock, fast_bpm)),
        (settings.missed_beat, lambda: MissedBeat(settings.missed_beat, clock)),
        (
            settings.atrial_fibrillation,
            lambda: AtrialFibrillation(settings.atrial_fibrillation, clock),
        ),
        (settings.irregular_rhythm, lambda: Irregular(settings.irregular_rhythm, clock)),
        (settings.lead_off, lambda: LeadOff(settings.lead_off)),
        (settings.unreadable, lambda: Unreadable(settings.unreadable, clock)),
        (settings.battery_low, lambda: BatteryLow(settings.battery_low)),
    )
    return (
        SignalLost(settings.signal_lost, clock),
        Asystole(settings.asystole, clock),
        Fibrillation(settings.ventricular_fibrillation, clock),
        *(make() for group, make in switched if group.enabled),
    )
