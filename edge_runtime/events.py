"""Everything the engine says, defined once.

`--json`, the store's payload, and later MQTT, webhooks and the API use this one form: a JSON
object tagged by `type`. Changes are additive only; `SCHEMA_VERSION` counts them.

`at` is when it happened, `decided` when the data sufficed to say so; both are sample indices of
the source's reference ECG, so `(decided - at) / rate` is the latency whatever the chunking.
"""

from enum import StrEnum
from typing import Final

import msgspec

SCHEMA_VERSION: Final = 3


class BeatClass(StrEnum):
    """AAMI classes; Q is a beat that was refused a class (quality or score)."""

    NORMAL = "N"
    SUPRAVENTRICULAR = "S"
    VENTRICULAR = "V"
    FUSION = "F"
    UNKNOWN = "Q"


class Rhythm(StrEnum):
    """Rhythms an episode can have (WFDB's names where there is one)."""

    SINUS = "N"
    ATRIAL_FIBRILLATION = "AFIB"
    ATRIAL_FLUTTER = "AFL"
    VENTRICULAR_FIBRILLATION = "VFIB"
    VENTRICULAR_TACHYCARDIA = "VT"
    VENTRICULAR_RUN = "VRUN"
    IDIOVENTRICULAR = "IVR"
    ASYSTOLE = "ASYS"
    PAUSE = "PAUSE"
    BRADYCARDIA = "BRADY"
    TACHYCARDIA = "TACHY"
    SUPRAVENTRICULAR_TACHYCARDIA = "SVTA"
    BIGEMINY = "B"
    TRIGEMINY = "T"
    IRREGULAR = "IRREG"
    OTHER = "OTHER"
    TOO_NOISY = "NOISE"


class Phase(StrEnum):
    """Which side of an episode an event tells."""

    ONSET = "onset"
    END = "end"


class AlarmKind(StrEnum):
    """IEC 60601-1-8."""

    PHYSIOLOGICAL = "physiological"
    TECHNICAL = "technical"


class Priority(StrEnum):
    """IEC 60601-1-8."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class QualityLevel(StrEnum):
    """How far a lead can be read."""

    GOOD = "good"
    USABLE = "usable"
    UNUSABLE = "unusable"
    LEAD_OFF = "lead off"


class _Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    at: int
    decided: int


class SourceOpened(_Event, frozen=True, kw_only=True, tag="source_opened"):
    """A source began (or, after a restart, resumed) with this signal layout."""

    source: str
    family: str
    model: str
    firmware: str
    rate_hz: float
    leads: list[str]


class BeatDetected(_Event, frozen=True, kw_only=True, tag="beat_detected"):
    """An R peak, final. `rr_s` is None after a gap or at the start.

    Told at most 0.4 s after it; where the detector was not sure, together with its class, some
    0.6 s after it, and then perhaps behind a later one, whose `rr_s` was told as if it were none.
    """

    lead: str
    rr_s: float | None
    heart_rate_bpm: float | None


class BeatClassified(_Event, frozen=True, kw_only=True, tag="beat_classified"):
    """The class of the beat at `at`: once, never revised. `scores` sum to one over the classes.

    `leads`: those that the scores were taken from; absent where one lead is all that is looked at.
    `disputed`: why the rules doubt that a beat is ventricular; absent where they do not.
    """

    label: BeatClass
    scores: dict[str, float]
    reason: str = ""
    leads: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    disputed: str | msgspec.UnsetType = msgspec.UNSET


class RhythmEpisode(_Event, frozen=True, kw_only=True, tag="rhythm_episode"):
    """Onset or end of a rhythm, back-dated: `at` is when it began or ended."""

    rhythm: Rhythm
    phase: Phase


class RhythmClassified(_Event, frozen=True, kw_only=True, tag="rhythm_classified"):
    """From `at` on the heart is in another rhythm, as the rhythm model sees it: sinus, AF, flutter,
    other, or too noisy to tell. Decided 30 s later, with what came since.

    `scores` at `at` sum to one. Episodes that rules find (`rhythm_episode`) stand beside it.
    """

    rhythm: Rhythm
    scores: dict[str, float]


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Why: the rule, the values it compared (with units in their names), in one sentence."""

    rule: str
    source: str
    sentence: str
    values: dict[str, float]


