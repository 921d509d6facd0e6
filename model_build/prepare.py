"""Recordings to training tensors: through views and the shipped path, cached by content.

Beats are cut at detected peaks. A peak paired with an annotated beat by EC57's rules (150 ms) takes
that beat's class; a peak without a partner is an artefact, unless the annotator may have been
silent there: then it has no target and trains nothing. Either stays in the history of the beats
after it, as it will on the device.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from fractions import Fraction
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Final

import numpy as np
import scipy
from numpy.typing import NDArray

import edge_runtime.signal
import firmware_bridge.records
import model_build.augmentation
import model_build.evaluate.ec57
from edge_runtime.signal.history import BeatBlock
from edge_runtime.signal.spec import DEFAULT_SPEC_FILE
from firmware_bridge.records import Annotations, read_annotations, read_header, read_physical
from model_build.augmentation.apply import augmented, needs_nstdb
from model_build.augmentation.episodes import possible
from model_build.augmentation.lead import Lead
from model_build.datasets.catalogue import checksums, database
from model_build.datasets.recording import Group, Recording, Target
from model_build.datasets.splits import require_separate
from model_build.errors import RecipeError
from model_build.evaluate.ec57 import pair_beats
from model_build.evaluate.ec57.classes import Q
from model_build.recipe import Recipe, View
from model_build.tap import tap
from model_build.training.beats import LeadBeats, PreparedBeats
from model_build.views import altered

_CODE_TARGET: Final = np.array(
    [Target.N, Target.S, Target.V, Target.F, Target.IGNORE, Target.X, Target.IGNORE,
     Target.IGNORE], np.uint8
)  # fmt: skip
"""By `ec57.classes.LABELS` and `UNCOUNTED`: Q and what lies in stretches that are marked unreadable
or as ventricular fibrillation train nothing."""
_DOUBTFUL_S: Final = 0.3
"""So near to a beat that was missed or not classified, marks may be late, and a peak may be it."""
_SILENT: Final = "![]"
"""Ventricular flutter waves, and where flutter begins and ends: beats are not marked there."""


def training_recordings(directory: Path, recipe: Recipe) -> list[Recording]:
    """Recordings of the recipe's sources and people.

    Raises `RecipeError` if a tested person is there.
    """
    recordings: list[Recording] = []
    for name in recipe.data.sources:
        try:
            training = import_module(f"model_build.datasets.{name}").training
        except (ImportError, AttributeError) as error:
            raise RecipeError(f"no training data named {name!r} (data.sources)") from error
        recordings += training(directory)
    rule = recipe.data
    recordings = [
        recording
        for recording in recordings
        if recording.subject not in rule.exclude
        and (not rule.only or recording.subject in rule.only)
    ]
    require_separate(recording.subject for recording in recordings)
    return recordings


def targets(at: NDArray[np.int64], reference: Annotations, fs: Fraction) -> NDArray[np.uint8]:
    """`Target` of the peaks `at` (k,), paired with the reference by EC57's rules, escapes as N.

    Peaks without a partner are `Target.X`, except before the first and after the last annotated
    beat, where the reference says nothing of beats, and within `_DOUBTFUL_S` of a doubtful one.
    """
    if not len(at):
        return np.zeros(0, np.uint8)
    test = Annotations.of(at, ["N"] * len(at))
    pairing = pair_beats(reference, test, float(fs), None, learning_s=0.0)
    found = pairing.test_at >= 0
    target = np.zeros(len(at), np.uint8)
    where = np.searchsorted(at, pairing.test_at[found])
    target[where] = _CODE_TARGET[pairing.reference_code[found]]
    known = pairing.reference_at >= 0
    doubtful = known & ((pairing.test_at < 0) | (pairing.reference_code == Q))
    silent = np.array([symbol in _SILENT for symbol in reference.symbol], dtype=bool)
    # The walk begins with an uncounted beat at sample 0, so the very start is doubtful as well.
    beats, odd = pairing.reference_at[pairing.reference_at > 0], reference.sample[silent]
    unsure = _near(at, np.concatenate([pairing.reference_at[doubtful], odd]), fs)
    unsure |= (at < beats.min(initial=at[-1] + 1)) | (at > beats.max(initial=-1))
    target[unsure & (target == Target.X)] = Target.IGNORE
    return target


def _near(at: NDArray[np.int64], places: NDArray[np.int64], fs: Fraction) -> NDArray[np.bool_]:
    """Which of `at` (k,) lie within `_DOUBTFUL_S` of one of `places`, in samples of `fs`."""
    ordered = np.sort(places)
    reach = int(_DOUBTFUL_S * fs)
    found: NDArray[np.bool_] = np.searchsorted(ordered, at - reach) < np.searchsorted(
        ordered, at + reach, side="right"
    )
    return found


def prepare_recording(recording: Recording, view: View, seed: int) -> PreparedBeats:
    """One recording through one view. `piece_s` of a view restarts the path that often."""
    lead, samples, rate = _shown(recording, view, seed)
    size = round(view.piece_s * rate) or len(samples)
    # A rest shorter than half a piece is joined to the one before.
    firsts = [k for k in range(0, len(samples), size) if k == 0 or len(samples) - k > size / 2]
    tapped = [
        tap(samples[first:last], rate, view.mains_hz or None)
        for first, last in zip(firsts, [*firsts[1:], len(samples)], strict=True)
    ]
    at = np.concatenate([t.at + first for t, first in zip(tapped, firsts, strict=True)])
    at = np.round(at * float(lead.fs / rate)).astype(np.int64)
    if lead.annotations is None:
        target = np.full(len(at), recording.blanket, np.uint8)
    else:
        target = targets(at, lead.annotations, lead.fs)
    counts = [len(t.beats) for t in tapped]
    return PreparedBeats(
        key=recording.key,
        subject=recording.subject,
        group=recording.group,
        view=view.name,
        starts=np.cumsum([0, *counts[:-1]], dtype=np.int64),
        at=at,
        window=np.concatenate([t.beats.window for t in tapped]).astype(np.float16),
        template=np.concatenate([t.beats.template for t in tapped]).astype(np.float16),
        features=np.concatenate([t.beats.features for t in tapped]),
        valid=np.concatenate([t.beats.valid for t in tapped]),
        tentative=np.concatenate([t.beats.tentative for t in tapped]),
        target=target,
        companion=companion_of([t.companion for t in tapped if t.companion is not None]),
    )


def companion_of(blocks: Sequence[BeatBlock]) -> LeadBeats | None:
    """Blocks of a second lead, end to end; None if there are none."""
    if not blocks:
        return None
    return LeadBeats(
        window=np.concatenate([b.window for b in blocks]).astype(np.float16),
        template=np.concatenate([b.template for b in blocks]).astype(np.float16),
        features=np.concatenate([b.features for b in blocks]),
        valid=np.concatenate([b.valid for b in blocks]),
    )


def _shown(
    recording: Recording, view: View, seed: int
) -> tuple[Lead, NDArray[np.float32], Fraction]:
    """What the view shows: the lead that beats are found on before the recorder's alterations,
    samples in mV behind them, (n,) or with a companion (n, 2), and their rate.

    Rhythm and time are altered alike on both leads; all else is drawn for each.
    """
    header = read_header(recording.path)
    channels = [view.channel]
    if 0 <= view.companion < len(header.signals):
        channels.append(view.companion)
    raw = read_physical(recording.path, channels=channels)
    fs, marks = Fraction(header.fs_fraction), _marks(recording)
    leads = augmented(
        [Lead(whole(raw[:, k]).astype(np.float64), fs, marks) for k in range(len(channels))],
        view,
        recording.key,
        seed,
        recording.path.parent.parent,
    )
    samples, rate = altered(leads[0].x.astype(np.float32), leads[0].fs, view, recording.key, seed)
    if len(leads) > 1:
        key = f"{recording.key} companion"
        second, _ = altered(leads[1].x.astype(np.float32), leads[1].fs, view, key, seed)
        samples = np.stack((samples, second), axis=1)
    return leads[0], samples, rate


def views_of(recording: Recording, views: Iterable[View]) -> list[View]:
    """The views that the recording has the lead for, and the beats for the rhythm."""
    n_leads = len(read_header(recording.path).signals)
    return [
        view
        for view in views
        if view.channel < n_leads
        and (not view.sources or recording.database in view.sources)
        and (not view.rhythm or _has_beats_for(recording, view))
    ]


def _has_beats_for(recording: Recording, view: View) -> bool:
    marks = _marks(recording) if recording.group is Group.BEATS else None
    fs = float(read_header(recording.path).fs_fraction)
    return marks is not None and possible(marks, fs, view.rhythm)


def _marks(recording: Recording) -> Annotations | None:
    if recording.annotator is None:
        return None
    return read_annotations(f"{recording.path}.{recording.annotator}")


def whole(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Hold the last value over invalid samples: the path itself is tested on gaps, not trained."""
    bad = ~np.isfinite(samples)
    if not bad.any():
        return samples
    last = np.maximum.accumulate(np.where(bad, 0, np.arange(len(samples))))
    return np.nan_to_num(samples[last])


