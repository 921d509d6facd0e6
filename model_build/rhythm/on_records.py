"""The shipped engine over whole records: AF as `epicmp` counts it, on what `replay` writes."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from edge_runtime.engine import EngineSettings
from edge_runtime.errors import BundleError
from edge_runtime.inference.bundle import BundleSet
from edge_runtime.inference.interpreter import find_runtime
from edge_runtime.replay import replay
from edge_runtime.sinks.wfdb_annotations import AnnotationWriter
from firmware_bridge.records import Annotations, iter_record, read_annotations, read_header
from model_build.datasets import mitdb
from model_build.datasets.recording import Recording
from model_build.evaluate import ledger
from model_build.evaluate.ec57.episodes import (
    STANDARD,
    EpisodeRules,
    EpisodeScore,
    compare_episodes,
)
from model_build.rhythm.recipe import read_rhythm_recipe

_MAINS_HZ: Final = 60
FLUTTER_LEFT_OUT: Final = replace(STANDARD, flutter="ec38-1998")


def rhythms_of(bundles: BundleSet, recording: Recording) -> Annotations:
    """What replay writes of the record's first channel."""
    writer = AnnotationWriter()
    items = iter_record(recording.path, channels=[0])
    for event in replay(bundles, items, EngineSettings(mains_hz=_MAINS_HZ)):
        writer.see(event)
    return writer.annotations()


def af_scores(
    said: dict[str, Annotations], recordings: list[Recording], rules: EpisodeRules
) -> dict[str, EpisodeScore]:
    """AF of each record against its reference."""
    scores = {}
    for one in recordings:
        header = read_header(one.path)
        reference = read_annotations(f"{one.path}.{one.annotator}")
        fs = float(header.fs_fraction)
        scores[one.record] = compare_episodes(
            reference, said[one.record], fs, header.n_samples, "af", rules
        )
    return scores


def gross(scores: dict[str, EpisodeScore]) -> dict[str, float]:
    """Durations summed over records, in seconds and shares."""
    af = sum(s.reference.duration / s.fs for s in scores.values())
    found = sum(s.reference.overlap / s.fs for s in scores.values())
    said = sum(s.test.duration / s.fs for s in scores.values())
    true = sum(s.test.overlap / s.fs for s in scores.values())
    return {
        "af_s": round(af, 1), "found_s": round(found, 1), "said_s": round(said, 1),
        "se": found / af if af else float("nan"), "ppv": true / said if said else float("nan"),
    }  # fmt: skip


def open_af_test(bundles: BundleSet, recipe_file: Path, data: Path) -> dict[str, Any]:
    """Score AF on DS2. Written into the ledger before and after. Raises RecipeError where the
    recipe is not committed, BundleError where the set has no bundle of this recipe."""
    recipe = read_rhythm_recipe(recipe_file)
    if bundles.rhythm is None or bundles.rhythm.manifest.training.recipe != recipe.digest:
        raise BundleError(f"{bundles.where} holds no rhythm bundle of {recipe_file} as it is now")
    opening = ledger.begin(
        {
            "date": datetime.now(UTC).date().isoformat(),
            "recipe": recipe.name,
            "recipe_sha256": recipe.digest,
            "recipe_commit": ledger.commit_of(recipe_file),
            "bundle_set": bundles.fingerprint,
            "bundle_set_commit": ledger.commit_of_set(bundles.where),
            "runtime": _runtime(),
            "mains_hz": _MAINS_HZ,
        },
        ledger.LEDGER,
    )
    recordings = mitdb.test(data)
    said = {one.record: rhythms_of(bundles, one) for one in recordings}
    plain = af_scores(said, recordings, STANDARD)
    without = af_scores(said, recordings, FLUTTER_LEFT_OUT)
    free = [name for name, score in plain.items() if not score.reference.duration]
    hours = sum(_seconds(one) for one in recordings if one.record in free) / 3600
    false_s = sum(plain[name].test.duration / plain[name].fs for name in free)
    result = {
        "flutter_left_out": gross(without),
        "flutter_counted": gross(plain),
        "false_af_minutes_per_24_h": false_s / 60 / hours * 24,
        "records": {
            name: gross({name: score})
            for name, score in without.items()
            if score.reference.duration or score.test.duration
        },
    }
    ledger.complete(opening, {"af": result}, ledger.LEDGER)
    return result


def _seconds(recording: Recording) -> float:
    header = read_header(recording.path)
    return (header.n_samples or 0) / float(header.fs_fraction)


def _runtime() -> str:
    found = find_runtime()
    return f"{found.name} {found.version}"
