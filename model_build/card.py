"""The model card: what a bundle is, how good, and where it fails. Markdown beside the manifest."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import cattrs

from edge_runtime.inference.bundle import BeatBundle, BundleSet, sha256
from edge_runtime.inference.manifest import LEADS_OF_ROLE, SetManifest, parse_manifest
from model_build.datasets.catalogue import database
from model_build.evaluate.document import (
    Block,
    Document,
    Listing,
    Section,
    Table,
    Text,
    to_markdown,
)
from model_build.evaluate.ledger import openings
from model_build.evaluate.out_of_fold import OutOfFold
from model_build.export import to_toml
from model_build.provenance import archives
from model_build.recipe import Recipe

CARD: Final = "CARD.md"
_ENOUGH_BEATS: Final = 20
"""A record with fewer of a class says nothing about where the model fails."""
_FAILURES: Final = 5


def write_card(
    bundles: BundleSet,
    recipe: Recipe,
    out_of_fold: OutOfFold | None,
    model: Mapping[str, Any] | None,
) -> Path:
    """Write the card of the recipe's bundle; no manifest names it, so it alters no fingerprint.

    `model` is what the stage `measure` found. Scores on DS2 are those of the newest opening of
    this very set; what was not measured is said to be missing.
    """
    path = bundles.for_leads(recipe.n_leads).where / CARD
    judged = {bundles.fingerprint, fingerprint_of_beats(bundles)}
    # Other bundles of a set open the test for other scores.
    opened = [
        one for one in openings() if one["bundle_set"] in judged and one["recipe"] == recipe.name
    ]
    document = compose(bundles, recipe, out_of_fold, model, opened[-1] if opened else None)
    path.write_text(to_markdown(document), encoding="utf-8")
    return path


def fingerprint_of_beats(bundles: BundleSet) -> str:
    """The fingerprint that the set has without the bundles that classify no beats: scores of its
    beats stay true whatever joins it."""
    path = bundles.where / "set.toml"
    described = parse_manifest(path.read_bytes(), SetManifest, str(path))
    roles = {role: name for role, name in described.bundles.items() if role in LEADS_OF_ROLE}
    listed = {described.conditioning, *(f"{name}/manifest.toml" for name in roles.values())}
    files = {name: hashed for name, hashed in described.files.items() if name in listed}
    alone = replace(described, bundles=roles, files=files)
    return sha256(to_toml(cattrs.unstructure(alone)).encode())


def compose(
    bundles: BundleSet,
    recipe: Recipe,
    out_of_fold: OutOfFold | None,
    model: Mapping[str, Any] | None,
    opening: Mapping[str, Any] | None,
) -> Document:
    """The card's text."""
    manifest = bundles.for_leads(recipe.n_leads).manifest
    classes = ", ".join(manifest.classes)
    signal = "one lead" if manifest.leads == 1 else f"{manifest.leads} leads, or either alone,"
    introduction = Text(
        f"Classifies single beats ({classes}) of {signal} of any wearable, causally, one beat at a "
        f"time with the {manifest.history} before it. Set `{bundles.fingerprint[:12]}`, made by "
        f"recipe `{recipe.name}` (`{recipe.short}`)."
    )
    sections = [
        Section("Use", (Text(_USE),)),
        Section("Trained on", tuple(_data(bundles, recipe))),
        Section("Scores", tuple(_scores(out_of_fold, opening))),
        Section("Where it fails", tuple(_failures(out_of_fold))),
        Section("Limits", (Listing(_LIMITS),)),
        Section("Cost", tuple(_cost(bundles.for_leads(recipe.n_leads), model))),
        Section("Licence", (Text(_licence(recipe)),)),
    ]
    title = f"Model card: {manifest.name} {manifest.version}"
    return Document(title, (introduction,), tuple(sections))


_USE: Final = (
    "It informs the wearer and whoever looks at the recording; it is no medical device, replaces "
    "no monitor and is not for emergencies. It expects the signal path it was trained with (the "
    "set's conditioning and this runtime's R peaks) and refuses beats whose window cannot be read."
)
_LIMITS: Final = (
    "Adults of the archives named above: no children, no paced records, no chest straps.",
    "F (fusion) rests on nearly one patient on each side: emitted only when next to certain.",
    "Escape beats and aberrant conduction are where the references themselves differ.",
    "The first beats of a recording have no history: see the report's scores from 0:00.",
)


