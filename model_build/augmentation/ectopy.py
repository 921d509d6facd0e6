"""Premature beats of atria and ventricles: single, in pairs, in runs, and the pauses after them."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from model_build.augmentation.script import Event, Played, Scene, SinusNode

_LEAST_COUPLING_S: Final = 0.30


@dataclass(frozen=True, slots=True)
class Focus:
    """An atrial focus: how its P looks beside the sinus P, and how early it comes.

    P from elsewhere in the atria is lower, taller, or upside down; it conducts later the earlier
    it comes (decremental conduction).
    """

    p_gain: float
    p_early_s: float
    coupling: float

    def event(self, at_s: float, random: np.random.Generator) -> Event:
        """Its beat with R at `at_s`."""
        gain = self.p_gain * random.uniform(0.85, 1.15)
        return Event(at_s, "atrial", gain, self.p_early_s + random.uniform(-0.008, 0.008))


def focus(random: np.random.Generator, coupling: tuple[float, float] = (0.45, 0.85)) -> Focus:
    """A focus with a coupling interval drawn from these shares of the sinus interval."""
    gain = random.choice((-1.0, 1.0), p=(0.35, 0.65)) * random.uniform(0.4, 1.5)
    share = random.uniform(*coupling)
    return Focus(float(gain), random.uniform(-0.04, 0.01) + 0.08 * max(0.75 - share, 0.0), share)


def atrial_premature(scene: Scene) -> Played:
    """Sinus rhythm with premature atrial beats: single, pairs, now and then bigeminy.

    Most reset the sinus node: the pause after is one sinus interval to 15 % more (Strauss 1973);
    one in six leaves it alone and the pause is compensatory.
    """
    random = scene.random
    node = SinusNode(scene.rr_s * random.uniform(0.9, 1.2), random)
    source = focus(random)
    density = float(np.exp(random.uniform(*np.log((0.04, 0.3)))))
    bigeminal = random.random() < 0.15
    events: list[Event] = []
    at, due = scene.start_s, 0
    while at < scene.stop_s:
        rr = node.interval(at)
        early = bigeminal and due % 2 == 1
        if not (early or random.random() < (0.02 if bigeminal else density)) or due == 0:
            at += rr
            events.append(Event(at))
            due += 1
            continue
        before = at
        at += _coupling_s(source.coupling, rr, random)
        events.append(source.event(at, random))
        if random.random() < 0.15:
            at += _coupling_s(min(source.coupling * 1.05, 0.85), rr, random)
            events.append(source.event(at, random))
        elif random.random() < 1 / 6:
            at = max(before + 2 * rr, at + rr)
            events.append(Event(at))
            due += 1
            continue
        at += rr * random.uniform(1.0, 1.15)
        events.append(Event(at))
        due += 1
    return Played(events)


def _coupling_s(share: float, rr: float, random: np.random.Generator) -> float:
    return max(share * rr * random.uniform(0.94, 1.06), _LEAST_COUPLING_S)


def atrial_runs(scene: Scene) -> Played:
    """Sinus rhythm broken by runs of 3 to 30 atrial beats at 110 to 200 a minute.

    The run warms up over its first beats and ends in a pause of 1.0 to 1.6 sinus intervals.
    """
    random = scene.random
    node = SinusNode(scene.rr_s * random.uniform(0.95, 1.25), random)
    return Played(_with_runs(scene, node, (3, 30), (110.0, 200.0), (1.0, 1.6)))


def atrial_tachycardia(scene: Scene) -> Played:
    """A few sinus beats, then atrial beats at 110 to 200 a minute that do not stop.

    Regular within 2 %, after a warm-up; the rate drifts by a few hundredths over minutes. What is
    early beside the sinus is soon this patient's usual interval.
    """
    random = scene.random
    node = SinusNode(scene.rr_s * random.uniform(0.95, 1.25), random)
    source = focus(random, (0.45, 0.75))
    events = node.beats(scene.start_s, int(random.integers(3, 15)))
    at = events[-1].at_s
    cycle = min(60 / random.uniform(110, 200), 0.8 * node.rr_s)
    ectopic = SinusNode(cycle, random)
    ectopic.depth = 0.005
    at += max(_coupling_s(source.coupling, node.rr_s, random), cycle)
    events.append(source.event(at, random))
    k = 0
    while at < scene.stop_s:
        k += 1
        at += ectopic.interval(at) * (1 + 0.12 * float(np.exp(-k / 2.0)))
        events.append(source.event(at, random))
    at += min(node.interval(at) * random.uniform(1.0, 1.6), 3.0)
    return Played([*events, Event(at)])


def atrial_bigeminy(scene: Scene) -> Played:
    """Every second, third or fourth beat atrial, or all but each third, at a coupling fixed in 3 %.

    The sinus node is reset: it comes an interval to a third more after the last premature beat.
    """
    random = scene.random
    node = SinusNode(scene.rr_s * random.uniform(0.9, 1.2), random)
    source = focus(random, (0.5, 0.85))
    sinus, early = ((1, 1), (1, 2), (2, 1), (3, 1))[random.choice(4, p=(0.4, 0.2, 0.25, 0.15))]
    events = node.beats(scene.start_s, 1)
    at = events[-1].at_s
    while at < scene.stop_s:
        for _ in range(early):
            at += max(source.coupling * node.rr_s * random.uniform(0.97, 1.03), _LEAST_COUPLING_S)
            events.append(source.event(at, random))
        at += min(node.interval(at) * random.uniform(1.0, 1.33), 3.0)
        events += [Event(at), *node.beats(at, sinus - 1)]
        at = events[-1].at_s
        if random.random() < 0.05:
            events += node.beats(at, int(random.integers(1, 6)))
            at = events[-1].at_s
    return Played(events)


def sick_sinus(scene: Scene) -> Played:
    """A slow sinus (35 to 55 a minute) with runs of early beats, each ended by a long pause.

    Bradycardia and tachycardia alternate; the node recovers late (1.2 to 2 intervals, 3 s at most).
    """
    random = scene.random
    node = SinusNode(60 / random.uniform(35, 55), random)
    return Played(_with_runs(scene, node, (1, 14), (70.0, 130.0), (1.2, 2.0)))


def _with_runs(
    scene: Scene,
    node: SinusNode,
    lengths: tuple[int, int],
    rates_bpm: tuple[float, float],
    pause: tuple[float, float],
) -> list[Event]:
    random = scene.random
    source = focus(random, (0.45, 0.75))
    events: list[Event] = []
    at = scene.start_s
    while at < scene.stop_s:
        events += node.beats(at, int(random.integers(3, 15)))
        at = events[-1].at_s
        cycle = min(60 / random.uniform(*rates_bpm), 0.8 * node.rr_s)
        at += max(_coupling_s(source.coupling, node.rr_s, random), cycle)
        events.append(source.event(at, random))
        length = int(np.exp(random.uniform(*np.log(lengths))))
        for k in range(1, length):
            warming = 1 + 0.12 * np.exp(-k / 2.0)
            at += cycle * float(warming) * (1 + 0.015 * float(random.standard_normal()))
            events.append(source.event(at, random))
        at += min(node.interval(at) * random.uniform(*pause), 3.0)
        events.append(Event(at))
    return events


def ventricular_runs(scene: Scene) -> Played:
    """Sinus rhythm with ventricular beats of the patient: single, couplets, runs of 3 to 12.

    Runs go at 110 to 220 a minute, regular within 3 %; the pause after a single beat is
    compensatory (the sinus node is not reset), after a run about one interval.
    """
    random = scene.random
    node = SinusNode(scene.rr_s * random.uniform(0.9, 1.2), random)
    coupling = random.uniform(0.45, 0.75)
    events: list[Event] = []
    at = scene.start_s
    while at < scene.stop_s:
        events += node.beats(at, int(random.integers(3, 16)))
        before = at = events[-1].at_s
        length = int(random.choice((1, 2, 0), p=(0.35, 0.3, 0.35)))
        length = length or int(random.integers(3, 13))
        at += max(coupling * node.rr_s * random.uniform(0.96, 1.04), 0.33)
        events.append(Event(at, "ventricular"))
        cycle = 60 / random.uniform(110, 220)
        for _ in range(length - 1):
            at += cycle * (1 + 0.03 * float(random.standard_normal()))
            events.append(Event(at, "ventricular"))
        at = max(before + 2 * node.rr_s, at + node.rr_s * random.uniform(0.9, 1.3))
        events.append(Event(at))
    return Played(events)


def ventricular_bigeminy(scene: Scene) -> Played:
    """Every second, third or fourth beat ventricular, at a coupling fixed within 3 %."""
    random = scene.random
    node = SinusNode(scene.rr_s * random.uniform(0.9, 1.1), random)
    coupling = random.uniform(0.5, 0.75)
    every = int(random.choice((2, 3, 4), p=(0.5, 0.35, 0.15)))
    events = node.beats(scene.start_s, 1)
    at = events[-1].at_s
    while at < scene.stop_s:
        events += node.beats(at, every - 2)
        before = at = events[-1].at_s
        at += max(coupling * node.rr_s * (1 + 0.015 * float(random.standard_normal())), 0.33)
        events.append(Event(at, "ventricular"))
        at = max(before + 2 * node.interval(before), at + 0.6 * node.rr_s)
        events.append(Event(at))
        if random.random() < 0.05:
            events += node.beats(at, 1)
            at = events[-1].at_s
    return Played(events, "(B" if every == 2 else "(T" if every == 3 else "")
