"""The signal behind the golden vectors: three minutes of a training record, made harder.

MIT-BIH 223 (training side of the inter-patient split; ODC-By 1.0) from 7:30 on: sinus rhythm,
premature beats of both kinds, bigeminy, runs. Muscle noise of nstdb `ma` (its first 15 minutes may
train) lies on half a minute, and 2.5 s are taken out as a gap.
"""

from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np

from edge_runtime.inference.excerpt import Excerpt
from edge_runtime.signal.conditioner import Conditioner
from edge_runtime.signal.history import BeatBlock, BeatHistory
from edge_runtime.signal.qrs import QrsDetector
from edge_runtime.signal.spec import ConditioningSpec
from edge_runtime.signal.windows import cut_windows
from firmware_bridge.records import read_counts, read_header

RECORD: Final = "mitdb/223"
NOISE: Final = "nstdb/ma"
MAINS_HZ: Final = 60
RATE_HZ: Final = 360
START_S: Final = 450
LENGTH_S: Final = 180
NOISE_S: Final = (60, 90)
NOISE_SHARE: Final = 0.5
"""Of the noise as recorded: QRS stay visible, P waves do not."""
GAP_AT_S: Final = 120
GAP_MISSING: Final = 900
"""Samples that never came: 2.5 s."""
LOST_FROM_S: Final = 160
"""From here on the second lead is a flat line."""


def golden_excerpt(data_dir: Path, n_leads: int = 1) -> Excerpt:
    """The excerpt, from the archives below `data_dir`; its first channels.

    Raises firmware_bridge.errors.RecordError where an archive is not there.
    """
    first, last = START_S * RATE_HZ, (START_S + LENGTH_S) * RATE_HZ
    channels = list(range(n_leads))
    counts = read_counts(data_dir / RECORD, first, last, channels=channels).astype(np.int64)
    signals = read_header(data_dir / RECORD).signals[:n_leads]
    noisy = slice(NOISE_S[0] * RATE_HZ, NOISE_S[1] * RATE_HZ)
    noise = read_counts(data_dir / NOISE, noisy.start, noisy.stop, channels=channels)
    noises = read_header(data_dir / NOISE).signals[:n_leads]
    share = [NOISE_SHARE * s.adc_gain / n.adc_gain for s, n in zip(signals, noises, strict=True)]
    counts[noisy] += np.rint(noise * np.array(share)).astype(np.int64)
    lost = LOST_FROM_S * RATE_HZ
    counts[lost:, 1:] = counts[lost, 1:]
    gap = GAP_AT_S * RATE_HZ
    kept = np.delete(counts, slice(gap, gap + GAP_MISSING), axis=0)
    return Excerpt(
        counts=np.clip(kept, -32768, 32767).astype(np.int16),
        rate_hz=Fraction(RATE_HZ),
        counts_per_unit=tuple(signal.adc_gain for signal in signals),
        baseline=tuple(signal.baseline for signal in signals),
        leads=tuple(signal.name for signal in signals),
        gaps=np.array([[gap, GAP_MISSING]], np.int64),
        mains_hz=MAINS_HZ,
    )


def excerpt_beats(excerpt: Excerpt, spec: ConditioningSpec) -> list[BeatBlock]:
    """The beats of the excerpt before its gap, in context, as the signal path makes them.

    One block for each lead; R peaks are those of the first.
    """
    conditioner = Conditioner(spec, excerpt.rate_hz, len(excerpt.leads), excerpt.mains_hz)
    leads = conditioner.process(excerpt.physical(0, int(excerpt.gaps[0, 0]))).T.copy()
    found = QrsDetector().process(leads[0]).by_place()
    return [
        BeatHistory().observe_block(cut_windows(lead, 0, found.at), found.at, found.tentative)
        for lead in leads
    ]
