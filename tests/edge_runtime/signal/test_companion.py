"""The second lead: the same beats and intervals, a template of its own, and graceful loss."""

from collections.abc import Iterable

import numpy as np
import pytest

from edge_runtime.signal.features import FEATURES
from edge_runtime.signal.history import BeatBlock
from edge_runtime.signal.lead import LeadChoice
from edge_runtime.signal.observations import BeatsReady, LeadChanged, Observation
from edge_runtime.signal.path import PathConfig, SignalPath
from edge_runtime.signal.spec import read_spec
from firmware_bridge.stream import LeadStatus, SampleIndex, StreamItem
from tests import synthetic

SPEC = read_spec()
RATE = 500
INTERVALS = [i for i, f in enumerate(FEATURES) if f.unit == "ln" and f.name.startswith("rr_")]


def path(names: tuple[str, ...] = ("II", "V1"), **config: object) -> SignalPath:
    settings = PathConfig(**{"companion": True, **config})
    return SignalPath(synthetic.opened(RATE, names), SPEC, settings)


def run(running: SignalPath, items: Iterable[StreamItem]) -> list[Observation]:
    return [seen for item in items for seen in running.feed(item)] + running.finish()


def ready(seen: Iterable[Observation]) -> list[BeatsReady]:
    return [one for one in seen if isinstance(one, BeatsReady)]


def analysis(seen: list[Observation]) -> BeatBlock:
    return BeatBlock.join([one.block for one in ready(seen)])


def companion(seen: list[Observation]) -> BeatBlock:
    return BeatBlock.join([one.companion.block for one in ready(seen) if one.companion])


def two_leads(seconds: int = 60, gains: tuple[float, ...] = (1.0, -0.6)) -> np.ndarray:
    rng = np.random.default_rng(4)
    r_s = np.cumsum(rng.uniform(0.6, 1.0, size=2 * seconds))
    labels = "".join("NV"[int(rng.random() < 0.2)] for _ in r_s)
    return synthetic.ecg(r_s, seconds, RATE, labels=labels, lead_gains=gains, noise_mv=0.01)


def same(one: BeatBlock, other: BeatBlock) -> bool:
    parts = ("at", "window", "template", "features", "valid")
    return all(np.array_equal(getattr(one, p), getattr(other, p)) for p in parts)


def test_the_analysis_lead_does_not_know_of_its_companion() -> None:
    x = two_leads()
    alone = run(path(companion=False), synthetic.chunks(x))
    assert all(one.companion is None for one in ready(alone))
    assert same(analysis(run(path(), synthetic.chunks(x))), analysis(alone))


def test_one_lead_has_no_companion() -> None:
    x = two_leads()[:, :1]
    running = path(("II",))
    assert running.companion is None
    assert all(one.companion is None for one in ready(run(running, synthetic.chunks(x))))


def test_the_companion_shows_the_same_beats_with_the_same_intervals_in_its_own_shape() -> None:
    running = path()
    seen = run(running, synthetic.chunks(two_leads()))
    assert (running.lead, running.companion) == (0, 1)
    first, second = analysis(seen), companion(seen)
    assert len(second) > 60
    assert np.array_equal(first.at, second.at)
    assert np.array_equal(first.valid, second.valid)
    assert np.array_equal(first.features[:, INTERVALS], second.features[:, INTERVALS])
    # Upside down, and scaled by a template of its own.
    both = zip(first.window[first.valid], second.window[first.valid], strict=True)
    alike = [np.corrcoef(a, b)[0, 1] for a, b in both]
    assert np.median(alike) < -0.95
    assert {(one.companion.analysis_lead, one.companion.lead) for one in ready(seen)} == {(0, 1)}


def test_leads_of_the_same_signal_give_the_same_blocks() -> None:
    x = two_leads()
    x[:, 1] = x[:, 0]
    seen = run(path(), synthetic.chunks(x, 77))
    assert same(analysis(seen), companion(seen))


