"""Serial streams in real time: is every sample there, and what does reading them cost?

Eight leads at 500 Hz of the own protocol, and a Cyton's stream beside BrainFlow's own driver. Each
reader is a process of its own; its CPU time is that between the first sample and the last.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from firmware_bridge.boards.cyton import BOARD, CytonParser
from firmware_bridge.boards.samples import BoardSamples
from firmware_bridge.boards.session import BoardSession
from firmware_bridge.drivers import DriverRequest, driver_maker
from firmware_bridge.records import Header, SignalSpec, write_signals
from firmware_bridge.stream import Gap, SampleChunk

_LEADS = 8
_RATE_HZ = 500
_SETTLE_S = 2.0
_CYTON_HZ = 250


def table(folder: Path, seconds: float) -> Table:
    """One row for each reader."""
    shown = Table(title=f"serial ports, {seconds:g} s in real time, each reader a process")
    for column in ("stream, reader", "samples", "lost", "% of one core", "µs per sample"):
        shown.add_column(column, justify="left" if column.startswith("stream") else "right")
    rows = (
        ("own protocol, 8 leads at 500 Hz", "sensor", "serial"),
        ("Cyton, 8 inputs at 250 Hz", "cyton", "cyton"),
        ("the same, BrainFlow's own driver", "cyton", "brainflow"),
    )
    for words, device, reader in rows:
        with _simulated(folder / device, device) as port:
            told = _read(reader, port, seconds)
        shown.add_row(
            words,
            f"{told['samples']:,}",
            f"{told['lost']:,}",
            f"{100 * told['cpu_s'] / told['wall_s']:.2f}",
            f"{1e6 * told['cpu_s'] / told['samples']:.1f}",
        )
    shown.add_row("Cyton, bytes to stream items alone", "", "", "", f"{_decode_us():.2f}")
    return shown


@contextmanager
def _simulated(folder: Path, device: str) -> Iterator[Path]:
    """A simulated device as a program."""
    folder.mkdir(exist_ok=True)
    port = folder / "port"
    options = ["--device", device, "--link", str(port), "--record", str(ramps(folder))]
    options += ["--scenario", "none", "--leads", str(_LEADS), "--json"]
    simulator = subprocess.Popen(
        [sys.executable, "-m", "firmware_bridge", "simulate", *options],
        stdout=subprocess.PIPE,
    )
    assert simulator.stdout is not None
    try:
        simulator.stdout.readline()
        yield port
    finally:
        simulator.terminate()
        simulator.wait()
        simulator.stdout.close()


def ramps(folder: Path) -> Path:
    """A record whose leads differ and need 24 bits."""
    counts = np.arange(60 * _RATE_HZ)[:, None] % 1000 + 10_000 * np.arange(_LEADS)
    specs = tuple(SignalSpec(f"L{k}", "", 24, 1000.0) for k in range(_LEADS))
    header = Header("ramps", Fraction(_RATE_HZ), len(counts), specs)
    write_signals(folder / "ramps", counts.astype(np.int32), header)
    return folder / "ramps"


def _read(reader: str, port: Path, seconds: float) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.benchmarks.serial_streams", reader, str(port)]
    done = subprocess.run([*command, str(seconds)], capture_output=True, text=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


async def _ours(driver: str, port: str, seconds: float) -> dict[str, float]:
    samples = lost = 0
    began = cpu = None
    made = driver_maker(driver)(DriverRequest("bench", port))
    async with aclosing(made.stream()) as stream:  # type: ignore[type-var]
        opened_s = time.monotonic()
        async for item in stream:
            now = time.monotonic()
            if began is None:
                if now - opened_s > _SETTLE_S and isinstance(item, SampleChunk):
                    began, cpu = now, time.process_time()
                continue
            samples += len(item.samples) if isinstance(item, SampleChunk) else 0
            lost += item.n_missing if isinstance(item, Gap) else 0
            if now - began >= seconds:
                break
    assert began is not None
    assert cpu is not None
    spent = time.process_time() - cpu
    return {"samples": samples, "lost": lost, "cpu_s": spent, "wall_s": time.monotonic() - began}


def _brainflow(port: str, seconds: float) -> dict[str, float]:
    from brainflow.board_shim import BoardIds, BoardShim, BrainFlowInputParams

    BoardShim.disable_board_logger()
    asked = BrainFlowInputParams()
    asked.serial_port = str(Path(port).resolve())
    board = BoardShim(BoardIds.CYTON_BOARD, asked)
    board.prepare_session()
    board.start_stream()
    time.sleep(_SETTLE_S)
    board.get_board_data()
    began, cpu = time.monotonic(), time.process_time()
    time.sleep(seconds)
    data = board.get_board_data()
    spent, wall_s = time.process_time() - cpu, time.monotonic() - began
    board.stop_stream()
    board.release_session()
    numbers = data[BoardShim.get_package_num_channel(BoardIds.CYTON_BOARD)]
    lost = int(((np.diff(numbers) - 1) % 256).sum())
    return {"samples": data.shape[1], "lost": lost, "cpu_s": spent, "wall_s": wall_s}


def _decode_us() -> float:
    """Parser and session over bytes in memory, in the portions in which a port is read."""
    frames = b"".join(
        bytes([0xA0, k % 256]) + (k % 5000).to_bytes(3, "big") * 8 + bytes(6) + b"\xc0"
        for k in range(200 * _CYTON_HZ)
    )
    portion = 33 * _CYTON_HZ // 5
    parser, session = CytonParser(), BoardSession("bench", BOARD.form)
    began = time.process_time()
    for k, at in enumerate(range(0, len(frames), portion)):
        items = parser.feed(frames[at : at + portion])
        assert all(isinstance(item, BoardSamples) for item in items)
        session.feed(items, k * 200_000_000)
    return (time.process_time() - began) / (len(frames) // 33) * 1e6


def main() -> None:
    """Be one reader: print what it read as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reader", choices=("serial", "cyton", "brainflow"))
    parser.add_argument("port")
    parser.add_argument("seconds", type=float)
    asked = parser.parse_args()
    if asked.reader == "brainflow":
        told = _brainflow(asked.port, asked.seconds)
    else:
        told = asyncio.run(_ours(asked.reader, asked.port, asked.seconds))
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main()
