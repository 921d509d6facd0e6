"""`edge-runtime holter`: what a session's beats come to."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, tzinfo
from pathlib import Path

import click
import msgspec

from edge_runtime import config
from edge_runtime.audit import Audit, this_user
from edge_runtime.cli.failing import exit_status, reader_may_leave
from edge_runtime.cli.options import config_option, json_option, set_option
from edge_runtime.holter import Figures, Holter, Moment
from edge_runtime.store.holter_reading import stored_holter
from edge_runtime.store.reading import read_only, session_row

_HEAD = (
    f"{'':<18} {'analysed':>9} {'beats':>6}  {'low':>5} {'mean':>5} {'high':>5} {'V':>6}{'S':>6}"
    f"{'couplets':>9}{'runs':>6}{'pauses':>7}"
)


@click.command("holter")
@click.argument("session")
@click.option("--utc", is_flag=True, help="Days and hours of UTC, not of this machine's time zone.")
@config_option
@set_option
@json_option
def command(
    session: str, utc: bool, file: Path | None, settings: tuple[str, ...], as_json: bool
) -> None:
    """Summarize SESSION: time analysed and lost, rates, ectopy, pauses, AF, variability.

    By session, day and hour, with the places that are worth a look; what a number is made of says
    docs/store.md. Nobody has reviewed it. A running session is told as far as it has come.
    """
    with exit_status():
        loaded, _ = config.load(file, settings)
        directory = loaded.store.directory
        with closing(read_only(directory)) as connection:
            row = session_row(connection, session)
            zone = UTC if utc else _zone_then(row.started_utc_ns)
            found = stored_holter(connection, session, zone)
        Audit(directory).record(this_user(), "view", session=session)
    with reader_may_leave():
        if as_json:
            click.echo(msgspec.json.encode(found))
            return
        for line in _lines(found):
            click.echo(line)


def _zone_then(utc_ns: int) -> tzinfo:
    """This machine's, as it was when the session began: no day of it has 23 or 25 hours."""
    zone = datetime.fromtimestamp(utc_ns / 1e9, UTC).astimezone().tzinfo
    assert zone is not None
    return zone


def _lines(found: Holter) -> Iterator[str]:
    yield f"{found.session} of {found.source}, from {found.started}"
    yield from _figure_lines(found.figures)
    yield ""
    yield _HEAD
    for day in found.days:
        for hour in day.hours:
            yield _row(hour.time[:16].replace("T", " "), hour.figures)
        yield _row(f"{day.date} all", day.figures)
    if found.moments:
        yield ""
        yield "worth a look (edge-runtime export SESSION FILE --format pdf --from S --to S)"
    for moment in found.moments:
        yield _moment(moment)


def _figure_lines(one: Figures) -> Iterator[str]:
    yield f"  analysed  {one.analysed_s / 3600:.2f} h, lost {one.lost_s / 3600:.2f} h"
    yield (
        f"  rate      {_number(one.lowest_bpm)} to {_number(one.highest_bpm)}/min, "
        f"mean {_number(one.mean_bpm)}/min, {one.beats} beats"
    )
    yield (
        f"  V         {one.ventricular} ({_number(one.ventricular_per_h, 1)}/h), "
        f"{one.ventricular_couplets} couplets, {one.ventricular_runs} runs"
    )
    yield (
        f"  S         {one.supraventricular} ({_number(one.supraventricular_per_h, 1)}/h), "
        f"{one.supraventricular_couplets} couplets, {one.supraventricular_runs} runs"
    )
    yield f"  pauses    {one.pauses} above 2 s, longest RR {_number(one.longest_rr_s, 2)} s"
    if one.af_s is None:
        yield "  AF        not looked for"
    else:
        yield f"  AF        {one.af_s / 60:.1f} min, {_number(one.af_burden, 1, 100)} % of the time"
    yield f"  HRV       SDNN {_number(one.sdnn_ms)} ms, RMSSD {_number(one.rmssd_ms)} ms"


def _row(when: str, one: Figures) -> str:
    rates = " ".join(
        f"{_number(bpm):>5}" for bpm in (one.lowest_bpm, one.mean_bpm, one.highest_bpm)
    )
    return (
        f"{when:<18} {one.analysed_s / 60:5.1f} min {one.beats:6}  {rates} {one.ventricular:6}"
        f"{one.supraventricular:6}{one.ventricular_couplets:9}{one.ventricular_runs:6}"
        f"{one.pauses:7}"
    )


def _moment(one: Moment) -> str:
    return (
        f"  {one.kind:<36} {one.value:8.2f}  {one.time[:19]}  --from {one.from_s} --to {one.to_s}"
    )


def _number(value: float | None, digits: int = 0, times: float = 1) -> str:
    return "-" if value is None else f"{value * times:.{digits}f}"
