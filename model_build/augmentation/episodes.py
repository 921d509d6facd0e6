"""Synthetic rhythms in a record: where they begin and end, and the annotations that result."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from firmware_bridge.records import Annotations
from model_build.augmentation import atrial, conduction, ectopy
from model_build.augmentation.disturbance import stretches
from model_build.augmentation.donor import (
    LEAST_SINUS,
    LEAST_VENTRICULAR,
    Donor,
    choose,
    donor,
)
from model_build.augmentation.lead import Floats, Lead
from model_build.augmentation.render import play
from model_build.augmentation.script import SYMBOL, Event, Played, Scene
from model_build.recipe import Rhythm

_PLAYERS: Final[dict[Rhythm, Callable[[Scene], Played]]] = {
    "af": atrial.fibrillation,
    "flutter": atrial.flutter,
    "pac": ectopy.atrial_premature,
    "s_runs": ectopy.atrial_runs,
    "s_tachycardia": ectopy.atrial_tachycardia,
    "s_bigeminy": ectopy.atrial_bigeminy,
    "sick_sinus": ectopy.sick_sinus,
    "v_runs": ectopy.ventricular_runs,
    "v_bigeminy": ectopy.ventricular_bigeminy,
    "sinus_arrhythmia": conduction.sinus_arrhythmia,
    "sinus_tachycardia": conduction.sinus_tachycardia,
    "slow_sinus": conduction.slow_sinus,
    "blocked_pac": conduction.blocked_premature,
    "av_block": conduction.av_block,
}
_NEED_V: Final = frozenset({"v_runs", "v_bigeminy"})
_EPISODE_S: Final = (30.0, 180.0)
_FITTED: Final = 8
"""Over so many last intervals an episode is brought to end where the record goes on."""
_T_AFTER_R_S: Final = 0.46
"""The last T wave of an episode has ended before the record's next P begins."""


def possible(annotations: Annotations, fs: float, rhythms: tuple[Rhythm, ...]) -> bool:
    """Whether a record has the beats that the rhythms are made of."""
    choice = choose(annotations, fs)
    enough_v = len(choice.ventricular) >= LEAST_VENTRICULAR or not _NEED_V & set(rhythms)
    return len(choice.sinus) >= LEAST_SINUS and enough_v


@dataclass(frozen=True, slots=True, eq=False)
class Episode:
    """Samples [first, last) of the record replaced by what is played."""

    first: int
    last: int
    played: Played


def plan(
    lead: Lead, rhythms: tuple[Rhythm, ...], share: float, random: np.random.Generator
) -> list[Episode]:
    """Episodes of `rhythms`, one drawn for each, in about `share` of the lead's time.

    None in a lead without enough beats; without enough ventricular ones, only other rhythms.
    """
    own = donor(lead)
    if own is None:
        return []
    rhythms = tuple(name for name in rhythms if own.has_v or name not in _NEED_V)
    if not rhythms:
        return []
    episodes: list[Episode] = []
    end = 0
    for start, stop in stretches(len(lead.x), own.fs, share, _EPISODE_S, random):
        rhythm = rhythms[random.integers(len(rhythms))]
        found = _episode(lead, own, rhythm, (max(start, end), stop), random)
        if found is not None:
            episodes.append(found)
            end = found.last
    return episodes


def perform(lead: Lead, episodes: list[Episode], random: np.random.Generator) -> Lead:
    """The lead with the episodes played on its own beats; another lead of the record serves too.

    Beats that are replaced lose their annotation, and so does everything else in the episode; the
    record's own rhythm is named again after it.
    """
    own = donor(lead) if episodes else None
    if own is None or lead.annotations is None:
        return lead
    x = lead.x.copy()
    for episode in episodes:
        _paint(x, own, episode, random)
    return Lead(x, lead.fs, _annotations(lead.annotations, episodes, own.fs))


