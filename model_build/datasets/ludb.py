"""Lobachevsky University database: 200 people, 12 leads of 10 s, waves marked in each lead."""

from dataclasses import replace
from pathlib import Path

from firmware_bridge.records import read_header
from model_build.datasets.catalogue import database
from model_build.datasets.leads import Lead, recorded


def delineated(directory: Path) -> list[Lead]:
    """Every lead of every record, each with the marks that were set in it.

    Beats at the very start and end of a record have no marks; between, no wave is left out.
    """
    return [
        replace(lead, waves=read_header(lead.path).sig_name[lead.channel], consecutive=True)
        for lead in recorded(directory, "ludb", database("ludb").records)
    ]
