"""QT Database: boundaries that the first annotator set by hand (`q1c`) at some 30 beats a record.

They were set with both leads in view, so they are taken for either. Onsets of T are often missing,
and the marked beats are chosen ones: between them may lie others without a mark.
"""

from dataclasses import replace
from pathlib import Path

from model_build.datasets.catalogue import database
from model_build.datasets.leads import Lead, recorded


def delineated(directory: Path) -> list[Lead]:
    """Both leads of every pinned record. None of them was cut from mitdb or svdb."""
    leads = recorded(directory, "qtdb", database("qtdb").records)
    return [replace(lead, waves="q1c") for lead in leads]
