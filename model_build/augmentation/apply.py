"""A view's alterations of the raw lead, in their order."""

import zlib
from functools import cache
from pathlib import Path

import numpy as np

from model_build.augmentation.disturbance import GAUSSIAN, drifting, dropping_out, noisy, wandering
from model_build.augmentation.episodes import with_rhythms
from model_build.augmentation.lead import Lead
from model_build.augmentation.timing import rr_warped, time_scaled
from model_build.datasets.locate import ensure
from model_build.detector_tuning.noise import NoisePool
from model_build.recipe import View


def needs_nstdb(view: View) -> bool:
    """Whether the view mixes recorded noise."""
    return bool(set(view.noise_kind) - {GAUSSIAN}) and bool(view.noise_snr_db)


@cache
def noise_pool(data: Path) -> NoisePool:
    """nstdb's noise that may train, out of the folder of archives, verified. Kept in memory."""
    return NoisePool(ensure(data, "nstdb"))


def augmented(lead: Lead, view: View, key: str, seed: int, data: Path) -> Lead:
    """The lead of recording `key` as `view` asks for it, before the recorder's alterations.

    First the rhythm, then time, then what an electrode adds. Each subject draws from a stream of
    its own, named by (seed, key, view, subject): one more key of a view changes no other's draws.
    """

    def stream(subject: str) -> np.random.Generator:
        name = f"{key} {view.name} {subject}"
        return np.random.default_rng((seed, zlib.crc32(name.encode())))

    if view.rhythm:
        lead = with_rhythms(lead, view.rhythm, view.rhythm_share, stream("rhythm"))
    if view.rr_warp:
        lead = rr_warped(lead, view.rr_warp, stream("rr_warp"))
    if view.time_scale:
        lead = time_scaled(lead, view.time_scale, stream("time_scale"))
    if view.drift:
        lead = drifting(lead, view.drift, stream("drift"))
    if view.wander:
        lead = wandering(lead, view.wander, stream("wander"))
    if view.noise_snr_db:
        pool = noise_pool(data) if needs_nstdb(view) else None
        lead = noisy(
            lead, view.noise_kind, view.noise_snr_db, view.noise_share, pool, stream("noise")
        )
    if view.dropouts_per_min:
        lead = dropping_out(lead, view.dropouts_per_min, stream("dropouts"))
    return lead
