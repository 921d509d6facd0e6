"""Fibrillation and flutter: no P waves, atrial waves instead, and the RR that follows from them."""

import numpy as np

from model_build.augmentation.script import Event, Played, Scene

_LEAST_RR_S = 0.28
"""The AV node's refractory period lets hardly any shorter interval through."""


def fibrillation(scene: Scene) -> Played:
    """Atrial fibrillation at 55 to 165 beats a minute.

    RR is a refractory part plus a gamma-distributed wait, independent from beat to beat, as in
    the AV node model of Corino 2011: skewed to the right, coefficient of variation 0.15 to 0.32.
    The mean drifts slowly. f-waves 4 to 9 Hz (Bollmann 2006). Where the patient has ventricular
    beats, up to 8 % are such, at a nearly fixed coupling: not everything irregular is N.
    """
    random = scene.random
    mean_s = 60 / float(np.exp(random.uniform(*np.log((55, 165)))))
    spread = random.uniform(0.15, 0.32)
    ventricular = random.uniform(0, 0.08) if scene.has_v and random.random() < 0.7 else 0.0
    coupling_s = min(random.uniform(0.38, 0.55), 0.8 * mean_s)
    events: list[Event] = []
    at, drift = scene.start_s, 0.0
    while at < scene.stop_s:
        drift = 0.95 * drift + 0.03 * float(random.standard_normal())
        if events and events[-1].kind != "ventricular" and random.random() < ventricular:
            at += max(coupling_s * random.uniform(0.95, 1.05), _LEAST_RR_S)
            events.append(Event(at, "ventricular"))
            continue
        rr = _conducted_s(mean_s * np.exp(drift), spread, random)
        if events and events[-1].kind == "ventricular":
            rr += 0.25 * mean_s  # concealed conduction into the node: the next wait is longer
        at += rr
        events.append(Event(at, p_gain=0.0))
    return Played(
        events,
        rhythm="(AFIB",
        atrial_hz=random.uniform(4.0, 9.0),
        atrial_height=float(np.exp(random.uniform(*np.log((0.02, 0.16))))),
    )


def _conducted_s(mean_s: float, spread: float, random: np.random.Generator) -> float:
    floor = max(_LEAST_RR_S, 0.55 * mean_s)
    floor = min(floor, 0.8 * mean_s)
    wait = mean_s - floor
    shape = (wait / (spread * mean_s)) ** 2
    return max(floor + float(random.gamma(shape, wait / shape)), _LEAST_RR_S)


def flutter(scene: Scene) -> Played:
    """Atrial flutter at 240 to 340 a minute (4 to 5.7 Hz), conducted 2:1, 3:1, 4:1 or variably.

    R follows the flutter wave at a fixed delay within 10 ms, so intervals are multiples of its
    cycle.
    """
    random = scene.random
    hz = random.uniform(4.0, 5.7)
    variable = random.random() < 0.5
    steady = int(random.choice((2, 3, 4), p=(0.4, 0.15, 0.45)))
    if steady == 2 and hz < 4.3:
        steady = 4
    phase_s = scene.start_s + random.uniform(0, 1 / hz)
    events: list[Event] = []
    cycle = 0
    while True:
        ratio = int(random.choice((2, 3, 4, 5), p=(0.35, 0.2, 0.4, 0.05))) if variable else steady
        if not variable and random.random() < 0.03:
            ratio += 1
        cycle += ratio
        at = phase_s + cycle / hz + 0.005 * float(random.standard_normal())
        if at - scene.start_s < 0.35:
            continue
        if at >= scene.stop_s and events:
            break
        events.append(Event(at, p_gain=0.0))
    height = float(np.exp(random.uniform(*np.log((0.06, 0.3)))))
    return Played(events, "(AFL", hz, True, phase_s, height)
