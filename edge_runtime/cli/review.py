"""`edge-runtime review`: what a person makes of alarms and beats."""

import json
import time
from contextlib import closing
from pathlib import Path

import click
import msgspec

from edge_runtime import config
from edge_runtime.audit import Audit, this_user
from edge_runtime.cli.asking import ask_where_in_use
from edge_runtime.cli.failing import exit_status
from edge_runtime.cli.options import config_option, json_option, set_option
from edge_runtime.errors import StoreInUseError
from edge_runtime.publication import utc_text
from edge_runtime.store.reading import read_only
from edge_runtime.store.reviews import Review, Subject, Verdict, reviews_of
from edge_runtime.store.store import idle_store
from firmware_bridge.errors import UsageError


@click.command("review")
@click.argument("session")
@click.argument("verdict", type=click.Choice([one.value for one in Verdict]), required=False)
@click.option("--alarm", type=click.IntRange(1), help="The alarm's number in the session.")
@click.option("--beat", type=click.IntRange(0), help="Where the beat is, as its sample index.")
@click.option(
    "--as", "label", metavar="LABEL", help="What it is instead: N, S, V, F, Q, or for alarms words."
)
@click.option("--comment", default="", help="Why, in up to 500 characters.")
@config_option
@set_option
@json_option
def command(
    session: str,
    verdict: str | None,
    alarm: int | None,
    beat: int | None,
    label: str | None,
    comment: str,
    file: Path | None,
    settings: tuple[str, ...],
    as_json: bool,
) -> None:
    """Say that an alarm or a beat of SESSION is right, false, or something else.

    \b
        edge-runtime review SESSION false --alarm 3 --comment "electrode touched"
        edge-runtime review SESSION reclassified --beat 48210 --as V

    Without a VERDICT: list what was said so far. The alarm or beat itself stays as it was.
    """
    with exit_status():
        loaded, _ = config.load(file, settings)
        directory = loaded.store.directory
        if verdict is None:
            with closing(read_only(directory)) as connection:
                found = list(reviews_of(connection, session))
        else:
            found = [_add(directory, _review(session, verdict, alarm, beat, label, comment))]
    if as_json:
        click.echo(json.dumps({"reviews": msgspec.to_builtins(found)}))
        return
    for one in found:
        instead = f" as {one.label}" if one.label else ""
        when = utc_text(one.utc_ms * 1_000_000)
        click.echo(
            f"{when} {one.subject} {one.target}: {one.verdict}{instead} by {one.by} {one.comment}"
        )


def _review(
    session: str,
    verdict: str,
    alarm: int | None,
    beat: int | None,
    label: str | None,
    comment: str,
) -> Review:
    target = beat if alarm is None else alarm
    if target is None or (alarm is not None and beat is not None):
        raise UsageError("give --alarm or --beat, one of the two")
    try:
        return Review(
            session=session,
            subject=Subject.BEAT if alarm is None else Subject.ALARM,
            target=target,
            verdict=Verdict(verdict),
            label=label,
            comment=comment,
            by=this_user(),
            utc_ms=time.time_ns() // 1_000_000,
        )
    except ValueError as error:
        raise UsageError(str(error)) from error


def _add(directory: Path, review: Review) -> Review:
    try:
        with idle_store(directory) as store:
            store.review(review)
    except StoreInUseError as in_use:
        order = {
            "session": review.session,
            "verdict": review.verdict.value,
            review.subject.value: review.target,
            "label": review.label,
            "comment": review.comment,
        }
        answer = ask_where_in_use(in_use, directory, "POST", "/reviews", order)
        return msgspec.convert(answer, Review)
    about = {review.subject.value: review.target}
    Audit(directory).record(review.by, "review", session=review.session, **about)
    return review
