"""CinC 2017: short hand-held recordings, labelled as a whole, used as negatives.

A recording of normal rhythm or of atrial fibrillation has no S beats worth the name, but may have
an unmarked V, and a detected peak may be no beat, so they are trained as "not S" rather than as N.
"""

from pathlib import Path

from model_build.datasets.catalogue import database
from model_build.datasets.locate import ensure
from model_build.datasets.recording import Group, Recording, Target
from model_build.datasets.subjects import subject

_GROUPS = {"normal": Group.NORMAL_RECORD, "atrial_fibrillation": Group.AF_RECORD}


def training(directory: Path) -> list[Recording]:
    """Pinned records labelled N or A (the 17 relabelled ones are not pinned)."""
    groups = database("cinc2017").groups
    folder = ensure(directory, "cinc2017", [r for group in _GROUPS for r in groups[group]])
    return [
        Recording("cinc2017", r, subject("cinc2017", r), folder / r, kind, None, Target.NOT_S)
        for group, kind in _GROUPS.items()
        for r in groups[group]
    ]
