"""A recipe: everything a training run depends on besides the data and the code."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import cattrs

from model_build.errors import RecipeError
from model_build.recipe_changes import Change
from model_build.recipe_files import recipe_entries, structured


@dataclass(frozen=True, slots=True)
class Data:
    """Which archives train (names of modules in `model_build.datasets`).

    `only` and `exclude` name subjects ("mitdb/118"): those alone, and all but those.
    """

    sources: tuple[str, ...]
    only: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


Rhythm = Literal[
    "af", "flutter", "pac", "s_runs", "s_tachycardia", "s_bigeminy", "sick_sinus",
    "v_runs", "v_bigeminy", "sinus_arrhythmia", "sinus_tachycardia", "slow_sinus", "blocked_pac",
    "av_block",
]  # fmt: skip
"""Rhythms that `model_build.augmentation` makes of a patient's own beats."""
NoiseKind = Literal["em", "ma", "bw", "gaussian"]
"""nstdb's electrode motion, muscle noise and baseline wander; white noise."""


@dataclass(frozen=True, slots=True)
class View:
    """How a raw recording is altered before it passes the signal path. Pairs are ranges drawn from.

    `rate_hz` 0 keeps the archive's rate (as does a higher one); an empty range alters nothing.
    `piece_s` cuts recordings into pieces, each through a path that knows nothing yet: the cold
    start; 0 leaves them whole. `mains_hz` is the path's notch, 0 for none. `channel` is the lead,
    by position; a recording without it has no such view. `sources` are the archives that have the
    view; none named: all.

    Altered before that, annotations following: `rhythm_share` of the time is filled with episodes
    of the `rhythm`s, one drawn for each; a view with rhythms is of annotated beats only, and of
    records that hold what the rhythms are made of. `rr_warp` is the largest change (log) of RR by
    stretched pauses, `time_scale` how much slower everything goes. `noise_share` of the time holds
    noise of one of `noise_kind` at a ratio of `noise_snr_db`; `wander` is the height of a slow
    baseline in QRS heights, `drift` the deviation (log) of a slow gain.

    `companion` is the second lead of a two-lead student, by position (a recording without it is
    seen on one lead); -1 for none. `companion_snr_db`: nstdb's noise lies on all of it, at ratios
    drawn from this range.
    """

    name: str
    rate_hz: float = 0.0
    bits: tuple[int, ...] = ()
    range_mv: float = 10.0
    lowpass_hz: tuple[float, ...] = ()
    highpass_hz: tuple[float, ...] = ()
    gain: tuple[float, ...] = ()
    inverted_share: float = 0.0
    piece_s: float = 0.0
    mains_hz: int = 60
    channel: int = 0
    sources: tuple[str, ...] = ()
    rhythm: tuple[Rhythm, ...] = ()
    rhythm_share: float = 0.6
    rr_warp: float = 0.0
    time_scale: tuple[float, ...] = ()
    noise_kind: tuple[NoiseKind, ...] = ("em", "ma", "bw", "gaussian")
    noise_snr_db: tuple[float, ...] = ()
    noise_share: float = 0.6
    wander: tuple[float, ...] = ()
    drift: float = 0.0
    dropouts_per_min: float = 0.0
    companion: int = -1
    companion_snr_db: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Weight:
    """How much one beat of each `Group` of recordings counts in the loss."""

    beats: float = 1.0
    af_beats: float = 1.0
    normal_record: float = 0.3
    af_record: float = 0.5


@dataclass(frozen=True, slots=True)
class Loss:
    """Weights by class, and of the auxiliary loss on the class activation map."""

    class_weight: dict[str, float]
    cam: float = 0.2