def coded_in() -> list[Path]:
    """The files that turn a recording into tensors: reader, signal path, views, pairing."""
    here = Path(__file__).parent
    folders = (
        edge_runtime.signal, firmware_bridge.records, model_build.evaluate.ec57,
        model_build.augmentation,
    )  # fmt: skip
    return [
        *(
            file
            for folder in folders
            for file in sorted(Path(str(folder.__file__)).parent.iterdir())
            if file.suffix in {".py", ".toml"}
        ),
        DEFAULT_SPEC_FILE,
        *(here / name for name in ("prepare.py", "tap.py", "views.py")),
        here / "datasets" / "census.py",
        here / "datasets" / "recording.py",
        here / "detector_tuning" / "noise.py",
        here / "training" / "beats.py",
    ]


@cache
def code_digest() -> str:
    """SHA-256 of everything that turns a recording into tensors, besides its parameters.

    The versions of numpy and scipy are part of it: filters and resampling are theirs.
    """
    whole = hashlib.sha256(f"numpy {np.__version__} scipy {scipy.__version__}\0".encode())
    for file in coded_in():
        name = f"{file.parent.name}/{file.name}"
        whole.update(name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return whole.hexdigest()


def cache_path(work: Path, recording: Recording, view: View, seed: int) -> Path:
    """Where the tensors of a recording lie: named by code, data and parameters."""
    parts = (
        code_digest(), checksums()[recording.key], repr(sorted(asdict(view).items())), str(seed),
        recording.subject, recording.group, str(int(recording.blanket)),
        *(checksums()[f"nstdb/{kind}"] for kind in database("nstdb").records if needs_nstdb(view)),
    )  # fmt: skip
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    name = f"{recording.database}-{recording.record}-{view.name}-{digest}.npz"
    return work / "prepared" / name


def prepare(
    recordings: Iterable[Recording], views: Iterable[View], seed: int, work: Path
) -> Iterator[PreparedBeats]:
    """Tensors of every recording through every view, from the cache where they are there.

    A recording has no view of a lead that it lacks.
    """
    views = tuple(views)
    (work / "prepared").mkdir(parents=True, exist_ok=True)
    for recording in recordings:
        for view in views_of(recording, views):
            path = cache_path(work, recording, view, seed)
            if not path.is_file():
                prepare_recording(recording, view, seed).save(path)
            yield PreparedBeats.load(path)
