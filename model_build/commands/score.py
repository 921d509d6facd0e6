"""`model-build score`: a test annotator against the reference, by EC57."""

from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import click

if TYPE_CHECKING:
    from model_build.evaluate.ec57.episodes import EpisodeRules, FlutterRule
    from model_build.evaluate.ec57.scoring import Format, Options

_DIRECTORY: Final = click.Path(exists=True, file_okay=False, path_type=Path)
_FORMATS: Final = ("bxb", "shutdown", "matrix", "condensed", "rxr", "epicmp", "json")
_KINDS: Final = {"rxr": ("ventricular", "supraventricular"), "epicmp": ("af", "vf")}


class _Time(click.ParamType[float]):
    """Seconds, or minutes and hours as WFDB writes them: 300, 5:00, 1:00:00."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, float):
            return value
        seconds = 0.0
        try:
            for part in str(value).split(":"):
                seconds = 60.0 * seconds + float(part)
        except ValueError:
            seconds = -1.0
        if not 0.0 <= seconds < float("inf"):
            self.fail(f"{value!r} is no time; write seconds or [hours:]minutes:seconds", param, ctx)
        return seconds


_TIME: Final = _Time()


@click.command("score")
@click.option(
    "--reference",
    required=True,
    multiple=True,
    type=_DIRECTORY,
    help="Folder of reference annotations and headers; may be given more than once.",
)
@click.option("--test", required=True, type=_DIRECTORY, help="Folder of test annotations.")
@click.option("--annotator", required=True, help="Ending of the test annotation files.")
@click.option(
    "--reference-annotator",
    default="atr",
    show_default=True,
    help="Ending of the reference annotation files.",
)
@click.option("--records", help="Names with commas between; without: all the annotator has.")
@click.option(
    "--format",
    "form",
    type=click.Choice(_FORMATS),
    default="bxb",
    show_default=True,
    help="bxb, shutdown: the line reports of bxb -L; matrix: -S; condensed: -C.",
)
@click.option(
    "--escapes",
    type=click.Choice(("n", "s")),
    help="Escape beats (e, j, n) as N or S. Text: s if not given, as the tools; JSON: both.",
)
@click.option("--without-sveb", is_flag=True, help="bxb -l, -s and -c: count S as N.")
@click.option(
    "--only",
    type=click.Choice([*_KINDS["rxr"], *_KINDS["epicmp"]]),
    help="One kind of run (rxr) or episode (epicmp).",
)
@click.option("--long", "long_form", is_flag=True, help="epicmp without -L.")
@click.option("--summary", is_flag=True, help="Append gross and average figures, as sumstats.")
@click.option(
    "-f",
    "--learning-s",
    type=_TIME,
    default=300.0,
    show_default="5:00",
    help="Start of the comparison.",
)
@click.option("-t", "--until", type=_TIME, help="epicmp: its end; 0: none.")
@click.option("-i", "--shortest", type=_TIME, help="epicmp: leave out shorter episodes.")
@click.option("-I", "--shortest-of-all", type=_TIME, help="epicmp: as -i, also as counterparts.")
@click.option(
    "-x", "--exclude-flutter", is_flag=True, help="epicmp: leave out reference flutter for AF +P."
)
@click.option(
    "--compat",
    type=click.Choice(("epicmp-x-sign",)),
    help="With -x: repeat the sign error of epicmp -x in test durations.",
)
def command(
    reference: tuple[Path, ...],
    test: Path,
    annotator: str,
    reference_annotator: str,
    records: str | None,
    form: "Format",
    escapes: Literal["n", "s"] | None,
    without_sveb: bool,
    only: "Literal['ventricular', 'supraventricular', 'af', 'vf'] | None",
    long_form: bool,
    summary: bool,
    learning_s: float,
    until: float | None,
    shortest: float | None,
    shortest_of_all: float | None,
    exclude_flutter: bool,
    compat: str | None,
) -> None:
    """Compare a test annotator with the reference by EC57 (bxb, rxr, epicmp, sumstats).

    The report goes to standard output, byte for byte that of the WFDB tool; which class table was
    used is said on standard error (and within JSON).
    """
    # Slow to import, and not needed for --help.
    from model_build.evaluate.ec57.scoring import (  # noqa: PLC0415
        Annotators,
        Options,
        find_records,
        load_case,
        score_text,
    )

    if only is not None and only not in _KINDS.get(form, ()):
        raise click.UsageError(f"--only {only} does not go with --format {form}")
    of_episodes = (until, shortest, shortest_of_all, compat, exclude_flutter or None)
    if form not in ("epicmp", "json") and of_episodes != (None,) * 5:
        raise click.UsageError("-t, -i, -I, -x and --compat are options of epicmp")
    options = Options(
        format=form,
        escapes=escapes,
        with_s=not without_sveb,
        only=only,
        long=long_form,
        summary=summary,
        episodes=_episode_rules(
            learning_s, until, shortest, shortest_of_all, _flutter(exclude_flutter, compat)
        ),
    )
    _check(options)
    names = Annotators(reference_annotator, annotator)
    chosen = records.split(",") if records else find_records(test, annotator)
    cases = [load_case(reference, test, record.strip(), names) for record in chosen]
    text = score_text(cases, names, options)
    _tell(options)
    click.echo(text, nl=False)


def _flutter(exclude: bool, compat: str | None) -> "FlutterRule":
    if compat is not None and not exclude:
        raise click.UsageError(f"--compat {compat} goes with -x")
    if not exclude:
        return "ec57"
    return "ec38-1998" if compat is None else "epicmp-x"


def _episode_rules(
    learning_s: float,
    until: float | None,
    shortest: float | None,
    shortest_of_all: float | None,
    flutter: "FlutterRule",
) -> "EpisodeRules":
    from model_build.evaluate.ec57.episodes import EpisodeRules  # noqa: PLC0415

    if shortest is not None and shortest_of_all is not None:
        raise click.UsageError("-i and -I exclude each other")
    return EpisodeRules(
        learning_s=learning_s,
        until_s=float("inf") if until == 0.0 else until,
        shortest_s=shortest or shortest_of_all or 0.0,
        short_overlap=shortest_of_all is None,
        flutter=flutter,
    )


def _check(options: "Options") -> None:
    form = options.format
    if form == "rxr" and options.escapes == "n":
        raise click.UsageError("rxr counts escape beats as S; --escapes n goes with beats only")
    if not options.with_s and form not in ("bxb", "shutdown", "matrix", "condensed"):
        raise click.UsageError(f"--without-sveb does not go with --format {form}")
    if options.long and form != "epicmp":
        raise click.UsageError("--long is an option of epicmp")
    if options.summary and (options.long or form in ("matrix", "condensed", "json")):
        raise click.UsageError("--summary goes with the line reports of bxb, rxr and epicmp")


def _tell(options: "Options") -> None:
    from model_build.evaluate.ec57.classes import class_table  # noqa: PLC0415

    if not options.with_s:
        click.echo("S and escape beats (e, j, n) counted as N, as bxb -l, -s, -c do", err=True)
    elif options.format not in ("epicmp", "json"):
        click.echo(class_table(options.text_escapes).description, err=True)
    if not options.episodes.is_standard:
        click.echo("warning: not the standard comparison of EC57", err=True)