@dataclass(frozen=True, slots=True)
class Imbalance:
    """What is done about rare classes beyond `Loss.class_weight` (`training.imbalance`).

    `weighted`: by inverse frequency; `class_balanced`: by the effective number of beats (`beta`);
    `dynamic`: by the class's misses on `validation_share` of the subjects, which train nothing,
    never below `least`; `focal`: the loss of sure beats fades with `gamma`; `two_stage`: by
    inverse frequency for the first `balanced_share` of the epochs; `smote`, `undersample`: as
    `none`, then the last layer again on balanced embeddings, `most_beats` of a class at most.
    """

    method: Literal[
        "none", "weighted", "class_balanced", "dynamic", "focal", "two_stage", "smote",
        "undersample",
    ] = "none"  # fmt: skip
    beta: float = 0.9999
    validation_share: float = 0.1
    least: float = 0.05
    gamma: float = 2.0
    balanced_share: float = 0.5
    most_beats: int = 20_000

    @property
    def focusing(self) -> float:
        """`gamma` where the method is `focal`, else 0."""
        return self.gamma if self.method == "focal" else 0.0


@dataclass(frozen=True, slots=True)
class Segments:
    """Runs of `beats` consecutive beats with a loss, after as many as the history holds.

    An epoch takes every segment with S, V or F, and `quiet_share` of the rest; in
    `cold_start_share` of them the history is cut at a random place.
    """

    beats: int = 96
    quiet_share: float = 0.25
    cold_start_share: float = 0.15


@dataclass(frozen=True, slots=True)
class Leads:
    """How a two-lead student learns to do with one lead; nothing for one-lead students.

    Shares of the segments with two leads: in `dropout_share` one lead, drawn, is not there at
    all; in `loss_share` one is lost at a random beat and does not come back.
    """

    dropout_share: float = 0.3
    loss_share: float = 0.1


@dataclass(frozen=True, slots=True)
class Augmentation:
    """What acts on windows: gain (relative), shift in window samples, noise as shares.

    `inverted_share` of the segments are turned upside down.
    """

    gain_sd: float = 0.0
    jitter_samples: int = 0
    noise_sd: float = 0.0
    feature_noise_sd: float = 0.0
    inverted_share: float = 0.0


@dataclass(frozen=True, slots=True)
class Optimizer:
    """Adam, cosine decay after a linear warm-up, averaged weights.

    `kind` "adamw" decays weights apart from the gradient; "adam" decays none.
    """

    kind: Literal["adam", "adamw"] = "adamw"
    epochs: int = 16
    batch_segments: int = 16
    learning_rate: float = 3e-3
    warmup_share: float = 0.05
    weight_decay: float = 1e-4
    ema: float = 0.995


@dataclass(frozen=True, slots=True)
class Prune:
    """Structured pruning: `share` of the INT8 payload goes in `steps`, each followed by `epochs`
    of training at `learning_rate`."""

    share: float = 0.3
    steps: int = 3
    epochs: int = 2
    learning_rate: float = 1e-3


@dataclass(frozen=True, slots=True)
class Quantize:
    """How many beats of training subjects calibrate the INT8 scales, and what follows.

    `method` is "ptq" (converted as trained) or "qat" (trained on with the roundings of `[qat]`);
    `bias_correction` takes the mean error of every channel back before either. With `fit_head` a
    cross-validation leaves the temperature and class biases that are folded into the last layer.
    """

    calibration_beats: int = 500
    method: Literal["ptq", "qat"] = "ptq"
    bias_correction: bool = False
    fit_head: bool = False


@dataclass(frozen=True, slots=True)
class Qat:
    """Quantization-aware training: how long, and at which rate."""

    epochs: int = 3
    learning_rate: float = 3e-4


@dataclass(frozen=True, slots=True)
class PWaves:
    """An auxiliary output of the student in training: P present or absent, where it is marked.

    `weight` of its loss, 0 for none. `views` are those whose beats lie where the record's do, on
    a lead that shows P waves.
    """

    weight: float = 0.0
    views: tuple[str, ...] = ("native", "recorder")


