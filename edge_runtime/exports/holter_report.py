"""The Holter summary to print: figures, hours, and the places worth a look on ECG paper."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from edge_runtime.errors import StoreError
from edge_runtime.exports.pdf import A4_MM, PageDrawing, pdf
from edge_runtime.exports.recording import Recording
from edge_runtime.exports.report_words import Language, say
from edge_runtime.exports.strip import LEFT_MM, ROW_MM, ROW_S, WIDTH_MM, paper_row
from edge_runtime.holter import Figures, Holter, Hour, Moment

Reader = Callable[[float, float], Recording]
"""Reads a stretch of the session, from and to in seconds. Raises StoreError: it is not kept."""

_TOP_MM: Final = 26.0
_TEXT_MM: Final = 3.6
_LINE_MM: Final = 6.0
_LINES: Final = 27
_STRIPS: Final = 3
_STRIP_MM: Final = 54.0
_PLOT_MM: Final = (92.0, 62.0)
"""Top and height of the plot of rates; that of ectopic beats lies below it."""
_ECTOPY_MM: Final = 28.0
_GREY: Final = (0.7, 0.7, 0.7)
_RATE: Final = (0.0, 0.37, 0.53)
_RANGE: Final = (0.68, 0.82, 0.88)
_V: Final = (0.7, 0.28, 0.0)
_S: Final = (0.34, 0.63, 0.8)
_COLUMNS: Final = (
    "time", "minutes", "beats", "low", "mean", "high", "ventricular", "supraventricular",
    "couplets", "runs", "pauses",
)  # fmt: skip
_COLUMN_MM: Final = (0, 44, 64, 84, 104, 124, 144, 170, 204, 224, 240)


def holter_pdf(found: Holter, read: Reader, language: Language = "en", lead: int = 0) -> bytes:
    """The document. `lead` is the one whose strips are shown, by number."""
    report = _Report(found, language)
    report.summary()
    report.hours()
    report.strips(read, lead)
    return pdf(f"Holter {found.session}", report.pages)


class _Report:
    def __init__(self, found: Holter, language: Language) -> None:
        self.pages: list[PageDrawing] = []
        self._found, self._language = found, language

    def _say(self, key: str, **filled: object) -> str:
        return say(self._language, key, **filled)

    def _page(self) -> PageDrawing:
        page = PageDrawing()
        self.pages.append(page)
        page.text(LEFT_MM, 12, 5, self._say("title"), bold=True)
        started = self._found.started[:16].replace("T", " ")
        about = self._say(
            "about",
            session=self._found.session,
            source=self._found.source,
            started=started,
            page=len(self.pages),
        )
        page.text(LEFT_MM, 18, 3.2, about)
        page.text(LEFT_MM, A4_MM[1] - 6, 3.2, self._say("warning"))
        return page

    def summary(self) -> None:
        """Figures of the whole, and a plot by the hour."""
        page = self._page()
        for number, (name, value) in enumerate(_figures(self._found.figures, self._say)):
            y = _TOP_MM + 3 + number * _LINE_MM
            page.text(LEFT_MM, y, _TEXT_MM, name)
            page.text(LEFT_MM + 48, y, _TEXT_MM, value, bold=True)
        hours = [hour for day in self._found.days for hour in day.hours]
        page.text(LEFT_MM, _PLOT_MM[0] - 6, _TEXT_MM, self._say("plot"))
        if hours:
            _plot(page, hours)

    def hours(self) -> None:
        """A row for each hour and day."""
        rows = []
        for day in self._found.days:
            rows += [(hour.time[:16].replace("T", " "), hour.figures) for hour in day.hours]
            rows.append((f"{day.date} {self._say('day')}", day.figures))
        for at in range(0, len(rows), _LINES):
            page = self._page()
            for column, key in zip(_COLUMN_MM, _COLUMNS, strict=True):
                page.text(LEFT_MM + column, _TOP_MM, 3.2, self._say(key), bold=True)
            for number, (when, figures) in enumerate(rows[at : at + _LINES], start=1):
                y = _TOP_MM + number * _LINE_MM
                for column, cell in zip(_COLUMN_MM, (when, *_cells(figures)), strict=True):
                    page.text(LEFT_MM + column, y, 3.2, cell)

    def strips(self, read: Reader, lead: int) -> None:
        """Ten seconds of each place that is worth a look."""
        for number, moment in enumerate(self._found.moments):
            if number % _STRIPS == 0:
                page = self._page()
            top = _TOP_MM + 8 + number % _STRIPS * _STRIP_MM
            when = moment.time[:19].replace("T", " ")
            what = self._say(moment.kind, v=f"{moment.value:g}")
            page.text(LEFT_MM, top - 5, _TEXT_MM, f"{when}   {what}", bold=True)
            if not self._strip(page, read, lead, moment, top):
                page.text(LEFT_MM, top + 6, _TEXT_MM, self._say("no_signal"))

    def _strip(
        self, page: PageDrawing, read: Reader, lead: int, moment: Moment, top: float
    ) -> bool:
        try:
            recording = read(moment.from_s, moment.from_s + ROW_S)
        except StoreError:
            return False
        if recording.signal.unit != "mV":
            return False
        at, block = next(recording.blocks(recording.n_samples))
        zone = datetime.fromisoformat(self._found.started).tzinfo
        taken = datetime.fromtimestamp(recording.utc_ns(at) / 1e9, zone)
        paper_row(page, recording, at, block[:, lead], top, taken.strftime("%H:%M:%S"))
        name = self._say("strips", lead=recording.signal.leads[lead])
        page.text(LEFT_MM, top + ROW_MM + 3.5, 2.6, name)
        return True


def _figures(one: Figures, say_: Callable[..., str]) -> list[tuple[str, str]]:
    """Names and values of the whole."""
    if one.af_s is None:
        fibrillation = say_("af_unknown")
    else:
        burden = None if one.af_burden is None else 100 * one.af_burden
        fibrillation = say_("af_value", m=f"{one.af_s / 60:.1f}", p=_number(burden, 1))
    return [
        (
            say_("analysed"),
            say_("analysed_value", h=f"{one.analysed_s / 3600:.2f}", l=f"{one.lost_s / 3600:.2f}"),
        ),
        (
            say_("rate"),
            say_(
                "rate_value",
                low=_number(one.lowest_bpm),
                mean=_number(one.mean_bpm),
                high=_number(one.highest_bpm),
            ),
        ),
        (say_("beats"), str(one.beats)),
        (
            f"{say_('ventricular')} (V)",
            say_(
                "ectopy_value",
                n=one.ventricular,
                r=_number(one.ventricular_per_h, 1),
                c=one.ventricular_couplets,
                u=one.ventricular_runs,
            ),
        ),
        (
            f"{say_('supraventricular')} (S)",
            say_(
                "ectopy_value",
                n=one.supraventricular,
                r=_number(one.supraventricular_per_h, 1),
                c=one.supraventricular_couplets,
                u=one.supraventricular_runs,
            ),
        ),
        (say_("pauses"), say_("pauses_value", n=one.pauses, s=_number(one.longest_rr_s, 2))),
        (say_("af"), fibrillation),
        (
            say_("variability"),
            f"SDNN {_number(one.sdnn_ms)} ms, RMSSD {_number(one.rmssd_ms)} ms",
        ),
    ]


def _cells(one: Figures) -> tuple[str, ...]:
    return (
        f"{one.analysed_s / 60:.0f}",
        str(one.beats),
        _number(one.lowest_bpm),
        _number(one.mean_bpm),
        _number(one.highest_bpm),
        str(one.ventricular),
        str(one.supraventricular),
        str(one.ventricular_couplets + one.supraventricular_couplets),
        str(one.ventricular_runs + one.supraventricular_runs),
        str(one.pauses),
    )


def _plot(page: PageDrawing, hours: list[Hour]) -> None:
    top, height = _PLOT_MM
    highest = max([120.0, *(hour.figures.highest_bpm or 0 for hour in hours)])
    slot = WIDTH_MM / len(hours)
    bar = min(10.0, slot * 0.7)

    def y(bpm: float) -> float:
        return top + height * (1 - (bpm - 20) / (highest - 20))

    page.pen(_GREY, 0.15)
    for bpm in range(40, int(highest) + 1, 40):
        page.line([(LEFT_MM, y(bpm)), (LEFT_MM + WIDTH_MM, y(bpm))])
        page.text(LEFT_MM - 8, y(bpm) + 1, 2.8, str(bpm))
    base = top + height + 4 + _ECTOPY_MM
    page.line([(LEFT_MM, base), (LEFT_MM + WIDTH_MM, base)])
    page.text(LEFT_MM - 8, base, 2.8, "V, S")
    most = max([10, *(hour.figures.ventricular + hour.figures.supraventricular for hour in hours)])
    page.text(LEFT_MM - 8, base - _ECTOPY_MM + 2, 2.8, str(most))
    every = max(1, -(-len(hours) // 24))
    for number, hour in enumerate(hours):
        one, x = hour.figures, LEFT_MM + (number + 0.5) * slot
        if one.lowest_bpm is not None and one.highest_bpm is not None:
            span = y(one.lowest_bpm) - y(one.highest_bpm)
            page.bar(x - bar / 2, y(one.highest_bpm), bar, max(0.3, span), _RANGE)
        if one.mean_bpm is not None:
            page.bar(x - bar / 2, y(one.mean_bpm) - 0.4, bar, 0.8, _RATE)
        v, s = (n / most * _ECTOPY_MM for n in (one.ventricular, one.supraventricular))
        page.bar(x - bar / 2, base - v, bar, v, _V)
        page.bar(x - bar / 2, base - v - s, bar, s, _S)
        if number % every == 0:
            label = datetime.fromisoformat(hour.time).strftime("%H:%M")
            page.text(x - 3, base + 4, 2.8, label)


def _number(value: float | None, digits: int = 0) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