@pytest.mark.parametrize("how", ["no numbers", "flat"])
def test_a_lost_companion_is_masked_and_the_analysis_lead_goes_on(how: str) -> None:
    x = two_leads()
    whole = run(path(), synthetic.chunks(x))
    lost = x.copy()
    lost[30 * RATE :, 1] = np.nan if how == "no numbers" else 0.2
    seen = run(path(), synthetic.chunks(lost))
    assert same(analysis(seen), analysis(whole))
    at = np.concatenate([one.at for one in ready(seen)])
    after, before = at > 33 * RATE, (at < 29 * RATE) & (at > RATE)
    assert not companion(seen).valid[after].any()
    assert companion(seen).valid[before].all()


def test_noise_masks_the_companion_by_its_quality() -> None:
    x = two_leads()
    x[20 * RATE :, 1] += np.random.default_rng(0).normal(0, 2.0, 40 * RATE).astype(np.float32)
    seen = run(path(), synthetic.chunks(x))
    at = np.concatenate([one.at for one in ready(seen)])
    assert not companion(seen).valid[at > 23 * RATE].any()
    assert analysis(seen).valid[(at > 23 * RATE) & (at < 59 * RATE)].all()


def off(at: int, *leads: bool) -> LeadStatus:
    return LeadStatus("ecg", SampleIndex(at), leads)


def test_a_switch_exchanges_the_roles_and_both_templates_stay() -> None:
    x = two_leads(60, (1.0, 0.7))
    at = 30 * RATE + 100
    items = [
        *synthetic.chunks(x[:at]),
        off(at, True, False),
        *synthetic.chunks(x[at:], first=at),
    ]
    running = path()
    seen = run(running, items)
    (change,) = [one for one in seen if isinstance(one, LeadChanged)]
    assert (change.lead, running.lead, running.companion) == (1, 1, 0)
    later = [one for one in ready(seen) if one.at[0] > at]
    known = next(i for i, f in enumerate(FEATURES) if f.name == "template_beats")
    assert later[0].block.features[0, known] > 0.5  # the second lead's own, from before
    assert later[0].block.template.any()
    assert {(one.companion.analysis_lead, one.companion.lead) for one in later} == {(1, 0)}
    without = run(path(companion=False), items)
    first_later = next(one for one in ready(without) if one.at[0] > at)
    assert first_later.block.features[0, known] == 0.0


def choice(names: tuple[str, ...] = ("I", "II", "V1"), wanted: str = "auto") -> LeadChoice:
    return LeadChoice(names, wanted, RATE, paired=True)  # type: ignore[arg-type]


def seconds(chosen: LeadChoice, row: tuple[int, ...], n: int) -> list[tuple[int, int | None]]:
    ends = np.arange(1, n + 1) * RATE
    return [(s.lead, s.companion) for s in chosen.consider(np.array([row] * n), ends)]


def test_the_companion_is_the_best_of_the_others() -> None:
    chosen = choice()
    assert (chosen.lead, chosen.companion) == (1, 0)
    assert seconds(chosen, (2, 0, 0), 29) == []
    assert seconds(choice(), (2, 0, 0), 40) == [(1, 2)]  # the companion alone changes
    assert seconds(choice(), (0, 2, 2), 40) == [(0, 1)]  # of equals the one that was in use
    assert seconds(choice(wanted="V1"), (0, 2, 2), 40) == [(2, 0)]  # a configured lead stays
    assert choice(wanted="V1").companion == 1
    assert choice(("ECG",)).companion is None


def test_a_lead_that_is_off_is_no_companion_where_there_is_another() -> None:
    chosen = choice()
    switch = chosen.consider_off((True, False, False), (3, 0, 0), 1000)
    assert switch is not None
    assert (switch.lead, switch.companion, switch.reason) == (1, 2, "")
    assert chosen.consider_off((True, False, False), (3, 0, 0), 2000) is None
    both = choice(("I", "II"))
    assert both.consider_off((True, False), (3, 0), 1000) is None
    switch = both.consider_off((False, True), (0, 3), 1000)
    assert switch is not None
    assert (switch.lead, switch.companion) == (0, 1)
