"""The model card of the delineation bundle."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from edge_runtime.inference.bundle import BundleSet
from edge_runtime.inference.manifest import DELINEATION
from model_build.card import CARD
from model_build.datasets.catalogue import database
from model_build.delineation.network import NetworkConfig, build_network, multiply_adds
from model_build.delineation.recipe import DelineationRecipe
from model_build.delineation.scoring import Tallies
from model_build.errors import ExportError
from model_build.evaluate.document import Document, Listing, Section, Table, Text, to_markdown

_USE: Final = (
    "Says where P, QRS and T of a beat begin, peak and end, on one lead, and whether there is a P "
    "and a T. From it the runtime takes PR, QRS width, QT and QTc, the share of beats with a P "
    "wave, R on T and the ST level, as medians over ten seconds. They are trends for a person to "
    "look at: it is no medical device, and no alarm comes of them."
)
LIMITS: Final = (
    "The window ends 0.576 s after R: a T wave that ends later is cut; QT is told up to 0.6 s.",
    "It begins 0.704 s before R: a PR interval above some 0.4 s is not found.",
    "P waves that no QRS follows (block) are not found; flutter waves may be taken for P.",
    "The signal is filtered, causally, from 0.5 to 40 Hz: ST is shifted (docs/intervals.md).",
    "ST is a trend of one person on one lead, not a diagnosis of ischaemia.",
    "Boundaries are those of the annotators of ludb and qtdb; other experts set them otherwise.",
    "Adults; no paced beats.",
)


def write_card(
    bundles: BundleSet, recipe: DelineationRecipe, tables: Mapping[str, Tallies] | None
) -> Path:
    """Write the card beside the manifest; no manifest names it, so it alters no fingerprint."""
    bundle = bundles.graph_bundles.get(DELINEATION)
    if bundle is None:
        raise ExportError(f"{bundles.where} has no delineation bundle to write a card of")
    training = bundle.manifest.training
    work = multiply_adds(build_network(NetworkConfig(**recipe.network)))
    cost = (
        ("INT8 graph", f"{len(bundle.graph) / 1000:.1f} kB"),
        ("multiply-adds a beat", f"{work / 1e6:.2f} million"),
    )
    licences = "; ".join(
        f"{one.title} {one.version}, {one.licence}, doi {one.doi}"
        for one in map(database, recipe.sources)
    )
    document = Document(
        f"Model card: {bundle.manifest.name} {bundle.manifest.version}",
        (Text(_USE),),
        (
            Section("Trained on", (Listing(training.data), Text(f"Split: {training.split}."))),
            Section("Scores", tuple(_scores(tables))),
            Section("Limits", (Listing(LIMITS),)),
            Section("Cost", (Table(("", ""), cost),)),
            Section(
                "Licence",
                (Text(f"Weights and card: Apache-2.0, as the project. Made from {licences}."),),
            ),
        ),
    )
    path = bundle.where / CARD
    path.write_text(to_markdown(document), encoding="utf-8")
    return path


def _scores(tables: Mapping[str, Tallies] | None) -> list[Text | Table]:
    if tables is None:
        return [Text("Not cross-validated yet.")]
    rows = tuple(
        (
            name.replace("_", " "), table.replace("_", ", "),
            "-" if tally.f1 is None or table != "ludb" else f"{100 * tally.f1:.1f}",
            "-" if tally.mean_ms is None else f"{tally.mean_ms:.1f}",
            "-" if tally.sd_ms is None else f"{tally.sd_ms:.1f}",
        )
        for table, tallies in tables.items()
        for name, tally in tallies.items()
    )  # fmt: skip
    return [
        Text(
            "The INT8 graph on subjects left out (five folds), own R peaks. F1 within 150 ms; mean "
            "and standard deviation of said minus marked. qtdb marks chosen beats only, so it has "
            "no F1; on its better lead as usual."
        ),
        Table(("landmark", "on", "F1 %", "mean ms", "SD ms"), rows),
    ]
