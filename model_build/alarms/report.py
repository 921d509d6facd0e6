"""Everything `make report-alarms` measures, as data and as the second half of docs/alarms.md."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_runtime.inference.bundle import BundleSet
from model_build.alarms import disclosure
from model_build.alarms.challenge import ALARM_S, ChallengeAlarm, Tally, read_alarms, tally
from model_build.alarms.longterm import LongRun, measure, training_records, truth_of, wilson
from model_build.alarms.running import Raised, run_record

MARK: Final = "<!-- measured: everything below is written by `make report-alarms` -->"
RULES: Final[Mapping[str, tuple[str, ...]]] = {
    "Asystole": ("asystole",),
    "Bradycardia": ("extreme_bradycardia", "ventricular_bradycardia", "asystole"),
    "Tachycardia": (
        "extreme_tachycardia",
        "ventricular_tachycardia",
        "ventricular_fibrillation",
    ),
    "Ventricular_Tachycardia": ("ventricular_tachycardia", "ventricular_fibrillation"),
    "Ventricular_Flutter_Fib": ("ventricular_fibrillation",),
}
"""Our words for the challenge's: those that take the word from the like-named one count too."""
BEGINS_S: Final = 290.0
"""The event begins within the ten seconds before 5:00."""


@dataclass(frozen=True, slots=True)
class Measured:
    """All results."""

    outcomes: tuple[tuple[ChallengeAlarm, bool], ...]
    fibrillation: dict[str, float | None]
    long: dict[str, LongRun]
    onset: dict[str, tuple[str, float] | None]
    rhythms: dict[str, tuple[float, float, float]]
    steps: dict[str, disclosure.Response]
    times: dict[str, dict[str, tuple[str, float] | None]]
    tall_t: dict[float, float]

    @property
    def by_kind(self) -> dict[str, Tally]:
        """The challenge's counts, by kind of alarm and over all."""
        kinds = {kind: [o for o in self.outcomes if o[0].kind == kind] for kind in RULES}
        return {kind: tally(of_kind) for kind, of_kind in kinds.items()} | {
            "all": tally(self.outcomes)
        }


def measure_all(bundles: BundleSet, data: Path) -> Measured:
    """Run everything; minutes."""
    return Measured(
        outcomes=tuple(_challenge(bundles, data / "cinc2015")),
        fibrillation=dict(_fibrillation(bundles, data)),
        long={name: measure(bundles, of) for name, of in training_records(data).items()},
        onset=disclosure.onset_to_alarm(bundles),
        rhythms=disclosure.rate_of_rhythms(bundles),
        steps={
            "80 to 120/min": disclosure.response(bundles, 80.0, 120.0),
            "80 to 40/min": disclosure.response(bundles, 80.0, 40.0),
        },
        times=disclosure.alarm_times(bundles),
        tall_t=disclosure.tall_t(bundles),
    )


def is_raised(alarm: ChallengeAlarm, found: Sequence[Raised]) -> bool:
    """Whether one of ours that means the same holds at some moment of the last ten seconds."""
    rules = RULES[alarm.kind]
    return any(one.rule in rules and one.held_within(BEGINS_S, ALARM_S) for one in found)


def _challenge(bundles: BundleSet, folder: Path) -> Iterator[tuple[ChallengeAlarm, bool]]:
    for alarm in read_alarms(folder):
        found, _ = run_record(bundles, folder / alarm.record, (0.0, ALARM_S))
        yield alarm, is_raised(alarm, found)


def _fibrillation(bundles: BundleSet, data: Path) -> Iterator[tuple[str, float | None]]:
    """Source of fibrillation or flutter to the seconds from its onset (or None: not found)."""
    for record in (data / "cudb" / "cu01", data / "mitdb" / "207"):
        found, _ = run_record(bundles, record)
        for begin, end in truth_of(record).fibrillation_s:
            delays = [
                one.decided_s - begin
                for one in found
                if one.rule == "ventricular_fibrillation" and begin - 5 <= one.at_s <= end
            ]
            yield f"{record.name} at {begin:.1f} s ({end - begin:.1f} s)", min(delays, default=None)
    folder = data / "cinc2015"
    for alarm in read_alarms(folder):
        if alarm.kind == "Ventricular_Flutter_Fib" and alarm.is_true:
            found, _ = run_record(bundles, folder / alarm.record, (0.0, ALARM_S))
            held = [
                one.decided_s
                for one in found
                if one.rule == "ventricular_fibrillation" and one.held_within(BEGINS_S, ALARM_S)
            ]
            yield f"{alarm.record} (by 5:00)", min(held, default=None)


def markdown(measured: Measured) -> str:
    """The measured half of the page."""
    return "\n".join(
        [
            MARK,
            "\n## Measured\n",
            "Disclosed; no conformity with a standard is claimed. All by the shipped set.\n",
            *_challenge_lines(measured),
            *_fibrillation_lines(measured),
            *_long_lines(measured),
            *_onset_lines(measured),
            *_disclosed_lines(measured),
        ]
    )


