"""P-wave peaks of six mitdb records: marks only, the signals are mitdb's.

Only records of the training half are pinned. They are in folds, as the records of mitdb are, so
they train and are left out with them.
"""

from pathlib import Path

from model_build.datasets.catalogue import database
from model_build.datasets.locate import ensure

SUFFIX = "pwave"


def p_wave_files(directory: Path) -> dict[str, Path]:
    """The file of P-wave peaks by mitdb record, verified."""
    folder = ensure(directory, "mitdb-pwave")
    return {record: folder / f"{record}.{SUFFIX}" for record in database("mitdb-pwave").records}
