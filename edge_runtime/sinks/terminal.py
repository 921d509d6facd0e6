"""The live terminal view (rich). It informs; it does not replace a monitor."""

from collections.abc import Sequence
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.layout import Layout
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from edge_runtime.sinks.braille import curve
from edge_runtime.sinks.live import STRIP_S, Picture, ShownAlarm, ShownBeat

_GREY_AFTER_S: Final = 5.0
_NOT_MONITORING_AFTER_S: Final = 10.0
_STRIP_ROWS: Final = 8
_WIDE_COLUMNS: Final = 110
"""From here on there is room to spell out the classes."""
_CLASS_STYLES: Final = {
    "N": "green",
    "S": "bold yellow",
    "V": "bold red",
    "F": "bold magenta",
    "Q": "dim",
}
_CLASS_NAMES: Final = {
    "N": "normal",
    "S": "supraventricular",
    "V": "ventricular",
    "F": "fusion",
    "Q": "unclassified",
}
_PRIORITY_STYLES: Final = {
    "high": "bold white on red",
    "medium": "bold black on yellow",
    "low": "black on cyan",
}
_QUALITY_STYLES: Final = {"good": "green", "usable": "yellow"}
DISCLAIMER: Final = "Not a medical device. Not for emergencies."


def draw(picture: Picture, banner: Sequence[str], now_s: float, console: Console) -> RenderableType:
    """The whole screen. `banner` says what is being played when it is not a patient."""
    if picture.opened is None:
        return Panel(
            Text("\n".join(picture.messages) or "waiting for the sensor ..."),
            title="ecg-edge",
            subtitle=DISCLAIMER,
        )
    age_s = None if picture.last_arrival_s is None else now_s - picture.last_arrival_s
    layout = Layout()
    head = [Text(line, style="bold black on bright_white") for line in banner]
    silent = _silence_banner(picture, age_s)
    layout.split_column(
        Layout(Group(*head, *silent), name="head", size=max(1, len(head) + len(silent))),
        Layout(_strip_panel(picture, console.width - 4), name="strip", size=_STRIP_ROWS + 4),
        Layout(name="middle", ratio=1),
        Layout(Text(DISCLAIMER + "  Ctrl-C ends.", style="dim"), name="foot", size=1),
    )
    named = console.width >= _WIDE_COLUMNS
    layout["middle"].split_row(
        Layout(_vitals_panel(picture, age_s), size=28),
        Layout(_beats_panel(picture, named=named), size=44 if named else 28),
        Layout(_alarms_panel(picture)),
    )
    return layout


def _silence_banner(picture: Picture, age_s: float | None) -> list[Text]:
    if age_s is None or age_s < _NOT_MONITORING_AFTER_S:
        return []
    why = f": {picture.link_reason}" if not picture.link_up and picture.link_reason else ""
    text = f" NOT MONITORING for {age_s:.0f} s{why} "
    return [Text(text, style="bold white on red", justify="center")]


def _strip_panel(picture: Picture, columns: int) -> Panel:
    lines = curve(picture.strip, columns, _STRIP_ROWS)
    labels = _label_line(picture, columns)
    body = Group(labels, *(Text(line, style="bright_green", no_wrap=True) for line in lines))
    return Panel(body, title=f"lead {picture.lead}, last {STRIP_S:.0f} s", title_align="left")


def _label_line(picture: Picture, columns: int) -> Text:
    assert picture.opened is not None
    line = Text(" " * columns)
    start = picture.strip_end - len(picture.strip)
    for beat in picture.beats:
        position = int((beat.at - start) / max(1, len(picture.strip)) * columns)
        if 0 <= position < columns:
            mark = beat.label or "·"
            before, after = line[:position], line[position + 1 :]
            line = before + Text(mark, style=_CLASS_STYLES.get(mark, "")) + after
    return line


def _vitals_panel(picture: Picture, age_s: float | None) -> Panel:
    stale = age_s is None or age_s > _GREY_AFTER_S
    rate = "--" if picture.heart_rate_bpm is None else f"{picture.heart_rate_bpm:.0f}"
    table = Table.grid(padding=(0, 1))
    age = f"  ({age_s:.0f} s old)" if stale and age_s is not None else ""
    style = "dim" if stale else "bold bright_green"
    table.add_row("heart rate", Text(f"{rate} /min{age}", style=style))
    quality = picture.quality + (f", {picture.quality_reason}" if picture.quality_reason else "")
    table.add_row("signal", Text(quality, style=_QUALITY_STYLES.get(picture.quality, "bold red")))
    if picture.beats and all(beat.learning or beat.label is None for beat in picture.beats):
        table.add_row("classes", Text("learning", style="dim"))
    assert picture.opened is not None
    reference = picture.opened.reference
    table.add_row("sensor", picture.opened.model)
    table.add_row("rate", f"{float(reference.rate_hz):g} Hz")
    link = Text("up", style="green") if picture.link_up else Text(picture.link_reason, "bold red")
    table.add_row("link", link)
    if picture.battery_percent is not None:
        table.add_row("battery", f"{picture.battery_percent:.0f} %")
    return Panel(table, title="now", title_align="left")


def _beats_panel(picture: Picture, *, named: bool) -> Panel:
    assert picture.opened is not None
    rate = float(picture.opened.reference.rate_hz)
    table = Table(box=None, padding=(0, 1), show_header=True, header_style="dim")
    for name in ("at", "RR", "class", "score"):
        table.add_column(name, justify="right" if name != "class" else "left")
    classified = [beat for beat in picture.beats if beat.label is not None]
    for beat in reversed(classified[-10:]):
        table.add_row(*_beat_row(beat, rate, named=named))
    return Panel(table, title="last beats", title_align="left")


def _beat_row(beat: ShownBeat, rate_hz: float, *, named: bool) -> tuple[Text | str, ...]:
    label = beat.label or ""
    minutes, seconds = divmod(beat.at / rate_hz, 60)
    rr = "" if beat.rr_s is None else f"{beat.rr_s * 1000:.0f} ms"
    score = "" if beat.score is None else f"{beat.score:.2f}"
    meaning = "learning" if beat.learning else _CLASS_NAMES.get(label, "")
    words = f"{label} {meaning}" if named else label
    name = Text(words, style=_CLASS_STYLES.get(label, ""))
    return f"{minutes:.0f}:{seconds:04.1f}", rr, name, score


def _alarms_panel(picture: Picture) -> Panel:
    rows: list[Text] = []
    for shown in reversed(picture.alarms):
        rows += _alarm_rows(shown)
    messages = [Text(f"· {message}", style="dim") for message in picture.messages]
    body = Group(*(rows or [Text("no alarms", style="green")]), Text(), *messages)
    return Panel(body, title="alarms", title_align="left")


def _alarm_rows(shown: ShownAlarm) -> list[Text]:
    priority = shown.alarm.priority.value
    style = _PRIORITY_STYLES[priority] if shown.active else "dim"
    state = "" if shown.active else "  (over)"
    title = Text(f" {priority.upper()}  {shown.alarm.text}{state} ", style=style)
    why = Text(f"   {shown.time[11:19]} UTC  {shown.alarm.explanation.sentence}", style="dim")
    return [title, why]
