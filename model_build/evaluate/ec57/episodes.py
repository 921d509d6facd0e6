"""Episode-by-episode comparison of atrial and ventricular fibrillation.

By the rules of EC57 (EC38:2007) as WFDB's `epicmp` reads them. There is no match window, no 50 %
rule, and neither beats nor noise marks matter: an episode is true if it shares one sample with
an episode of the other annotator.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from typing import Final, Literal, TypeAlias

from firmware_bridge.records import Annotations
from model_build.evaluate.ec57.beats import LEARNING_S
from model_build.evaluate.ec57.marks import check_order, in_samples
from model_build.evaluate.ec57.rates import EventRates, quotient

EpisodeKind: TypeAlias = Literal["af", "vf"]

FlutterRule: TypeAlias = Literal["ec57", "ec38-1998", "epicmp-x"]
"""What reference atrial flutter does to the positive predictivity of AF.

- `ec57`: it is time without AF like any other (EC57; EC38:2007).
- `ec38-1998`: it is taken out of the comparison.
- `epicmp-x`: it is taken out with the sign error of `epicmp -x`, which adds the part cut off the
  beginning of a test episode to its duration instead of subtracting it.
"""

Interval: TypeAlias = tuple[int, int]
"""First sample, and the sample at which it is over."""


@dataclass(frozen=True, slots=True)
class EpisodeRules:
    """What is compared.

    Attributes:
        learning_s: Start of the comparison (`epicmp -f`).
        until_s: Its end (`-t`); None: the end of the record; infinity: none (`-t 0`).
        shortest_s: Episodes shorter than this, within the comparison, are not counted (`-i`).
        short_overlap: Whether short episodes still tell one of the other annotator true
            (`-i`: yes, `-I`: no; there by their whole length).
        flutter: See `FlutterRule` (`-x`).
    """

    learning_s: float = LEARNING_S
    until_s: float | None = None
    shortest_s: float = 0.0
    short_overlap: bool = True
    flutter: FlutterRule = "ec57"

    @property
    def is_standard(self) -> bool:
        """Whether figures may be reported as EC57's."""
        return self == EpisodeRules()


STANDARD: Final = EpisodeRules()


@dataclass(frozen=True, slots=True)
class Coverage:
    """Summed durations in samples: of all counted episodes, and of what they share."""

    overlap: int
    duration: int

    @property
    def part(self) -> float | None:
        """Shared part, None where there is no duration."""
        return quotient(self.overlap, self.duration)


@dataclass(frozen=True, slots=True)
class EpisodeScore:
    """Episodes of one kind in one record.

    Attributes:
        kind: Which rhythm.
        episodes: Episodes found, missed, true and false.
        reference: Duration of the reference episodes and the part the test annotator marked.
        test: Duration of the test episodes and the part that is true.
        fs: Samples per second, Hz.
    """

    kind: EpisodeKind
    episodes: EventRates
    reference: Coverage
    test: Coverage
    fs: float

    def as_json(self) -> dict[str, object]:
        """Return counts, rates and durations in seconds, ready for `json`."""
        return {
            "kind": self.kind,
            "episodes": self.episodes.as_json(),
            "duration_se": self.reference.part,
            "duration_ppv": self.test.part,
            "reference_s": self.reference.duration / self.fs,
            "reference_overlap_s": self.reference.overlap / self.fs,
            "test_s": self.test.duration / self.fs,
            "test_overlap_s": self.test.overlap / self.fs,
        }


def _intervals(
    annotations: Annotations, edge: Callable[[str, str], bool | None], end: float
) -> list[Interval]:
    """Find the intervals of a rhythm.

    Args:
        annotations: One annotator's file.
        edge: Of an annotation's symbol and text: True if the rhythm goes on from here, False if
            it is over, None if the annotation says nothing about it.
        end: End of the comparison; an open interval lasts to it, or to the last annotation if
            that is later.
    """
    found: list[Interval] = []
    onset: int | None = None
    at = 0
    for at, symbol, text in zip(
        annotations.sample.tolist(), annotations.symbol, annotations.aux, strict=True
    ):
        state = edge(symbol, text)
        if state is True and onset is None:
            onset = at
        elif state is False and onset is not None:
            found.append((onset, at))
            onset = None
    if onset is not None:
        found.append((onset, max(at, int(end)) if end < inf else at))
    return found