@dataclass(frozen=True, slots=True)
class Pretrain:
    """Pre-training of the beat encoder's trunk. Without it the trunk starts from random weights.

    A step takes `batch` beats whose waves are marked, from `delineated`, and as many with stretches
    masked, from `masked`; an epoch takes all of the former once. `masked_share` of the window is
    hidden; `masked_loss` and `p_wave_loss` weigh the heads against delineation.
    """

    delineated: tuple[str, ...] = ("ludb", "qtdb")
    masked: tuple[str, ...] = (
        "ludb", "qtdb", "ptbxl", "cinc2015", "cinc2017", "cinc2020", "cinc2021", "cpsc2021",
    )  # fmt: skip
    epochs: int = 24
    batch: int = 128
    learning_rate: float = 3e-3
    warmup_share: float = 0.05
    weight_decay: float = 1e-4
    masked_share: float = 0.3
    masked_loss: float = 0.5
    p_wave_loss: float = 0.2
    gain_sd: float = 0.15
    noise_sd: float = 0.05
    inverted_share: float = 0.15


@dataclass(frozen=True, slots=True)
class Teacher:
    """What makes a recipe one for a teacher (`model_build.teacher`).

    `pairs` name views that show the same beats on two leads; `lead_dropout` is the share of such
    segments that lose one. The ensemble has one member for each of `seeds`. Predictions are made
    on `predict_beats` beats at once with `overlap` more on each side. `sizes` are entries of
    `models.teacher.TeacherConfig`.
    """

    seeds: tuple[int, ...]
    pairs: tuple[tuple[str, str], ...] = ()
    lead_dropout: float = 0.3
    predict_beats: int = 896
    overlap: int = 64
    sizes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Distil:
    """How a student learns from the ensemble of the recipe `teacher`, cross-fitted by subject.

    loss = (1 - alpha) * hard + alpha * temperature^2 * KL(teacher || student), both softened by
    `temperature`, + feature_weight * (1 - cosine) between a projection of the student's embedding
    and the teacher's representation of the beat.
    """

    teacher: str
    alpha: float = 0.5
    temperature: float = 2.0
    feature_weight: float = 0.0


@dataclass(frozen=True, slots=True)
class Cleaning:
    """Training weight of beats whose label a cross-fitted ensemble contradicts.

    Contradicted: the classes that the label leaves out have together at least `min_probability`.
    Weights are multiplied by `weight`; labels, and everything that is scored, stay.
    """

    teacher: str
    min_probability: float = 0.95
    weight: float = 0.0
    sources: tuple[str, ...] = ("svdb",)


@dataclass(frozen=True, slots=True)
class Recipe:
    """One recipe file. `thresholds` are the least scores at which a class is emitted; X is that of
    an artefact, and `tentative` the joint score of beats from which a tentative peak is one."""

    name: str
    seed: int
    data: Data
    view: tuple[View, ...]
    weight: Weight
    loss: Loss
    segments: Segments
    augmentation: Augmentation
    optimizer: Optimizer
    quantize: Quantize
    leads: Leads = field(default_factory=Leads)
    prune: Prune | None = None
    qat: Qat = field(default_factory=Qat)
    imbalance: Imbalance = field(default_factory=Imbalance)
    thresholds: dict[str, float] = field(default_factory=dict)
    student: dict[str, Any] = field(default_factory=dict)
    pretrain: Pretrain | None = None
    p_wave: PWaves = PWaves()
    teacher: Teacher | None = None
    distil: Distil | None = None
    cleaning: Cleaning | None = None
    digest: str = ""

    @property
    def n_leads(self) -> int:
        """How many leads the student takes."""
        return int(self.student.get("leads", 1))

    @property
    def short(self) -> str:
        """The first characters of the digest, for names of files and messages."""
        return self.digest[:12]


_converter = cattrs.Converter(forbid_extra_keys=True)


def sizes(entries: dict[str, Any]) -> dict[str, Any]:
    """Entries of a free table as keywords of a frozen dataclass: lists become tuples."""

    def fixed(value: Any) -> Any:
        return tuple(map(fixed, value)) if isinstance(value, list) else value

    return {name: fixed(value) for name, value in entries.items()}


def read_recipe(path: Path, change: Change | None = None) -> Recipe:
    """Read a recipe, changed if that is wished; a changed one has a digest of its own.

    Raises `RecipeError` listing every unknown key and wrong value.
    """
    recipe = structured(_converter, path, recipe_entries(path, change), Recipe)
    if not recipe.view:
        raise RecipeError(f"{path}: at least one [[view]] is needed")
    return recipe
