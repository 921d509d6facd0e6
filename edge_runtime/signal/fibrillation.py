"""Does the last stretch of one lead look like ventricular fibrillation or flutter?

Published measures on the conditioned, ungated signal, over windows of 4 s, once a second:

- the VF filter leakage: fibrillation is close to a sine, so the signal and itself half a mean
  period later cancel (Kuo and Dillman, Computers in Cardiology 1978);
- the band-pass counts: in the band of 13 to 16.5 Hz a QRS stands out of a quiet trace, while
  fibrillation is of one height (Jekova and Krasteva, Physiol Meas 2004;25:1167, whose integer
  filter is used here; count 2, and the share above the mean deviation);
- the share of samples above a fifth of the largest excursion (Arafat, Chowdhury and Hasan, TCSC,
  Signal Image Video Process 2011;5:1; one window instead of three);
- the share of power from 2 to 8 Hz (Barro et al., J Biomed Eng 1989;11:320).

All must agree. The limits were chosen on training sources alone (`model_build.alarms.choosing`
repeats the choice); record cu01 has only tested them.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.signal.kernels import sosfilt
from edge_runtime.signal.spec import CONTRACT_RATE_HZ

WINDOW_S: Final = 4
WINDOW: Final = WINDOW_S * CONTRACT_RATE_HZ
HOP: Final = CONTRACT_RATE_HZ

_BAND_PASS: Final = np.array([[0.5 / 8, 0.0, -0.5 / 8, 1.0, -14 / 8, 7 / 8]])
_LONGEST_BRIDGE: Final = CONTRACT_RATE_HZ
"""A lost packet is bridged at the baseline: a lossy link must not hide fibrillation."""
_MOST_BRIDGED: Final = WINDOW // 4
_THRESHOLD: Final = 0.2
_BAND_HZ: Final = (2.0, 8.0)
_ALL_HZ: Final = (0.7, 40.0)


@dataclass(frozen=True, slots=True)
class Limits:
    """What all windows of fibrillation meet. Shares from 0 to 1, the height in mV."""

    most_leakage: float = 0.60
    least_count2: float = 0.37
    least_deviating: float = 0.45
    least_above_fifth: float = 0.55
    least_concentration: float = 0.40
    least_height_mv: float = 0.15


@dataclass(frozen=True, slots=True)
class Measures:
    """The measures of one window."""

    leakage: float
    count2: float
    deviating: float
    above_fifth: float
    concentration: float
    height_mv: float

    def fibrillatory(self, limits: Limits) -> bool:
        """All limits are met."""
        return (
            self.leakage <= limits.most_leakage
            and self.count2 >= limits.least_count2
            and self.deviating >= limits.least_deviating
            and self.above_fifth >= limits.least_above_fifth
            and self.concentration >= limits.least_concentration
            and self.height_mv >= limits.least_height_mv
        )


@dataclass(frozen=True, slots=True)
class Judgement:
    """The window that ends before contract index `end`; `measures` where it is fibrillatory."""

    end: int
    measures: Measures | None


class FibrillationMeter:
    """Windows of one lead at the contract rate. Windows end at whole seconds of the index."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._waiting: list[NDArray[np.float64]] = []  # since the last whole second
        self._begin(0)

    def start(self, at: int) -> None:
        """The next sample has contract index `at`: bridge what is missing, or begin anew."""
        missing = at - self._end
        if not 0 <= missing <= _LONGEST_BRIDGE or self._end == self._began:
            self._begin(at)
            return
        while missing:
            n = min(missing, self._to_hop())
            self._bridged[-1] += n
            self._take(np.zeros(n))
            missing -= n

    def process(self, x: NDArray[np.float64]) -> list[Judgement]:
        """The next conditioned samples (n,) in mV; the windows they complete, in order."""
        out: list[Judgement] = []
        while len(x):
            n = min(len(x), self._to_hop())
            self._take(x[:n])
            x = x[n:]
            if not self._waiting and len(self._signal) == WINDOW:
                out.append(self._judge())
        return out

    def snapshot(self) -> dict[str, Any]:
        """Everything `restore` needs."""
        return {
            "place": [self._began, self._end],
            "signal": self._signal.copy(),
            "band": self._band.copy(),
            "waiting": self._waited(),
            "bridged": list(self._bridged),
            "zi": self._zi.copy(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where `snapshot` was taken."""
        self._began, self._end = map(int, state["place"])
        self._signal = np.array(state["signal"], np.float64)
        self._band = np.array(state["band"], np.float64)
        waiting = np.array(state["waiting"], np.float64)
        self._waiting = [waiting] if len(waiting) else []
        self._bridged = list(state["bridged"])
        self._zi = np.array(state["zi"], np.float64)

    def _begin(self, at: int) -> None:
        self._began, self._end = at, at
        self._signal = np.zeros(0)
        self._band = np.zeros(0)
        self._waiting = []
        self._bridged = [0]  # samples of each second of the window that never came
        self._zi = np.zeros((1, 1, 2))

    def _to_hop(self) -> int:
        return HOP - self._end % HOP

    def _take(self, x: NDArray[np.float64]) -> None:
        """At most up to the next whole second, where the work is done at once."""
        self._waiting.append(x)
        self._end += len(x)
        if self._end % HOP:
            return
        x = self._waited()
        y, self._zi = sosfilt(_BAND_PASS.copy(), x[None, :], self._zi)
        self._waiting = []
        self._signal = np.concatenate([self._signal, x])[-WINDOW:]
        self._band = np.concatenate([self._band, np.abs(y[0])])[-WINDOW:]
        self._bridged = [*self._bridged[-WINDOW_S:], 0]

    def _waited(self) -> NDArray[np.float64]:
        return np.concatenate([np.zeros(0), *self._waiting])

    def _judge(self) -> Judgement:
        if sum(self._bridged) > _MOST_BRIDGED or not self._worth_measuring():
            return Judgement(self._end, None)
        measures = measure(self._signal, self._band)
        return Judgement(self._end, measures if measures.fibrillatory(self._limits) else None)

    def _worth_measuring(self) -> bool:
        """The cheapest measure alone excludes nearly every window of a beating heart."""
        return _share_deviating(self._band) >= self._limits.least_deviating


def band_pass(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The absolute output (n,) of the integer filter over a whole signal (n,)."""
    y, _ = sosfilt(_BAND_PASS.copy(), np.ascontiguousarray(x[None, :]), np.zeros((1, 1, 2)))
    band: NDArray[np.float64] = np.abs(y[0])
    return band


def measure(x: NDArray[np.float64], band: NDArray[np.float64]) -> Measures:
    """All measures of a window: conditioned signal and band-pass output, each (WINDOW,)."""
    centred = x - x.mean()
    low, high = np.percentile(centred, (2.5, 97.5))
    return Measures(
        leakage=_leakage(centred),
        count2=float(np.mean(band >= band.mean())),
        deviating=_share_deviating(band),
        above_fifth=float(np.mean(np.abs(centred) > _THRESHOLD * np.abs(centred).max())),
        concentration=_concentration(centred),
        height_mv=float(high - low),
    )


def _share_deviating(band: NDArray[np.float64]) -> float:
    # Sums and counts as `mean` makes them, without its detour: this is asked every second.
    n = len(band)
    deviation = np.add.reduce(np.abs(band - np.add.reduce(band) / n)) / n
    return int(np.count_nonzero(band >= deviation)) / n


def _leakage(x: NDArray[np.float64]) -> float:
    steps = float(np.abs(np.diff(x)).sum())
    if steps == 0.0:
        return 1.0
    half = int(np.pi * float(np.abs(x).sum()) / steps + 0.5)
    half = max(1, min(half, len(x) // 2))
    now, before = x[half:], x[:-half]
    whole = float(np.abs(now).sum() + np.abs(before).sum())
    return float(np.abs(now + before).sum()) / whole if whole else 1.0


def _concentration(x: NDArray[np.float64]) -> float:
    power = np.abs(np.fft.rfft(x * np.hanning(len(x)))) ** 2
    hz = np.fft.rfftfreq(len(x), 1 / CONTRACT_RATE_HZ)
    whole = float(power[(hz >= _ALL_HZ[0]) & (hz <= _ALL_HZ[1])].sum())
    band = float(power[(hz >= _BAND_HZ[0]) & (hz <= _BAND_HZ[1])].sum())
    return band / whole if whole else 0.0
