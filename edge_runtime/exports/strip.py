"""The ECG as a PDF on ECG paper: 25 mm/s and 10 mm/mV when it is printed at its true size."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import StoreError
from edge_runtime.events import AlarmRaised, BeatClassified
from edge_runtime.exports.pdf import A4_MM, PageDrawing, pdf
from edge_runtime.exports.recording import Recording
from edge_runtime.publication import utc_text

MM_PER_S: Final = 25.0
MM_PER_MV: Final = 10.0
LEFT_MM: Final = 23.5
TOP_MM: Final = 25.0
WIDTH_MM: Final = 250.0
ROW_MM: Final = 40.0
_ROWS: Final = 4
ROW_S: Final = WIDTH_MM / MM_PER_S
_MOST_PAGES: Final = 100
_PULSE_S: Final = 0.2
_MINOR: Final = (0.98, 0.87, 0.85)
_MAJOR: Final = (0.92, 0.70, 0.66)
_INK: Final = (0.05, 0.08, 0.1)
_ALARM: Final = (0.69, 0.0, 0.13)


def strip_pdf(recording: Recording, lead: int = 0) -> bytes:
    """One lead, ten seconds a row. Raises StoreError for more than 100 pages, or another unit."""
    if recording.signal.unit != "mV":
        raise StoreError(f"ECG paper is in mV, this signal in {recording.signal.unit}; export CSV")
    row = round(ROW_S * recording.rate_hz)
    n_rows = -(-recording.n_samples // row)
    if n_rows > _MOST_PAGES * _ROWS:
        raise StoreError(f"that is {n_rows // _ROWS} pages; choose by --from and --to")
    pages: list[PageDrawing] = []
    for number, (at, block) in enumerate(recording.blocks(row)):
        if number % _ROWS == 0:
            pages.append(_page(recording, lead, len(pages) + 1, -(-n_rows // _ROWS)))
        top = TOP_MM + number % _ROWS * (ROW_MM + 4)
        when = utc_text(recording.utc_ns(at))[11:19]
        paper_row(pages[-1], recording, at, block[:, lead], top, when)
    return pdf(f"ECG {recording.session}", pages)


def _page(recording: Recording, lead: int, number: int, n_pages: int) -> PageDrawing:
    page = PageDrawing()
    name = recording.signal.leads[lead]
    page.text(LEFT_MM, 12, 5, f"ECG, lead {name}", bold=True)
    whom = "" if recording.wearer is None else f"   wearer {recording.wearer}"
    about = f"session {recording.session}{whom}   25 mm/s   10 mm/mV   page {number} of {n_pages}"
    page.text(LEFT_MM, 18, 3.2, about)
    warning = "ecg-edge. Not a medical device, not for emergencies. Not reviewed by anybody."
    page.text(LEFT_MM, A4_MM[1] - 6, 3.2, warning)
    return page


def paper_row(
    page: PageDrawing,
    recording: Recording,
    at: int,
    values: NDArray[np.float32],
    top: float,
    when: str,
) -> None:
    """Ten seconds of paper from `top` (mm) down, with `values` (n,), in mV, from sample `at` on,
    which was taken at `when`."""
    _grid(page, top)
    rate_hz = float(recording.rate_hz)
    middle = top + ROW_MM / 2
    page.text(2, middle, 2.6, when)
    page.pen(_INK, 0.25)
    _pulse(page, middle)
    known = np.isfinite(values)
    baseline = float(np.median(values[known])) if known.any() else 0.0
    x = LEFT_MM + np.arange(len(values)) / rate_hz * MM_PER_S
    y = np.clip(middle - (values - baseline) * MM_PER_MV, top, top + ROW_MM)
    for begin, end in _runs(known):
        page.line(zip(x[begin:end].tolist(), y[begin:end].tolist(), strict=True))
    alarms = 0
    for one in recording.events:
        if not at <= one.event.at < at + len(values):
            continue
        place = LEFT_MM + (one.event.at - at) / rate_hz * MM_PER_S
        match event := one.event:
            case BeatClassified():
                page.text(place - 0.9, top - 0.7, 2.8, event.label.value)
            case AlarmRaised():
                page.pen(_ALARM, 0.4)
                page.line([(place, top), (place, top + ROW_MM)])
                # Several are often raised for one moment: their texts lie above each other.
                page.text(place + 1, top + ROW_MM - 1.5 - 4 * alarms, 3, event.text, bold=True)
                alarms += 1
                page.pen(_INK, 0.25)
            case _:
                pass


def _grid(page: PageDrawing, top: float) -> None:
    for colour, every, width in ((_MINOR, 1, 0.1), (_MAJOR, 5, 0.18)):
        page.pen(colour, width)
        for mm in range(0, int(WIDTH_MM) + 1, every):
            page.line([(LEFT_MM + mm, top), (LEFT_MM + mm, top + ROW_MM)])
        for mm in range(0, int(ROW_MM) + 1, every):
            page.line([(LEFT_MM, top + mm), (LEFT_MM + WIDTH_MM, top + mm)])


def _pulse(page: PageDrawing, middle: float) -> None:
    """The calibration pulse before the row: 1 mV, 0.2 s."""
    x, step = LEFT_MM - 7, _PULSE_S * MM_PER_S
    top = middle - MM_PER_MV
    points = [(x, middle), (x + 1, middle), (x + 1, top), (x + 1 + step, top)]
    page.line([*points, (x + 1 + step, middle), (x + 2 + step, middle)])


def _runs(known: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Begin and end of every run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
