"""Checks that run in a guest and say `holds WHAT` or `FAILS WHAT`, and `that is all` at the end."""

import argparse
from pathlib import Path

from tests.guest.image import ROOT, Say, demand_tools
from tests.guest.machine import Guest

_LAST = "that is all"


def work_folder(description: str | None, name: str) -> Path:
    """Where the guest's disks lie, by the command line. Ends the program without the tools."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--work", type=Path, default=ROOT / "build" / name)
    given = parser.parse_args()
    demand_tools()
    work: Path = given.work.absolute()
    return work


def all_hold(running: Guest, say: Say, within_s: float) -> bool:
    """Listen until the checks have come to their end: each has held."""
    held = failed = 0
    whole = False
    for line in running.lines(within_s):
        held += line.startswith("holds ")
        failed += line.startswith("FAILS ")
        whole = line == _LAST
        if line.startswith(("holds ", "FAILS ")) or whole:
            say(line)
        if whole:
            break
    say(f"{held} held, {failed} failed" + ("" if whole else "; it did not come to its end"))
    return whole and held > 0 and not failed
