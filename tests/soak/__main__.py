"""`make soak`: what happens to sensors at night, a thousand times.

    python -m tests.soak [--faults 1000] [--seed 1] [--away SECONDS] [--work DIR]

A daemon reads emulated sensors on serial ports and on the air, all at once and in real time; each
is broken again and again in a way drawn at random, or, with --away, out of reach once and for so
long. Afterwards the store is held against what the
sensors took: their samples are numbered. Results are appended to WORK/soak.jsonl; a table of all
that is there comes at the end. Ends with 1 where a limit was not kept.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any, Final

from rich.console import Console

from firmware_bridge.simulator.ble.private_bus import ENVIRONMENT, private_bus
from tests.soak.accounts import account
from tests.soak.daemon import Daemon
from tests.soak.results import Hit, Run, broken_limits, read, tables
from tests.soak.straps import Air, WornSensor
from tests.soak.stream import Break, Stream
from tests.soak.wired import OwnSensor, board

_OPENED_WITHIN_S: Final = 60.0
_NOTICED_WITHIN_S: Final = 20.0
_AGAIN_WITHIN_S: Final = 90.0
_SETTLE_S: Final = 1.0
_WELL_S: Final = (1.0, 3.0)
"""How long all is well between two faults."""
_WIDTH: Final = 140
_AIR_EVERY: Final = 4
"""One in so many rounds of the straps is of what befalls them all."""


class Soak:
    """One run of `n_faults` over the streams of a ward; or with each of them `away_s` once."""

    def __init__(
        self, folder: Path, results: Path, n_faults: int, seed: int, away_s: float | None
    ) -> None:
        self._results = results
        self._left = n_faults
        self._seed = seed
        self._away_s = away_s
        self._folder = folder
        self._air = Air()
        self._wired = [
            *(OwnSensor(f"sensor-{k}", folder / f"sensor-{k}") for k in (1, 2)),
            *(board(name, name, folder / name) for name in ("cyton", "healthypi6")),
        ]
        self._worn = [WornSensor(name, self._air.link) for name in ("h10", "movesense")]
        self._worn.append(WornSensor("ble-sensor", self._air.link))
        self._streams: list[Stream] = [*self._wired, *self._worn]
        self._daemon = Daemon(self._streams, folder / "store", results.with_name("daemon.log"))

    async def run(self) -> None:
        """From an empty ward to the accounts."""
        began_s = time.monotonic()
        async with AsyncExitStack() as stack:
            await self._air.begin()
            stack.push_async_callback(self._air.end)
            living = [asyncio.ensure_future(sensor.live()) for sensor in self._wired]
            stack.callback(lambda: [task.cancel() for task in living])
            for sensor in self._worn:
                await sensor.begin()
                stack.push_async_callback(sensor.strap.stop)
            await self._daemon.start()
            stack.push_async_callback(self._daemon.stop)
            for stream in self._streams:
                await self._daemon.opened(stream.name, _OPENED_WITHIN_S)
            async with asyncio.TaskGroup() as group:
                for work in self._work():
                    group.create_task(work)
            await asyncio.sleep(_SETTLE_S)
            was_alive = self._daemon.is_alive
            status = await self._daemon.stop()
        accounts = [
            account(self._folder / "store", one.name, one.rate_hz, one.lead)
            for one in self._streams
        ]
        run = Run(
            self._seed,
            round(time.monotonic() - began_s),
            0 if was_alive and status == 0 else 1,
            tuple(accounts),
        )
        self._append(run)

    def _work(self) -> Iterator[Coroutine[Any, Any, None]]:
        if self._away_s is not None:
            for stream in self._streams:
                yield self._send_away(stream, self._away_s)
            return
        for k, sensor in enumerate(self._wired):
            yield self._break_one(sensor, Random(self._seed * 100 + k))
        yield self._break_straps(Random(self._seed * 100 + 99))

    async def _send_away(self, stream: Stream, seconds: float) -> None:
        await asyncio.sleep(_WELL_S[1])
        kind = f"out of reach for {seconds:,.0f} s"
        await self._hit([stream], kind, lambda _: stream.be_away(seconds), Random())
        await asyncio.sleep(_WELL_S[1])

    async def _break_one(self, stream: Stream, random: Random) -> None:
        kinds = sorted(stream.faults)
        while self._take():
            await asyncio.sleep(random.uniform(*_WELL_S))
            kind = random.choice(kinds)
            await self._hit([stream], kind, stream.faults[kind], random)

    async def _break_straps(self, random: Random) -> None:
        """Each by itself, but all are well when what they have in common breaks."""
        turns = 0
        while self._left > 0:
            turns += 1
            await asyncio.sleep(random.uniform(*_WELL_S))
            if turns % _AIR_EVERY == 0:
                taken = [strap for strap in self._worn if self._take()]
                kind = random.choice(sorted(self._air.faults))
                await self._hit(taken, kind, self._air.faults[kind], random)
                continue
            async with asyncio.TaskGroup() as group:
                for strap in self._worn:
                    if self._take():
                        kind = random.choice(sorted(strap.faults))
                        group.create_task(self._hit([strap], kind, strap.faults[kind], random))

    def _take(self) -> bool:
        self._left -= 1
        return self._left >= 0

    async def _hit(
        self, streams: Sequence[Stream], kind: str, break_: Break, random: Random
    ) -> None:
        """Break it, see the streams down and up again, and write down how long that took."""
        began = time.monotonic()
        fault = await break_(random)
        if fault.silent_at is None:
            await asyncio.sleep(_SETTLE_S)
        for stream in streams:
            noticed_s = again_s = None
            try:
                lost = self._daemon.loss(stream.name, began)
                if fault.silent_at is not None:
                    lost = await self._daemon.down(stream.name, began, _NOTICED_WITHIN_S)
                    noticed_s = lost.at - fault.silent_at
                if lost is not None:
                    up = await self._daemon.streaming(stream.name, _AGAIN_WITHIN_S)
                    again_s = fault.again_s(lost.at, up.at)
                is_over = True
            except TimeoutError:
                is_over = False
            self._append(Hit(stream.name, stream.link, kind, noticed_s, again_s, is_over))

    def _append(self, row: Hit | Run) -> None:
        with self._results.open("a") as file:
            file.write(json.dumps({"row": type(row).__name__, **asdict(row)}) + "\n")


async def _run(folder: Path, results: Path, asked: argparse.Namespace) -> None:
    # Radios are made in a running loop.
    await Soak(folder, results, asked.faults, asked.seed, asked.away).run()


def main() -> int:
    """Run the soak; 0 when all limits were kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--away", type=float, metavar="SECONDS")
    parser.add_argument("--work", type=Path, default=Path("var/soak"))
    asked = parser.parse_args()
    asked.work.mkdir(parents=True, exist_ok=True)
    results = asked.work / "soak.jsonl"
    with tempfile.TemporaryDirectory(prefix="ecg-edge-soak-") as folder, private_bus() as bus:
        os.environ[ENVIRONMENT] = bus
        asyncio.run(_run(Path(folder), results, asked))
    hits, runs = read(results)
    console = Console() if sys.stdout.isatty() else Console(width=_WIDTH)
    for table in tables(hits, runs):
        console.print(table)
    problems = broken_limits(hits, runs)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
