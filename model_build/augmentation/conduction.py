"""Sinus rhythms and blocks, all beats N: what looks early or late without being ectopic."""

import numpy as np

from model_build.augmentation.ectopy import focus
from model_build.augmentation.script import Event, Played, Scene, SinusNode


def sinus_arrhythmia(scene: Scene) -> Played:
    """Sinus rhythm at 40 to 140 a minute, ramps over the episode, deep breathing (5 to 25 %)."""
    random = scene.random
    node = SinusNode(scene.rr_s, random)
    node.depth = random.uniform(0.05, 0.25)
    ends = scene.rr_s * np.exp(random.uniform(-0.35, 0.5, 2))
    begin, end = np.clip(ends, 60 / 140, 60 / 40)
    events: list[Event] = []
    at = scene.start_s
    while at < scene.stop_s:
        done = (at - scene.start_s) / max(scene.stop_s - scene.start_s, 1e-9)
        node.rr_s = float(begin + (end - begin) * done)
        at += node.interval(at)
        events.append(Event(at))
    return Played(events)


def sinus_tachycardia(scene: Scene) -> Played:
    """A sinus that quickens by degrees to 100 to 165 a minute, stays there, and slows again.

    It hardly breathes while it is fast. What tells it from a tachycardia of the atria is how it
    begins, and its own P.
    """
    random = scene.random
    node = SinusNode(scene.rr_s, random)
    node.depth = random.uniform(0.003, 0.02)
    fast = min(60 / random.uniform(100, 165), 0.9 * scene.rr_s)
    quick, slow = random.uniform(0.15, 0.4), random.uniform(0.1, 0.25)
    events: list[Event] = []
    at = scene.start_s
    while at < scene.stop_s:
        done = (at - scene.start_s) / max(scene.stop_s - scene.start_s, 1e-9)
        how = min(done / quick, (1 - done) / slow, 1.0)
        node.rr_s = scene.rr_s * (fast / scene.rr_s) ** how
        at += node.interval(at)
        events.append(Event(at))
    return Played(events)


def slow_sinus(scene: Scene) -> Played:
    """A sinus at 35 to 55 a minute."""
    random = scene.random
    node = SinusNode(60 / random.uniform(35, 55), random)
    events: list[Event] = []
    at = scene.start_s
    while at < scene.stop_s:
        at += node.interval(at)
        events.append(Event(at))
    return Played(events, "(SBR")


def blocked_premature(scene: Scene) -> Played:
    """Premature P waves that the AV node, still refractory, does not conduct.

    They lie on T (0.3 to 0.5 of the interval after R); the sinus node is reset, so the pause is
    shorter than two intervals. Every beat is N.
    """
    random = scene.random
    node = SinusNode(scene.rr_s * random.uniform(0.95, 1.3), random)
    source = focus(random, (0.3, 0.5))
    density = random.uniform(0.05, 0.3)
    events: list[Event] = []
    at = scene.start_s
    while at < scene.stop_s:
        rr = node.interval(at)
        if events and events[-1].kind != "blocked" and random.random() < density:
            premature = at + source.coupling * rr + 0.16
            events.append(Event(premature, "blocked", source.p_gain))
            at = premature + rr * random.uniform(1.0, 1.12)
        else:
            at += rr
        events.append(Event(at))
    return Played(events)


def av_block(scene: Scene) -> Played:
    """Second degree block, every beat N: 2:1, or Wenckebach's PR that grows until a P is lost.

    Atrial rate 65 to 105 a minute. In 2:1 an atrial interval that holds a QRS is a little shorter
    (ventriculophasic). The PR grows most at the second beat of a Wenckebach group.
    """
    random = scene.random
    node = SinusNode(60 / random.uniform(65, 105), random)
    wenckebach = random.random() < 0.5
    events: list[Event] = []
    at = scene.start_s
    while at < scene.stop_s:
        conducted = int(random.integers(2, 5)) if wenckebach else 1
        delay = 0.0
        for k in range(conducted):
            at += node.interval(at) * (1.0 if wenckebach else random.uniform(1.0, 1.03))
            if k:
                delay += random.uniform(0.05, 0.09) / k
            events.append(Event(at + delay, p_early_s=delay))
        at += node.interval(at) * (1.0 if wenckebach else random.uniform(0.97, 1.0))
        events.append(Event(at, "blocked"))
    while events[-1].kind == "blocked":
        events.pop()
    return Played(events, "(BII")
