"""What the API says beside events: frozen msgspec structs, from which OpenAPI is made.

Units are in the names; times are ISO 8601 UTC; indices count samples of the source's own clock.
"""

from enum import StrEnum
from typing import Annotated

import msgspec

from edge_runtime.availability import Availability
from edge_runtime.dropped import Drop
from edge_runtime.events import AlarmRaised, Priority, Rhythm
from edge_runtime.exports.report_words import Language
from edge_runtime.publication import Published
from edge_runtime.update.shelf import Origin


class _Shape(msgspec.Struct, frozen=True, kw_only=True):
    pass


class SourceStatus(_Shape, frozen=True, kw_only=True):
    """One source now. `age_s` is how long ago its last sample arrived (None: none yet). `contact`
    with the skin, where the device tells. `clock_error_ppm`: how much slower than nominal its clock
    runs, by this machine's; `clock_jitter_ms`: how late its stamps typically arrive; None: not
    known, or no stamps."""

    source: str
    session: str | None
    availability: Availability
    age_s: float | None
    family: str
    model: str
    firmware: str
    rate_hz: float
    unit: str
    leads: list[str]
    lead: str
    end: int
    heart_rate_bpm: float | None
    quality: str
    quality_reason: str
    link_reason: str
    battery_percent: float | None
    contact: bool | None
    clock_error_ppm: float | None
    clock_jitter_ms: float | None
    beats: dict[str, int]
    gaps: int
    missing_s: float
    duration_s: float
    messages: list[str]


class DroppedCount(_Shape, frozen=True, kw_only=True):
    """So many were dropped since the start; `source` is empty where it is nobody's in particular.
    Kinds that dropped nothing are absent."""

    kind: Drop
    source: str
    count: int


class ModelStatus(_Shape, frozen=True, kw_only=True):
    """The bundle set in use. `origin`: shipped, signed, or unsigned, which nobody vouches for;
    `on_trial`: new, and not confirmed yet."""

    name: str
    version: str
    fingerprint: str
    origin: Origin
    on_trial: bool


class Status(_Shape, frozen=True, kw_only=True):
    """The daemon: its version, its clock, every source, and what it had to drop."""

    version: str
    schema_version: int
    time: str
    started: str
    models: ModelStatus | None
    sources: list[SourceStatus]
    dropped: list[DroppedCount]


class Alarm(_Shape, frozen=True, kw_only=True):
    """An alarm since the daemon's start; `active` while its condition holds. `states` are what
    persons and timers did to it, oldest first."""

    id: str
    source: str
    session: str
    time: str
    active: bool
    cleared: str | None
    states: list[str]
    alarm: AlarmRaised


class Alarms(_Shape, frozen=True, kw_only=True):
    """Newest first."""

    alarms: list[Alarm]


class AlarmBoard(_Shape, frozen=True, kw_only=True):
    """What holds for all alarms: `off` until they are switched on, the sound's pause, and which
    burst is asked for now. `acknowledged` and `latched` are ids of alarms: seen by a person; over,
    and shown until reset. `others` are alarms of the daemon itself, and latched ones from before
    its start."""

    off: bool
    paused_for_s: float
    sounding: Priority | None
    acknowledged: list[str]
    latched: list[str]
    others: list[Alarm]


