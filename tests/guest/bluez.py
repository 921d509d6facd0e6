"""`make test-bluez`: the daemon reads a Polar H10 through a real bluetoothd and a real kernel.

    python -m tests.guest.bluez [--work DIR]

The strap and the computer's Bluetooth adapter are software (bumble), the adapter behind /dev/vhci;
all between it and the daemon is Debian's. What is done there: `tests/guest/bluez_inside.py`.
"""

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from tests.guest.checks import all_hold, work_folder
from tests.guest.image import PYTHON, SOURCE, Say, overlay, system
from tests.guest.machine import guest

_WITHIN_S = 1200.0
WITNESS = "/srv/witness"
"""Where the guest has bumble, which no device needs."""


def furnish(tree: Path) -> None:
    """Bring the emulated radio."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--only-binary=:all:"]
    command += ["--python-version=3.11", "--target", str(tree / WITNESS.lstrip("/"))]
    subprocess.run([*command, f"bumble=={version('bumble')}"], check=True)


def main() -> None:
    """Boot, listen, judge."""
    work, say = work_folder(__doc__, "guest-bluez"), Say()
    made = system(
        work, say, furnish, kernel_package="linux-image-amd64", more_packages=("bluez", "kmod")
    )
    disk = work / "root.qcow2"
    overlay(disk, made.disk)
    script = f"cd {SOURCE}; export PYTHONPATH={SOURCE}:{WITNESS} OMP_NUM_THREADS=1; "
    script += "export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root; mount -t proc proc /proc; "
    script += f"exec {PYTHON} -m tests.guest.bluez_inside"
    say("booting")
    with guest(work, made, [disk], f'init=/bin/sh -- -c "{script} 2>&1"') as running:
        good = all_hold(running, say, _WITHIN_S)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
