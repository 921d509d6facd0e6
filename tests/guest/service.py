"""`make test-service`: the Debian package in a computer that boots: the service under systemd, a
sensor on its serial port, a daemon that hangs, a newer release from a signed repository, the end.

    python -m tests.guest.service [--work DIR]
"""

import sys
from fractions import Fraction
from pathlib import Path

from firmware_bridge.simulator.recording import Recording
from firmware_bridge.simulator.sensor import SimulatedSensor
from tests.edge_runtime.update.publisher import Publisher
from tests.firmware_bridge.simulated import device_at
from tests.guest.checks import all_hold, work_folder
from tests.guest.image import SOURCE, Say, build_package, overlay, system
from tests.guest.machine import guest
from tests.synthetic import ecg, steady

_WITHIN_S = 3600.0
_LOOP_S, _RATE_HZ = 50, 500
"""Sixty beats of the sensor, over and over."""
NEWER = "0.9.0"
REPOSITORY = "/srv/publisher"
_CONFIG = f"""\
[[source]]
name = "chest"
port = "/dev/ttyS1"
[signal]
mains_hz = 60
[web]
enabled = true
[update]
repository = "file://{REPOSITORY}/repository"
"""
_UNIT = f"""[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/sh {SOURCE}/tests/guest/in_the_guest.sh
StandardOutput=tty
StandardError=tty
TTYPath=/dev/ttyS0
[Install]
WantedBy=default.target
"""


def furnish(tree: Path) -> None:
    """Configure the daemon, offer it a newer release, and let the checks run behind the boot."""
    (tree / "etc/edge-runtime").mkdir(parents=True, exist_ok=True)
    publisher = Publisher(tree / REPOSITORY.lstrip("/"))
    newer = build_package(tree / "packages", NEWER)
    publisher.publish_package(newer)
    newer.unlink()
    (tree / "etc/edge-runtime/update-root.json").write_bytes(publisher.first_root)
    (tree / "etc/edge-runtime/config.toml").write_text(_CONFIG)
    units = tree / "etc/systemd/system"
    (units / "guest-check.service").write_text(_UNIT)
    for wants, unit, at in (
        ("default.target.wants", "guest-check.service", "/etc/systemd/system"),
        ("multi-user.target.wants", "ecg-edge.service", "/usr/lib/systemd/system"),
    ):
        (units / wants).mkdir(exist_ok=True)
        link = units / wants / unit
        link.unlink(missing_ok=True)
        link.symlink_to(f"{at}/{unit}")
    # The console is the checks' own.
    (units / "serial-getty@ttyS0.service").symlink_to("/dev/null")


def main() -> None:
    """Boot, listen, judge."""
    work, say = work_folder(__doc__, "guest"), Say()
    made = system(work, say, furnish)
    folder = work / "service"
    folder.mkdir(exist_ok=True)
    disk = folder / "root.qcow2"
    overlay(disk, made.disk)
    # Regular: a release is not changed while an alarm is on.
    millivolts = ecg(steady(72, 0.5, _LOOP_S), _LOOP_S, _RATE_HZ)
    recording = Recording("steady", Fraction(_RATE_HZ), ("II",), millivolts)
    with device_at(folder / "sensor", SimulatedSensor(recording), speed=1.0):
        say("booting")
        with guest(folder, made, [disk], sensor=folder / "sensor") as running:
            good = all_hold(running, say, _WITHIN_S)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
