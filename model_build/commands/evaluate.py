"""`model-build evaluate`: the shipped bundle through the shipped engine, by EC57's rules."""

import datetime
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from model_build.command_options import (
    data_option,
    json_option,
    load_recipe,
    progress,
    recipe_option,
    work_option,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_runtime.inference.bundle import BundleSet
    from model_build.datasets.recording import Recording
    from model_build.evaluate.beats import Scores, Speak
    from model_build.evaluate.report import Subject
    from model_build.recipe import Recipe


@click.command("evaluate")
@recipe_option
@data_option
@work_option
@click.option(
    "--bundles", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
    help="The bundle set to judge. Default: the shipped one.",
)  # fmt: skip
@click.option(
    "--open-test", is_flag=True,
    help="Read DS2. The recipe must be committed; the opening is written into the ledger.",
)  # fmt: skip
@click.option(
    "--mains", type=click.Choice(["0", "50", "60"]), default="60", show_default=True,
    help="Notch in Hz (0: none); mitdb was recorded where mains have 60 Hz.",
)  # fmt: skip
@click.option(
    "--report", type=click.Path(path_type=Path, dir_okay=False), metavar="BASE",
    help="Write BASE.md and BASE.json.",
)  # fmt: skip
@json_option
def command(
    recipe_name: str,
    data: Path | None,
    work: Path,
    bundles: Path | None,
    open_test: bool,
    mains: str,
    report: Path | None,
    as_json: bool,
) -> None:
    """Score an INT8 bundle set as it runs on the device.

    The whole engine runs over each record: its own R peaks, first channel (of a recipe of two leads
    with the other channel beside it). Beats are counted as
    bxb counts them: from 5:00, within 150 ms, escape beats as N; beside it with escapes as S, with
    F taken for V counted, and from 0:00. The float student stands beside the INT8 one where the
    work directory holds it.

    Without --open-test the training half of mitdb is scored: a check of the machinery, no measure
    of accuracy. DS2 opens on a committed recipe only, and every opening is appended to
    model_build/openings.jsonl: that it began, with date, recipe, bundle set (and the commit that
    holds it, if one does) and TFLite runtime; and, once they are there, its results.
    """
    from edge_runtime.inference.bundle import load_bundle_set  # noqa: PLC0415 - quick help
    from model_build.datasets import mitdb  # noqa: PLC0415
    from model_build.datasets.locate import data_directory  # noqa: PLC0415
    from model_build.evaluate import ledger  # noqa: PLC0415
    from model_build.evaluate import report as reports  # noqa: PLC0415
    from model_build.evaluate.beats import engine_speaks  # noqa: PLC0415
    from model_build.recipe import recipe_path  # noqa: PLC0415

    recipe = load_recipe(recipe_name)
    loaded = load_bundle_set(bundles)
    _require_made_by(loaded, recipe)
    mains_hz = int(mains) or None
    subject = _subject(recipe, loaded, mains_hz or 0, seen=not open_test)
    opened = _opened(subject, recipe_path(recipe_name), loaded) if open_test else None
    recordings = (mitdb.test if open_test else mitdb.training)(data_directory(data))
    # Before the first record is read, so that no opening goes by without a trace.
    opening = ledger.begin(opened, ledger.LEDGER) if opened else None
    int8 = _scores(recordings, engine_speaks(loaded, mains_hz, recipe.n_leads), "INT8")
    student = _float_student(recipe, work, mains_hz)
    real = _scores(recordings, student, "float") if student else {}
    result = reports.as_json(subject, int8, real)
    if opening is not None:
        ledger.complete(opening, _results(result), ledger.LEDGER)
    if report is not None:
        reports.write(report, subject, int8, real)
    click.echo(json.dumps(result) if as_json else reports.markdown(subject, int8, real))


def _require_made_by(loaded: "BundleSet", recipe: "Recipe") -> None:
    if loaded.for_leads(recipe.n_leads).manifest.training.recipe != recipe.digest:
        raise click.UsageError(
            f"{loaded.where} was made by another recipe than {recipe.name} as it is now; "
            "train, quantize and export again, or name the recipe it was made by"
        )


def _scores(recordings: "Sequence[Recording]", speak: "Speak", name: str) -> "dict[str, Scores]":
    from model_build.evaluate.beats import score  # noqa: PLC0415 - quick help

    scores = {}
    with progress() as shown:
        task = shown.add_task(name, total=len(recordings), note="")
        for recording in recordings:
            shown.update(task, note=recording.key)
            scores[recording.key] = score(recording, speak(recording))
            shown.advance(task)
    return scores


def _float_student(recipe: "Recipe", work: Path, mains_hz: int | None) -> "Speak | None":
    """The student before quantization, where the work directory has it and TensorFlow is here."""
    from model_build.student_files import student_folder  # noqa: PLC0415

    folder = student_folder(work, recipe)
    if not (folder / "student.npz").is_file():
        return None
    from model_build.evaluate.float_student import student_speaks  # noqa: PLC0415
    from model_build.student_files import load_student  # noqa: PLC0415
    from model_build.training.loop import one_thread  # noqa: PLC0415

    one_thread()
    trained = load_student(folder, recipe)
    return student_speaks(trained.student, trained.scaling, recipe.thresholds, mains_hz)


def _subject(recipe: "Recipe", loaded: "BundleSet", mains_hz: int, *, seen: bool) -> "Subject":
    from edge_runtime.inference.interpreter import find_runtime  # noqa: PLC0415 - quick help
    from model_build.datasets.catalogue import database  # noqa: PLC0415
    from model_build.evaluate.report import Subject  # noqa: PLC0415

    runtime = find_runtime()
    bundle = loaded.for_leads(recipe.n_leads)
    sources = [database(name) for name in recipe.data.sources]
    return Subject(
        title="Beats: " + ("training half of mitdb" if seen else "DS2, inter-patient"),
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        recipe=recipe.name,
        recipe_digest=recipe.digest,
        bundle_set=loaded.fingerprint,
        bundle_bytes=len(bundle.encoder) + len(bundle.context),
        runtime=f"{runtime.name} {runtime.version}",
        mains_hz=mains_hz,
        seen_in_training=seen,
        trained_on=bundle.manifest.training.data,
        credits=[f"{d.title} {d.version}, {d.licence}, doi {d.doi}. {d.citation}" for d in sources],
    )


def _opened(subject: "Subject", recipe: Path, loaded: "BundleSet") -> dict[str, Any]:
    """What the ledger keeps before anything is read."""
    from model_build.evaluate.ledger import commit_of, commit_of_set  # noqa: PLC0415 - quick help

    return {
        "date": subject.date,
        "recipe": subject.recipe,
        "recipe_sha256": subject.recipe_digest,
        "recipe_commit": commit_of(recipe),
        "bundle_set": subject.bundle_set,
        "bundle_set_commit": commit_of_set(loaded.where),
        "runtime": subject.runtime,
        "mains_hz": subject.mains_hz,
    }


def _results(result: dict[str, Any]) -> dict[str, Any]:
    """What the ledger keeps of a report."""

    def keep(rates: dict[str, Any]) -> dict[str, Any]:
        return {name: rates[name] for name in ("se", "ppv", "f1")}

    main = result["int8"]["main"]
    kept = {
        "qrs": keep(main["qrs"]),
        "veb": keep(main["veb"]),
        "sveb": keep(main["sveb"]),
        "sveb_without_232": keep(result["int8_without_232"]["sveb"]),
        "macro_f1_nsv": main["macro_f1_nsv"],
    }
    if "float" in result:
        kept["float_veb_f1"] = result["float"]["main"]["veb"]["f1"]
        kept["float_sveb_f1"] = result["float"]["main"]["sveb"]["f1"]
    return kept