class TracedBeat(msgspec.Struct, frozen=True, kw_only=True):
    """A beat before an alarm, as it was classified, and why the rules doubt it if they do."""

    at: int
    label: BeatClass
    scores: dict[str, float]
    disputed: str | msgspec.UnsetType = msgspec.UNSET


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """What was known when an alarm was raised: the last classified beats, the quality of the
    analysis lead, and the samples of the strip around it, `strip_end` excluded."""

    beats: list[TracedBeat]
    quality: QualityLevel
    quality_reason: str
    strip_first: int
    strip_end: int


class AlarmRaised(_Event, frozen=True, kw_only=True, tag="alarm_raised"):
    """A condition became an alarm. `alarm` identifies it until its `AlarmCleared`."""

    alarm: int
    rule: str
    kind: AlarmKind
    priority: Priority
    text: str
    latched: bool
    explanation: Explanation
    trace: Trace | None = None


class AlarmCleared(_Event, frozen=True, kw_only=True, tag="alarm_cleared"):
    """The condition of `alarm` ended at `at`; a latched alarm stays shown until reset."""

    alarm: int
    rule: str
    reason: str


class AlarmStateChanged(_Event, frozen=True, kw_only=True, tag="alarm_state_changed"):
    """A person (or a timer) changed what an alarm does; `alarm` 0: what all alarms do.

    `state`: acknowledged, reset, reminder, escalated; of all alarms audio_paused, audio_resumed,
    alarm_off, alarm_on, reminder.
    """

    alarm: int
    state: str
    by: str


class IntervalsMeasured(_Event, frozen=True, kw_only=True, tag="intervals_measured"):
    """What the waves of the normal beats from `at` to `until` measure: medians over `beats` of
    them, None where fewer than three show it. A trend for a person to look at, no diagnosis.

    `pr_s` onset of P to onset of QRS, `qrs_s` its width, `qt_s` onset of QRS to end of T, corrected
    with the median `rr_s`. `p_wave_share`: of the beats that have a P wave. `st_mv` 60 ms after the
    QRS, against the level before it, and its slope, of the filtered signal (docs/intervals.md).
    `r_on_t`: ventricular beats that began before the T wave before them would have ended.
    """

    until: int
    lead: str
    beats: int
    rr_s: float | None
    pr_s: float | None
    qrs_s: float | None
    qt_s: float | None
    qtc_bazett_s: float | None
    qtc_fridericia_s: float | None
    p_wave_share: float | None
    st_mv: float | None
    st_slope_mv_per_s: float | None
    r_on_t: int


class SignalQuality(_Event, frozen=True, kw_only=True, tag="signal_quality"):
    """A lead's quality changed to `level`."""

    lead: str
    level: QualityLevel
    reason: str


class AnalysisLeadChanged(_Event, frozen=True, kw_only=True, tag="analysis_lead_changed"):
    """Beats are from now on taken from `lead`."""

    lead: str
    reason: str


class GapRecorded(_Event, frozen=True, kw_only=True, tag="gap_recorded"):
    """Samples `at` to `at + n_missing` never came."""

    n_missing: int
    exact: bool
    reason: str


class LinkStateChanged(_Event, frozen=True, kw_only=True, tag="link_state_changed"):
    """The device went away or came back."""

    up: bool
    reason: str


class DeviceReported(_Event, frozen=True, kw_only=True, tag="device_reported"):
    """Battery and contact as the device tells them."""

    battery_percent: float | None
    contact: bool | None


class UserMarked(_Event, frozen=True, kw_only=True, tag="user_marked"):
    """The wearer pressed the button."""

    text: str


class Notice(_Event, frozen=True, kw_only=True, tag="notice"):
    """Something a person should know: what was seen, and what to do. Not an alarm."""

    code: str
    message: str


Event = (
    SourceOpened
    | BeatDetected
    | BeatClassified
    | RhythmEpisode
    | RhythmClassified
    | AlarmRaised
    | AlarmCleared
    | AlarmStateChanged
    | IntervalsMeasured
    | SignalQuality
    | AnalysisLeadChanged
    | GapRecorded
    | LinkStateChanged
    | DeviceReported
    | UserMarked
    | Notice
)

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Event)


def to_json(event: Event) -> bytes:
    """One event as a single line of JSON, without the newline."""
    return _encoder.encode(event)


def from_json(line: bytes | str) -> Event:
    """The inverse of `to_json`. Raises `msgspec.ValidationError` on anything else."""
    return _decoder.decode(line)
