"""`model-build evaluate`: the shipped bundle through the shipped engine, by EC57's rules."""

import datetime
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from model_build.command_options import (
    data_option,
    json_option,
    load_recipe,
    load_training,
    progress,
    recipe_option,
    work_option,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from edge_runtime.inference.bundle import BundleSet
    from model_build.datasets.recording import Recording
    from model_build.evaluate.beats import Scores, Speak
    from model_build.evaluate.findings import Findings, Subject
    from model_build.evaluate.noise_levels import NoiseLevel
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
    help="Write BASE.md, BASE.json and BASE.html (plots inside, nothing beside it needed); "
    "with --peers BASE.peers.json.",
)  # fmt: skip
@click.option(
    "--noise", is_flag=True,
    help="Score the records in noise as well; --open-test always does.",
)  # fmt: skip
@click.option(
    "--stress-bundles", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
    help="A bundle set trained without 118 and 119, for the table of nstdb.",
)  # fmt: skip
@click.option(
    "--peers", "peer_names", default="", metavar="LIST",
    help="Train these peers (see `model-build peers`) and score them beside it; or all.",
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
    noise: bool,
    stress_bundles: Path | None,
    peer_names: str,
    as_json: bool,
) -> None:
    """Score an INT8 bundle set as it runs on the device.

    The whole engine runs over each record: its own R peaks, first channel (of a recipe of two leads
    with the other channel beside it). Beats are counted as
    bxb counts them: from 5:00, within 150 ms, escape beats as N; beside it with escapes as S, with
    F taken for V counted, and from 0:00. Calibration, false S in atrial fibrillation and scores in
    noise stand beside them, and published results, each with its protocol. The float student
    stands beside the INT8 one where the work directory holds it; out-of-fold results are those
    that the committed ledgers of `study` hold for this very recipe, all folds of it.

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
    from model_build.evaluate.beats import pooled  # noqa: PLC0415
    from model_build.evaluate.document import to_markdown  # noqa: PLC0415
    from model_build.evaluate.worst_beats import strips_of  # noqa: PLC0415
    from model_build.recipe_files import recipe_path  # noqa: PLC0415
    from model_build.study.results import own_results  # noqa: PLC0415

    recipe = load_recipe(recipe_name)
    loaded = load_bundle_set(bundles)
    _require_made_by(loaded, recipe)
    stress = load_bundle_set(stress_bundles) if stress_bundles else None
    mains_hz = int(mains) or None
    subject = _subject(recipe, loaded, mains_hz or 0, seen=not open_test)
    # Before the test is opened: an opening must not break off for want of a peer or a student.
    peers = _peers(peer_names, recipe, data, work, mains_hz)
    before_int8 = _float_student(recipe, work, mains_hz)
    opened = _opened(subject, recipe_path(recipe_name), loaded) if open_test else None
    directory = data_directory(data)
    recordings = (mitdb.test if open_test else mitdb.training)(directory)
    # Before the first record is read, so that no opening goes by without a trace.
    opening = ledger.begin(opened, ledger.LEDGER) if opened else None
    findings = replace(
        _heard(recordings, loaded, subject, mains_hz, recipe.n_leads),
        real=_scores(recordings, before_int8, "float") if before_int8 else {},
        alone=_alone(recordings, loaded, mains_hz, recipe.n_leads) if before_int8 else {},
        noise=(
            _in_noise(recordings, loaded, mains_hz, directory, recipe.n_leads)
            if open_test or noise
            else ()
        ),
        stress=_stress_test(stress, mains_hz, directory, recipe.n_leads) if stress else (),
        out_of_fold=own_results(recipe),
        probe=_probe(recipe, work),
    )
    result = findings.as_json()
    beside = {name: pooled(_scores(recordings, speak, name)) for name, speak in peers.items()}
    if beside:
        result["peers"] = {name: scores.as_json() for name, scores in beside.items()}
    if opening is not None:
        ledger.complete(opening, _results(result), ledger.LEDGER)
    found = findings.out_of_fold
    worst = strips_of(directory, found.worst[:_WORST_DRAWN]) if found else []
    if report is not None:
        reports.write(report, findings, worst)
        if beside:
            report.with_suffix(".peers.json").write_text(json.dumps(result["peers"], indent=1))
    if as_json:
        click.echo(json.dumps(result))
    else:
        click.echo(to_markdown(reports.compose(findings, worst)) + _peers_section(beside))


_WORST_DRAWN: Final = 12


def _require_made_by(loaded: "BundleSet", recipe: "Recipe") -> None:
    if loaded.for_leads(recipe.n_leads).manifest.training.recipe != recipe.digest:
        raise click.UsageError(
            f"{loaded.where} was made by another recipe than {recipe.name} as it is now; "
            "train, quantize and export again, or name the recipe it was made by"
        )


def _each(recordings: "Sequence[Recording]", name: str) -> "Iterator[Recording]":
    with progress() as shown:
        task = shown.add_task(name, total=len(recordings), note="")
        for recording in recordings:
            shown.update(task, note=recording.key)
            yield recording
            shown.advance(task)


def _heard(
    recordings: "Sequence[Recording]",
    loaded: "BundleSet",
    subject: "Subject",
    mains_hz: int | None,
    n_leads: int,
) -> "Findings":
    """The INT8 bundle over every record: scores, calibration, errors in AF."""
    from model_build.evaluate.beats import engine_says, score  # noqa: PLC0415 - quick help
    from model_build.evaluate.findings import Findings  # noqa: PLC0415
    from model_build.evaluate.truth import calibration_of, errors_in_af  # noqa: PLC0415

    say = engine_says(loaded, mains_hz, n_leads)
    classes = loaded.for_leads(n_leads).manifest.classes
    scores, af, reliability = {}, {}, None
    for recording in _each(recordings, "INT8"):
        said = say(recording)
        scores[recording.key] = score(recording, said.beats)
        one = calibration_of(recording, said, classes)
        reliability = one if reliability is None else reliability + one
        errors = errors_in_af(recording, said.beats)
        if errors.beats:
            af[recording.key] = errors
    return Findings(subject, scores, reliability=reliability, af=af)


def _scores(recordings: "Sequence[Recording]", speak: "Speak", name: str) -> "dict[str, Scores]":
    from model_build.evaluate.beats import score  # noqa: PLC0415 - quick help

    return {r.key: score(r, speak(r)) for r in _each(recordings, name)}


def _alone(
    recordings: "Sequence[Recording]", loaded: "BundleSet", mains_hz: int | None, n_leads: int
) -> "dict[str, Scores]":
    """INT8 without the set's rhythm model, nothing where it has none: what the float student is to
    be held against."""
    from dataclasses import replace  # noqa: PLC0415 - quick help

    from model_build.evaluate.beats import engine_speaks  # noqa: PLC0415

    if loaded.rhythm is None:
        return {}
    beats = replace(loaded, rhythm=None)
    return _scores(recordings, engine_speaks(beats, mains_hz, n_leads), "INT8, beats alone")


def _in_noise(
    recordings: "Sequence[Recording]",
    loaded: "BundleSet",
    mains_hz: int | None,
    directory: Path,
    n_leads: int,
) -> "list[NoiseLevel]":
    from model_build.datasets.locate import ensure  # noqa: PLC0415 - quick help
    from model_build.evaluate.beats import samples_speak  # noqa: PLC0415
    from model_build.evaluate.noise_levels import KINDS, in_noise  # noqa: PLC0415

    nstdb = ensure(directory, "nstdb", KINDS)
    with progress() as shown:
        task = shown.add_task("noise", total=None, note="")

        def report(note: str, done: int, total: int) -> None:
            shown.update(task, advance=done, total=total, note=note)

        return in_noise(recordings, samples_speak(loaded, mains_hz), nstdb, report, n_leads)


def _stress_test(
    loaded: "BundleSet", mains_hz: int | None, directory: Path, n_leads: int
) -> "list[NoiseLevel]":
    from model_build.datasets.locate import ensure  # noqa: PLC0415 - quick help
    from model_build.evaluate.beats import engine_speaks  # noqa: PLC0415
    from model_build.evaluate.noise_levels import (  # noqa: PLC0415
        STRESS_PATIENTS,
        stress_recordings,
        stress_test,
    )

    for line in loaded.for_leads(n_leads).manifest.training.data:
        known = sorted(set(STRESS_PATIENTS) & set(line.split()))
        if known:
            raise click.UsageError(
                f"{loaded.where} was trained on {', '.join(known)}; the table of nstdb needs a set "
                "whose recipe leaves them out (data.exclude)"
            )
    groups = stress_recordings(directory / "nstdb")
    ensure(directory, "nstdb-stress", [r.record for group in groups.values() for r in group])
    return stress_test(groups, engine_speaks(loaded, mains_hz, n_leads))


def _probe(recipe: "Recipe", work: Path) -> "dict[str, Any] | None":
    """What `all` has measured on the float student, where it has."""
    from model_build.student_files import student_folder  # noqa: PLC0415 - quick help

    path = student_folder(work, recipe) / "probe.json"
    return json.loads(path.read_text()) if path.is_file() else None


def _float_student(recipe: "Recipe", work: Path, mains_hz: int | None) -> "Speak | None":
    """The student before quantization, where the work directory has it and TensorFlow is here."""
    from model_build.student_files import student_folder  # noqa: PLC0415

    folder = student_folder(work, recipe)
    if not (folder / "student.npz").is_file():
        return None
    from model_build.evaluate.float_student import student_speaks  # noqa: PLC0415
    from model_build.head import HeadFit, folded_into_head  # noqa: PLC0415
    from model_build.student_files import load_final_student  # noqa: PLC0415
    from model_build.training.loop import one_thread  # noqa: PLC0415

    one_thread()
    trained, head = load_final_student(folder, recipe), HeadFit.load(folder)
    student = trained.student if head is None else folded_into_head(trained.student, head)
    return student_speaks(student, trained.scaling, recipe.thresholds, mains_hz)


def _peers(
    listed: str, recipe: "Recipe", data: Path | None, work: Path, mains_hz: int | None
) -> "dict[str, Speak]":
    """Peers trained on every training recording, first view."""
    if not listed:
        return {}
    from dataclasses import replace  # noqa: PLC0415 - quick help

    from model_build.peers.cells import fit_peer  # noqa: PLC0415 - loads TensorFlow
    from model_build.peers.peer import NAMES  # noqa: PLC0415
    from model_build.peers.speaking import peer_speaks  # noqa: PLC0415

    names = NAMES if listed == "all" else listed.split(",")
    if unknown := sorted(set(names) - set(NAMES)):
        raise click.BadParameter(f"no {', '.join(unknown)}", param_hint="--peers")
    first_view = replace(recipe, view=recipe.view[:1])
    recordings, prepared = load_training(first_view, data, work)
    return {
        name: peer_speaks(fit_peer(name, recordings, prepared, recipe.seed), mains_hz)
        for name in names
    }


def _peers_section(beside: "Mapping[str, Scores]") -> str:
    if not beside:
        return ""
    from model_build.peers.peer import new_peer  # noqa: PLC0415 - loads TensorFlow
    from model_build.peers.table import markdown_table  # noqa: PLC0415

    rows = [(new_peer(name)[1].title, scores.main, ()) for name, scores in beside.items()]
    return f"\n## Peers at the same peaks, counted alike\n\n{markdown_table(rows)}\n"


def _subject(recipe: "Recipe", loaded: "BundleSet", mains_hz: int, *, seen: bool) -> "Subject":
    from edge_runtime.inference.interpreter import find_runtime  # noqa: PLC0415 - quick help
    from model_build.datasets.catalogue import database  # noqa: PLC0415
    from model_build.evaluate.findings import Subject  # noqa: PLC0415
    from model_build.provenance import archives  # noqa: PLC0415

    runtime = find_runtime()
    bundle = loaded.for_leads(recipe.n_leads)
    sources = [database(name) for name in archives(recipe)]
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
    for name, scores in result.get("peers", {}).items():
        kept[f"{name}_veb_f1"] = scores["main"]["veb"]["f1"]
        kept[f"{name}_sveb_f1"] = scores["main"]["sveb"]["f1"]
    return kept
