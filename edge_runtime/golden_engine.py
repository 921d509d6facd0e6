"""The shipped engine as the golden vectors' tier (c) runs it.

python -m edge_runtime.golden_engine [SET]     replays all tiers; one line of JSON
"""

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict

from edge_runtime.engine import EngineSettings
from edge_runtime.errors import EdgeRuntimeError
from edge_runtime.events import Event
from edge_runtime.inference.bundle import BundleSet
from edge_runtime.inference.golden import check_bundle_set
from edge_runtime.replay import replay
from firmware_bridge.stream import StreamItem


def run_engine(
    bundles: BundleSet, items: Iterable[StreamItem], mains_hz: int | None
) -> list[Event]:
    """All events of a fresh engine with default rules; the items begin with `StreamOpened`."""
    return list(replay(bundles, items, EngineSettings(mains_hz=mains_hz)))


def main(arguments: list[str]) -> int:
    """Print the report of a set (none: the shipped one); status 1 if anything is wrong."""
    try:
        report = check_bundle_set(arguments[0] if arguments else None, run_engine)
    except EdgeRuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps({**asdict(report), "passed": report.passed}))
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