def _challenge_lines(measured: Measured) -> Iterator[str]:
    yield "### The alarms of the PhysioNet/CinC Challenge 2015\n"
    yield (
        "ECG alone, nothing after 5:00 read. These records also chose the limits of the VF rule: "
        "for that row it is no test. Raised: an alarm of the same meaning holds at some "
        f"moment from {BEGINS_S:.0f} to {ALARM_S:.0f} s. Score: "
        "100 (TP + TN) / (TP + TN + FP + 5 FN); raising every alarm scores 52.9.\n"
    )
    yield "| alarm | true: raised / missed | false: raised / suppressed | score |"
    yield "| --- | --- | --- | --- |"
    for kind, counts in measured.by_kind.items():
        yield (
            f"| {kind} | {counts.tp} / {counts.fn} | {counts.fp} / {counts.tn} "
            f"| {counts.score:.1f} |"
        )
    missed = [a.record for a, raised in measured.outcomes if a.is_true and not raised]
    yield f"\nMissed: {', '.join(missed) or 'none'}.\n"
    yield "![Challenge alarms](alarms-challenge.svg)\n"


def _fibrillation_lines(measured: Measured) -> Iterator[str]:
    found = [name for name, after in measured.fibrillation.items() if after is not None]
    low, high = wilson(len(found), len(measured.fibrillation))
    yield "### Fibrillation and flutter, found of present\n"
    yield (
        f"{len(found)} of {len(measured.fibrillation)} episodes "
        f"(95 % Wilson interval {100 * low:.0f} to {100 * high:.0f} %), of seven people; all but "
        "cu01 are training sources. Those of 207 that are not found as VF alarm as VT.\n"
    )
    people = {name.partition(" ")[0] for name in measured.fibrillation}
    met = {name.partition(" ")[0] for name in found}
    low, high = wilson(len(met), len(people))
    yield (
        f"In at least one episode: {len(met)} of {len(people)} people "
        f"({100 * low:.0f} to {100 * high:.0f} %).\n"
    )
    yield "| episode | alarm as VF |"
    yield "| --- | --- |"
    for name, after in measured.fibrillation.items():
        words = "not found" if after is None else f"after {after:.1f} s"
        if after is not None and "5:00" in name:
            words = f"at {after:.1f} s of the record"
        yield f"| {name} | {words} |"
    yield ""


def _long_lines(measured: Measured) -> Iterator[str]:
    yield "### High-priority alarms on long training records\n"
    yield (
        "False: no annotation within 10 s speaks for it (no fibrillation, three V in a row, such a "
        "rate, or interval of 3 s). The shipped beat model was trained on these records, the VF "
        "limits were chosen on them.\n"
    )
    yield "| records | hours | false in 24 h | false, by rule | with a reason, by rule |"
    yield "| --- | --- | --- | --- | --- |"
    for name, run in measured.long.items():
        yield (
            f"| {name} | {run.hours:.1f} | {run.false_per_day:.1f} | {_counts(run.false)} "
            f"| {_counts(run.true)} |"
        )
    hours = sum(run.hours for run in measured.long.values())
    vf = sum(run.false.get("ventricular_fibrillation", 0) for run in measured.long.values())
    yield f"\nVF: {vf} false in {hours:.1f} h.\n"


def _onset_lines(measured: Measured) -> Iterator[str]:
    yield "### Onset to alarm, made signals\n"
    yield "Asystole counts from the last R, a step of the rate from the last beat before it.\n"
    yield "| onset | alarm | after |"
    yield "| --- | --- | --- |"
    for name, alarm in measured.onset.items():
        yield f"| {name} | {_alarm(alarm, ' | ')} |"
    yield "\n![Onset to alarm](alarms-onset.svg)\n"


def _disclosed_lines(measured: Measured) -> Iterator[str]:
    yield "### As IEC 60601-2-27 asks to disclose, on look-alikes of its waveforms\n"
    yield (
        "The standard's waveforms are drawings; these have their rates, heights, order of beats.\n"
    )
    yield (
        "Averaging: 60 / the mean of the last 8 valid RR; an RR above 3 s is not averaged "
        "and empties the average (`rules/heart_rate.py`).\n"
    )
    yield "| rhythm | rate over all beats | rate shown |"
    yield "| --- | --- | --- |"
    for name, (bpm, low, high) in measured.rhythms.items():
        yield f"| {name} | {bpm:.1f} | {low:.0f} to {high:.0f} |"
    yield "\n| step of the rate | 63 % of it shown | all but 2/min |"
    yield "| --- | --- | --- |"
    for name, step in measured.steps.items():
        yield f"| {name} | {_seconds(step.after_63_percent_s)} | {_seconds(step.after_all_s)} |"
    gains = list(disclosure.GAINS)
    yield f"\n| ventricular tachycardia | {' | '.join(f'{gain} gain' for gain in gains)} |"
    yield f"| --- |{' --- |' * len(gains)}"
    for name, by_gain in measured.times.items():
        yield f"| {name} | {' | '.join(_alarm(by_gain[gain], ', ') for gain in gains)} |"
    good = [height for height, error in measured.tall_t.items() if error <= 5.0]
    yield (
        f"\nTall T waves (QRS 1 mV, 80/min): the rate stays within 5/min up to {max(good):.1f} mV "
        f"of those tried ({', '.join(f'{height:g}' for height in measured.tall_t)}).\n"
        if good
        else "\nTall T waves: the rate is wrong at every height tried.\n"
    )


def _alarm(alarm: tuple[str, float] | None, between: str) -> str:
    if alarm is None:
        return f"none{between}-"
    return f"{alarm[0].replace('_', ' ')}{between}{alarm[1]:.1f} s"


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f} s"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {rule.replace('_', ' ')}" for rule, n in sorted(counts.items())) or "-"