def _rhythm_edge(name: str) -> Callable[[str, str], bool | None]:
    # A rhythm change without text says nothing; epicmp crashes on it.
    return lambda symbol, text: text.startswith(name) if symbol == "+" and text else None


def _fibrillation_edge(symbol: str, _text: str) -> bool | None:
    return {"[": True, "]": False}.get(symbol)


def _edge(kind: EpisodeKind) -> Callable[[str, str], bool | None]:
    return _rhythm_edge("(AFIB") if kind == "af" else _fibrillation_edge


def _without_flutter(
    episode: Interval, flutter: list[Interval], rule: FlutterRule
) -> tuple[Interval, int] | None:
    """Take flutter out of an episode; return what is left and its duration, or None."""
    start, end = episode
    duration = end - start
    for onset, over in flutter:
        if end <= onset:
            break
        if onset <= start <= over:
            if end <= over:
                return None
            duration -= (start - over) if rule == "epicmp-x" else (over - start)
            start = over
        elif start <= onset:
            if over < end:
                duration -= over - onset
            else:
                duration -= end - onset
                end = onset
    return (start, end), duration


@dataclass(frozen=True, slots=True)
class _Period:
    first: int
    end: float
    shortest: int
    flutter: list[Interval]
    rule: FlutterRule

    def counted(self, episodes: list[Interval]) -> list[tuple[Interval, int]]:
        """Cut episodes to the period and the rules; return what is left with its duration."""
        cut = [
            (max(onset, self.first), int(min(over, self.end)))
            for onset, over in episodes
            if over >= self.first and onset < self.end
        ]
        left = (_without_flutter(episode, self.flutter, self.rule) for episode in cut)
        return [one for one in left if one is not None and one[1] >= self.shortest]


def _compare(own: list[tuple[Interval, int]], other: list[Interval]) -> tuple[int, int, Coverage]:
    """Return the numbers of true and false own episodes, and how much of them is true."""
    overlaps = [
        sum(max(0, min(end, over) - max(start, onset)) for onset, over in other)
        for (start, end), _ in own
    ]
    true = sum(overlap > 0 for overlap in overlaps)
    duration = sum(duration for _, duration in own)
    return true, len(own) - true, Coverage(sum(overlaps), duration)


def _period_end(rules: EpisodeRules, fs: float, record_end: int | None) -> float:
    if rules.until_s is None:
        if record_end is None:
            raise ValueError("the length of the record is not known; say where to end")
        return record_end
    return inf if rules.until_s == inf else in_samples(rules.until_s, fs)


def compare_episodes(
    reference: Annotations,
    test: Annotations,
    fs: float,
    record_end: int | None,
    kind: EpisodeKind,
    rules: EpisodeRules = STANDARD,
) -> EpisodeScore:
    """Compare the episodes of two annotators.

    Args:
        reference: Reference annotations. AF are rhythm changes to `(AFIB`, VF is `[` to `]`.
        test: Test annotations on the same sample clock.
        fs: Samples per second of that clock, Hz.
        record_end: Length of the record in samples, None if not known.
        kind: Atrial or ventricular fibrillation.
        rules: What differs from the standard comparison.

    Returns:
        Counts and durations.

    Raises:
        ValueError: Annotations out of order, an end before the start, or no end known.
    """
    check_order(reference)
    check_order(test)
    first, end = in_samples(rules.learning_s, fs), _period_end(rules, fs, record_end)
    if end < first:
        raise ValueError(f"the comparison ends at {end / fs:g} s, before it starts")
    shortest = in_samples(rules.shortest_s, fs)
    expected = _intervals(reference, _edge(kind), end)
    found = _intervals(test, _edge(kind), end)
    flutter: list[Interval] = []
    if kind == "af" and rules.flutter != "ec57":
        flutter = _intervals(reference, _rhythm_edge("(AFL"), end)
        flutter = [(onset, over) for onset, over in flutter if over >= first and onset < end]

    def that_count(episodes: list[Interval]) -> list[Interval]:
        return [one for one in episodes if rules.short_overlap or one[1] - one[0] >= shortest]

    all_time = _Period(first, end, shortest, [], rules.flutter)
    tps, fn, of_reference = _compare(all_time.counted(expected), that_count(found))
    no_flutter = _Period(first, end, shortest, flutter, rules.flutter)
    tpp, fp, of_test = _compare(no_flutter.counted(found), that_count(expected))
    return EpisodeScore(kind, EventRates(tps, fn, tpp, fp), of_reference, of_test, fs)