def _data(bundles: BundleSet, recipe: Recipe) -> Iterable[Block]:
    training = bundles.for_leads(recipe.n_leads).manifest.training
    yield Listing(tuple(training.data))
    yield Text(
        f"Split: {training.split}. Views: {', '.join(view.name for view in recipe.view)}. INT8 "
        f"ranges are of {recipe.quantize.calibration_beats} listed beats of training subjects "
        f"(`{training.calibration[:12]}`)."
    )


def _scores(found: OutOfFold | None, opening: Mapping[str, Any] | None) -> Iterable[Block]:
    yield Text(
        "Own R peaks, as `bxb` counts within 150 ms, from 5:00, escapes as N; F or Q taken for V "
        "is no false positive."
    )
    rows: list[tuple[str, ...]] = []
    if found is not None:
        seeds = len(found.by_seed)

        def both(mean: float, deviation: float) -> str:
            return f"{mean:.1f}" + (f" ± {deviation:.1f}" if seeds > 1 else "")

        spread = found.spread()
        percent = {k: both(100 * m, 100 * d) for k, (m, d) in spread.items()}
        false_s = both(*spread["false_s_per_1000_in_af"])
        how = "float, the rhythm model judging too" if found.in_set else "float"
        where = f"out of fold ({len(found.folds)} folds, seeds: {seeds}, {how})"
        rows = [
            ("VEB F1 %", where, percent["veb_f1"]),
            ("SVEB F1 %", where, percent["sveb_f1"]),
            ("SVEB F1 % without the richest record", where, percent["sveb_f1_without_richest"]),
            ("false S per 1,000 beats in AF", where, false_s),
            ("QRS Se / +P %", where, f"{percent['qrs_se']} / {percent['qrs_ppv']}"),
        ]
    if opening is not None and opening["results"] is not None:
        results, where = opening["results"], f"DS2, INT8, opened {opening['date']}"
        rows += [
            (f"{words} F1 %", where, f"{100 * results[key]['f1']:.1f}")
            for key, words in (
                ("veb", "VEB"), ("sveb", "SVEB"), ("sveb_without_232", "SVEB without 232"),
            )
        ]  # fmt: skip
    if rows:
        yield Table(("measure", "on", "value"), tuple(rows))
    if found is None:
        yield Text("Not cross-validated yet: no study holds results of this recipe.")
    if opening is None:
        yield Text("DS2 has not been opened with this set.")


def _failures(found: OutOfFold | None) -> Iterable[Block]:
    if found is None:
        yield Text("Unknown until the recipe is cross-validated.")
        return
    matrices = found.by_seed[found.seed].matrices
    rows: list[tuple[str, ...]] = []
    for kind in ("veb", "sveb"):
        rated = [(key, getattr(matrix, kind)) for key, matrix in matrices.items()]
        enough = [(key, one) for key, one in rated if one.tp + one.fn >= _ENOUGH_BEATS]
        worst = sorted(enough, key=lambda pair: (pair[1].f1 or 0.0, pair[0]))[:_FAILURES]
        rows += [
            (
                kind.upper(), key, str(one.tp + one.fn), f"{100 * (one.f1 or 0.0):.1f}",
                str(one.fn), str(one.fp),
            )
            for key, one in worst
        ]  # fmt: skip
    yield Text(
        f"Held-out records with at least {_ENOUGH_BEATS} such beats and the lowest F1 "
        f"(seed {found.seed}):"
    )
    yield Table(("", "record", "beats", "F1 %", "missed", "false"), tuple(rows))


def _cost(bundle: BeatBundle, model: Mapping[str, Any] | None) -> Iterable[Block]:
    size = len(bundle.encoder) + len(bundle.context)
    rows = [("INT8 graphs", f"{size / 1000:.1f} kB")]
    if model is not None:
        rows += [
            ("multiply-adds a beat", f"{model['multiply_adds'] / 1e6:.2f} million"),
            ("weights", f"{model['weights']}"),
            (
                "latency a beat, one thread of the machine that built it",
                f"{model['latency_ms']:.2f} ms ({model['runtime']})",
            ),
        ]
    yield Table(("", ""), tuple(rows))


def _licence(recipe: Recipe) -> str:
    named = [database(name) for name in archives(recipe)]
    made_from = [f"{one.title} {one.version}, {one.licence}, doi {one.doi}" for one in named]
    return f"Weights and card: Apache-2.0, as the project. Made from {'; '.join(made_from)}."
