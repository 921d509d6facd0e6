"""A signal with everything that can go wrong, and observations in a form that compares."""

from collections.abc import Iterable

import numpy as np

from edge_runtime.signal.observations import BeatsReady, Horizon, Observation
from tests import synthetic


def flat(seen: Iterable[Observation]) -> list[tuple[object, ...]]:
    """Observations without horizons, a row for each beat with all its content."""
    rows: list[tuple[object, ...]] = []
    for one in seen:
        if isinstance(one, BeatsReady):
            blocks = [one.block] if one.companion is None else [one.block, one.companion.block]
            for i, decided in enumerate(one.decided.tolist()):
                content = [
                    part[i].tobytes()
                    for b in blocks
                    for part in (b.at, b.window, b.template, b.features, b.valid, b.tentative)
                ]
                leads = one.companion and (one.companion.analysis_lead, one.companion.lead)
                rows.append((decided, 9, "beat", int(one.at[i]), leads, *content))
        elif not isinstance(one, Horizon):
            rows.append((one.decided, 0, repr(one)))
    return sorted(rows, key=lambda row: row[:2])


def spoilt(rate: float, seconds: int, seed: int, leads: int = 2) -> np.ndarray:
    """Two leads or three with noise, silence, lost electrodes and stretches without numbers."""
    rng = np.random.default_rng(seed)
    r_s = np.cumsum(rng.uniform(0.5, 1.1, size=2 * seconds))
    labels = "".join("NV"[int(rng.random() < 0.2)] for _ in r_s)
    x = synthetic.ecg(
        r_s, seconds, rate, labels=labels, lead_gains=(1.0, -0.6, 0.8)[:leads], noise_mv=0.03
    )
    for lead in (0, 0, 1):
        a = int(rng.integers(0, len(x)))
        x[a : a + int(rate * rng.uniform(0.01, 4)), lead] = np.nan
    a = int(rng.integers(0, len(x) - 1000))
    x[a : a + 1000][rng.random(1000) < rng.uniform(0, 0.2), 0] = np.nan
    a = int(rng.integers(0, len(x) // 3))
    x[a : a + int(40 * rate), int(rng.integers(0, 2))] += rng.choice([0.0, 0.4])
    noisy = slice(a, a + int(38 * rate))
    x[noisy, 0] += rng.normal(0, 0.3, size=len(x[noisy])).astype(np.float32)
    return x
