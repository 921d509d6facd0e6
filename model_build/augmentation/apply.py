"""A view's alterations of the raw leads, in their order."""

import zlib
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Final

import numpy as np

from model_build.augmentation.disturbance import GAUSSIAN, drifting, dropping_out, noisy, wandering
from model_build.augmentation.episodes import perform, plan
from model_build.augmentation.lead import Lead
from model_build.augmentation.timing import rr_warped, time_scaled
from model_build.datasets.locate import ensure
from model_build.detector_tuning.noise import NoisePool
from model_build.recipe import View

_BAD_ELECTRODE: Final = ("em", "ma", "bw")


def needs_nstdb(view: View) -> bool:
    """Whether the view mixes recorded noise."""
    mixed = bool(set(view.noise_kind) - {GAUSSIAN}) and bool(view.noise_snr_db)
    return mixed or bool(view.companion_snr_db)


@cache
def noise_pool(data: Path) -> NoisePool:
    """nstdb's noise that may train, out of the folder of archives, verified. Kept in memory."""
    return NoisePool(ensure(data, "nstdb"))


def augmented(
    leads: Sequence[Lead], view: View, key: str, seed: int, data: Path
) -> tuple[Lead, ...]:
    """Leads of recording `key` as `view` asks for them, before the recorder's alterations.

    First the rhythm, then time, alike on all leads; then what an electrode adds, drawn for each,
    and what a bad one adds to all but the first (`companion_snr_db`).
    Each purpose draws from a stream of its own, named by (seed, key, view, purpose): one more key
    of a view changes no other's draws. Annotations may differ where a lead is lost.
    """

    def stream(purpose: str, lead: int = 0) -> np.random.Generator:
        name = f"{key} {view.name} {purpose} {lead}"
        return np.random.default_rng((seed, zlib.crc32(name.encode())))

    changed = tuple(leads)
    if view.rhythm:
        episodes = plan(changed[0], view.rhythm, view.rhythm_share, stream("rhythm"))
        changed = tuple(perform(lead, episodes, stream("beats")) for lead in changed)
    if view.rr_warp:
        changed = tuple(rr_warped(lead, view.rr_warp, stream("rr_warp")) for lead in changed)
    if view.time_scale:
        changed = tuple(
            time_scaled(lead, view.time_scale, stream("time_scale")) for lead in changed
        )
    changed = tuple(
        _disturbed(lead, view, partial(stream, lead=k), data) for k, lead in enumerate(changed)
    )
    if not view.companion_snr_db:
        return changed
    first, *others = changed
    pool, snr_db = noise_pool(data), view.companion_snr_db
    return first, *(
        noisy(lead, _BAD_ELECTRODE, snr_db, 1.0, pool, stream("companion", k))
        for k, lead in enumerate(others, start=1)
    )


def _disturbed(
    lead: Lead, view: View, stream: Callable[[str], np.random.Generator], data: Path
) -> Lead:
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
