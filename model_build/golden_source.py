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


def golden_excerpt(data_dir: Path) -> Excerpt:
    """The excerpt, from the archives below `data_dir`; its first channel only.

    Raises firmware_bridge.errors.RecordError where an archive is not there.
    """
    first, last = START_S * RATE_HZ, (START_S + LENGTH_S) * RATE_HZ
    counts = read_counts(data_dir / RECORD, first, last, channels=[0]).astype(np.int64)
    signal = read_header(data_dir / RECORD).signals[0]
    noisy = slice(NOISE_S[0] * RATE_HZ, NOISE_S[1] * RATE_HZ)
    noise = read_counts(data_dir / NOISE, noisy.start, noisy.stop, channels=[0])
    noise_gain = read_header(data_dir / NOISE).signals[0].adc_gain
    counts[noisy] += np.rint(noise * (NOISE_SHARE * signal.adc_gain / noise_gain)).astype(np.int64)
    gap = GAP_AT_S * RATE_HZ
    kept = np.delete(counts, slice(gap, gap + GAP_MISSING), axis=0)
    return Excerpt(
        counts=np.clip(kept, -32768, 32767).astype(np.int16),
        rate_hz=Fraction(RATE_HZ),
        counts_per_unit=(signal.adc_gain,),
        baseline=(signal.baseline,),
        leads=(signal.name,),
        gaps=np.array([[gap, GAP_MISSING]], np.int64),
        mains_hz=MAINS_HZ,
    )


def excerpt_beats(excerpt: Excerpt, spec: ConditioningSpec) -> BeatBlock:
    """The beats of the excerpt before its gap, in context, as the signal path makes them."""
    conditioner = Conditioner(spec, excerpt.rate_hz, len(excerpt.leads), excerpt.mains_hz)
    lead = conditioner.process(excerpt.physical(0, int(excerpt.gaps[0, 0])))[:, 0].copy()
    found = QrsDetector().process(lead).by_place()
    windows = cut_windows(lead, 0, found.at)
    return BeatHistory().observe_block(windows, found.at, found.tentative)
