"""`make fuzz`: every parser fed at least a million made-up frames, guided by coverage.

    python -m tests.fuzz [--frames 1000000] [--only NAME] [--seconds 600]

atheris (libFuzzer) where it is installed; else plain random bytes. Ends with 1 at the first input
that breaks a target; atheris then leaves it in a file `crash-...`.
"""

import argparse
import random
import re
import subprocess
import sys
import time

from rich.console import Console
from rich.table import Table

try:
    import atheris
except ImportError:
    atheris = None  # type: ignore[assignment]

if atheris is not None and "--be" in sys.argv:
    with atheris.instrument_imports(include=["firmware_bridge"]):
        from tests.fuzz.targets import TARGETS, run
else:
    from tests.fuzz.targets import TARGETS, run

_FRAMES = 50
"""One input is cut into so many frames."""
_LONGEST = 2000
_DONE = re.compile(r"Done (\d+) runs in (\d+) second")


def fuzz_one(name: str, runs: int, seconds: int) -> None:
    """Be the process that feeds one target; says on standard error how many runs it did."""
    target = TARGETS[name]
    if atheris is not None:
        limits = [f"-runs={runs}", f"-max_total_time={seconds}", f"-max_len={_LONGEST}", "-seed=1"]
        atheris.Setup([sys.argv[0], *limits], lambda data: run(target, data, _FRAMES))
        atheris.Fuzz()  # does not return
    source, began = random.Random(1), time.monotonic()
    done = 0
    while done < runs and time.monotonic() - began < seconds:
        run(target, source.randbytes(source.randrange(_LONGEST)), _FRAMES)
        done += 1
    sys.stderr.write(f"Done {done} runs in {int(time.monotonic() - began)} second(s)\n")


def main() -> int:
    """Fuzz the targets one after another; 0 when none broke."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=1_000_000, help="for each parser")
    parser.add_argument("--seconds", type=int, default=3600, help="at most, for each parser")
    parser.add_argument("--only", choices=sorted(TARGETS), action="append")
    parser.add_argument("--be", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    runs = -(-asked.frames // _FRAMES)
    if asked.be:
        fuzz_one(asked.be, runs, asked.seconds)
        return 0
    guided = "random bytes" if atheris is None else "atheris"
    shown = Table(title=f"made-up frames ({guided}), none broke a parser")
    for column in ("parser", "frames", "s"):
        shown.add_column(column, justify="left" if column == "parser" else "right")
    for name in asked.only or TARGETS:
        limits = ["--frames", str(asked.frames), "--seconds", str(asked.seconds)]
        done = subprocess.run(
            [sys.executable, "-m", "tests.fuzz", "--be", name, *limits],
            capture_output=True,
            text=True,
            check=False,
        )
        told = _DONE.search(done.stderr)
        if done.returncode or told is None:
            sys.stderr.write(done.stderr + f"\n{name}: broken\n")
            return 1
        sys.stderr.write(f"{name}: {int(told[1]) * _FRAMES:,} frames in {told[2]} s\n")
        shown.add_row(name, f"{int(told[1]) * _FRAMES:,}", told[2])
    Console().print(shown)
    return 0


if __name__ == "__main__":
    sys.exit(main())