def _episode(
    lead: Lead, own: Donor, rhythm: Rhythm, span: tuple[int, int], random: np.random.Generator
) -> Episode | None:
    """An episode that begins at the first usable beat from span[0] on; None if none fits."""
    begins = np.flatnonzero(own.sinus >= span[0] + own.p_begin)
    if not len(begins) or span[1] - own.sinus[begins[0]] < 10 * own.fs:
        return None
    r = int(own.sinus[begins[0]])
    beats = lead.beats
    before = int(beats[np.searchsorted(beats, r) - 1])
    near = slice(max(begins[0] - 10, 0), begins[0] + 10)
    scene = Scene(
        start_s=before / own.fs,
        stop_s=span[1] / own.fs,
        rr_s=float(np.median(own.sinus_rr_s[near])),
        has_v=own.has_v,
        random=random,
    )
    played = _PLAYERS[rhythm](scene)
    fitted = _fitted(own, played.events)
    if fitted is None:
        return None
    events, last = fitted
    return Episode(r - own.p_begin, last, replace(played, events=events))


def _fitted(own: Donor, events: list[Event]) -> tuple[list[Event], int] | None:
    """The events up to the last that a beat of the record can follow in time, and where it goes on.

    The last intervals are stretched or shortened by a few hundredths, so that the beat comes when
    it would. None where the record has no usable beat after any of the events.
    """
    r_s, wait_s = own.sinus / own.fs, own.sinus_rr_s
    nearest = np.maximum(0.75 * wait_s, _T_AFTER_R_S + own.p_begin / own.fs)
    for k in range(len(events) - 1, 0, -1):
        gap_s = r_s - events[k].at_s
        off_s = np.where(gap_s > nearest, np.abs(gap_s - wait_s), np.inf)
        best = int(np.argmin(off_s))
        if events[k].kind != "blocked" and off_s[best] <= 0.5 * wait_s[best]:
            moved = _moved(events[: k + 1], float(gap_s[best] - wait_s[best]))
            return moved, int(own.sinus[best]) - own.p_begin
    return None


def _moved(events: list[Event], seconds: float) -> list[Event]:
    """The last events moved by growing shares of `seconds`."""
    n = min(_FITTED, len(events))
    shares = np.concatenate((np.zeros(len(events) - n), np.arange(1, n + 1) / (n + 1)))
    return [
        replace(event, at_s=event.at_s + seconds * float(share))
        for event, share in zip(events, shares, strict=True)
    ]


def _paint(x: Floats, own: Donor, episode: Episode, random: np.random.Generator) -> None:
    """Write the episode into `x`, joined over the first and last hundredths of a second."""
    start, waves, ground = play(own, episode.played, episode.first, episode.last, random)
    n = episode.last - episode.first
    join = max(round(0.04 * own.fs), 2)
    mix = np.minimum(np.minimum(np.arange(n), np.arange(n)[::-1]) / join, 1.0)
    inside = x[episode.first : episode.last]
    inside[:] = mix * ground + (1 - mix) * inside
    low, high = max(start, 0), min(start + len(waves), len(x))
    x[low:high] += waves[low - start : high - start]


def _annotations(marks: Annotations, episodes: list[Episode], fs: float) -> Annotations:
    kept = np.ones(len(marks), dtype=bool)
    rows: list[tuple[int, str, str]] = []
    for episode in episodes:
        kept &= (marks.sample < episode.first) | (marks.sample >= episode.last)
        rows += [
            (round(event.at_s * fs), SYMBOL.get(event.kind, "N"), "")
            for event in episode.played.events
            if event.kind != "blocked"
        ]
        if episode.played.rhythm:
            rows.append((episode.first, "+", episode.played.rhythm))
        rows += _resumed(marks, episode)
    rows += [(int(marks.sample[k]), marks.symbol[k], marks.aux[k]) for k in np.flatnonzero(kept)]
    rows.sort(key=lambda row: row[0])
    return Annotations.of(*zip(*rows, strict=True))


def _resumed(marks: Annotations, episode: Episode) -> list[tuple[int, str, str]]:
    """The record's own rhythm, named again where the episode ends."""
    named = [
        aux
        for sample, aux in zip(marks.sample.tolist(), marks.aux, strict=True)
        if aux.startswith("(") and sample < episode.last
    ]
    if not named and not episode.played.rhythm:
        return []
    return [(episode.last, "+", named[-1] if named else "(N")]