class AlarmAction(_Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which alarm: the session it belongs to, and its number there."""

    session: str
    alarm: int


class AudioPause(_Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Pause the sound for at most 120 s, or end the pause."""

    paused: bool


class AlarmsOff(_Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """No sound until alarms are switched on again; that is shown all the time."""

    off: bool


class TrendPoint(_Shape, frozen=True, kw_only=True):
    """One minute: displayed heart rate over its beats, and how many beats of which class."""

    time: str
    mean_bpm: float | None
    lowest_bpm: float | None
    highest_bpm: float | None
    beats: int
    supraventricular: int
    ventricular: int


class RhythmSpan(_Shape, frozen=True, kw_only=True):
    """An episode of a rhythm, as a rule found it, or (`modelled`) as the rhythm model sees it;
    `ended` is None while it lasts."""

    rhythm: Rhythm
    modelled: bool
    began: str
    ended: str | None


class Trend(_Shape, frozen=True, kw_only=True):
    """Up to 24 hours of minutes, oldest first; minutes without a beat are absent. `rhythms` are the
    last 500 episodes of any, oldest first: what rules tell, and a rhythm model where one runs."""

    source: str
    points: list[TrendPoint]
    rhythms: list[RhythmSpan]


class Strip(_Shape, frozen=True, kw_only=True):
    """Raw signal that is still in memory: `samples[lead][n]` is sample `first + n` in `unit`,
    None where it never came or is no longer held."""

    source: str
    session: str
    rate_hz: float
    unit: str
    leads: list[str]
    first: int
    samples: list[list[float | None]]


class StoredStrip(_Shape, frozen=True, kw_only=True):
    """The signal around an alarm, as the store keeps it; else as `Strip`."""

    session: str
    alarm: int
    first: int
    rate_hz: float
    unit: str
    leads: list[str]
    samples: list[list[float | None]]


class StoredSession(_Shape, frozen=True, kw_only=True):
    """A session in the store. `ended` is None while it runs; `wearer` is a pseudonym; `rhythms`
    are those that a model looked for."""

    session: str
    source: str
    wearer: str | None
    started: str
    ended: str | None
    end_reason: str | None
    rhythms: list[str]


class StoredSessions(_Shape, frozen=True, kw_only=True):
    """Newest first."""

    sessions: list[StoredSession]


class EventPage(_Shape, frozen=True, kw_only=True):
    """Events in order of their number. `next`: ask again with `after` set to it; None: the end."""

    events: list[Published]
    next: int | None


class Mark(_Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to write down at this moment of the recording, or `ago_s` before it: the wearer's diary.
    Not only blanks."""

    text: Annotated[str, msgspec.Meta(max_length=200, pattern=r"\S")]
    ago_s: Annotated[float, msgspec.Meta(ge=0, le=86_400)] = 0.0


class ExportFormat(StrEnum):
    """What a browser can save as one file."""

    CSV = "csv"
    EDF = "edf"
    PDF = "pdf"
    HOLTER = "holter"
    FHIR_R4 = "fhir-r4"
    FHIR_R5 = "fhir-r5"


class ExportOrder(_Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to export: from `from_s` to `to_s` seconds of the session, by default all of it. A
    Holter report is of all of it, in a `language`, with local time `offset_min` ahead of UTC."""

    format: ExportFormat
    from_s: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    to_s: Annotated[float, msgspec.Meta(gt=0)] | None = None
    language: Language = "en"
    offset_min: Annotated[int, msgspec.Meta(ge=-840, le=840)] = 0


class Credentials(_Shape, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who logs in."""

    name: str
    password: str


class Who(_Shape, frozen=True, kw_only=True):
    """Who is asking; `role` is None without a login."""

    name: str | None
    role: str | None


class Done(_Shape, frozen=True, kw_only=True):
    """It was taken; what it causes follows as an event."""

    ok: bool = True


class ChangedKey(_Shape, frozen=True, kw_only=True):
    """A key of the configuration that differs from before, and when that takes effect."""

    key: str
    effect: str
    text: str


class Reloaded(_Shape, frozen=True, kw_only=True):
    """The configuration was read again and is in force, but for what waits for the next start."""

    changes: list[ChangedKey]


class Problem(_Shape, frozen=True, kw_only=True):
    """Why a request was refused, and what to do."""

    error: str


class LiveSamples(_Shape, frozen=True, kw_only=True):
    """Samples from index `first` on: for each lead a base64 text of little-endian 16-bit integers
    in microvolts; -32768 where there is none."""

    first: int
    leads: list[str]


class LiveSource(_Shape, frozen=True, kw_only=True):
    """What is new of one source. A `session` other than the last begins a new count."""

    source: str
    session: str | None
    samples: LiveSamples | None = None
    events: list[Published] = []
    status: SourceStatus | None = None


class Frame(_Shape, frozen=True, kw_only=True):
    """One message of the live stream, several a second. `alarms` is in the first one alone, and in
    the one after frames that a late reader missed; `board` is in it and in every status."""

    time: str
    sources: list[LiveSource]
    alarms: list[Alarm] | None = None
    board: AlarmBoard | None = None
