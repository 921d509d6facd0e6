"""The reference sensor, its firmware and boot loader in C, flashed as its owner would flash it."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from firmware_bridge import protocol
from firmware_bridge.cli import main
from tests.firmware_bridge.flash.signing import KeyPair, make_key, run_imgtool

SOURCES = Path(protocol.__file__).parent / "c"
BOARD = "ecg_reference"
GARBAGE, NEVER_STARTS, HALF_THE_RATE = 1, 2, 3
SANITIZED = "-O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all"

pytestmark = pytest.mark.skipif(
    shutil.which("cc") is None and os.environ.get("CI") != "true",
    reason="there is no C compiler",
)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@dataclass(frozen=True)
class Workshop:
    """Where firmware is built and signed."""

    folder: Path
    key: KeyPair
    flags: str = "-O2"

    def image(self, version: str, fault: int = 0, board: str = BOARD) -> Path:
        """A signed image of the firmware, good or with a fault, as the documentation makes it."""
        out = self.folder / f"{version}-{fault}"
        make = ["make", "-s", "-C", SOURCES / "reference", f"OUT={out}", f"VERSION={version}"]
        subprocess.run([*make, f"FAULT={fault}", f"CFLAGS={self.flags}"], check=True)
        signed = out / "signed.bin"
        arguments = ["sign", "-k", self.key.private, "-v", version, "-H", "0x200", "--pad-header"]
        arguments += ["-S", "0x80000", "--align", "4", "--custom-tlv", "0xa0", board]
        assert run_imgtool(*arguments, out / f"sensor-{version}.bin", signed) == 0
        return signed

    @property
    def boot(self) -> Path:
        """The boot loader that was built beside the first image."""
        return next(self.folder.glob("*/boot"))


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    folder = tmp_path_factory.mktemp("workshop")
    return Workshop(folder, make_key(folder))


@contextmanager
def powered(boot: Path, flash: Path, port: Path) -> Iterator[Path]:
    """The device while it is switched on; what it writes to stderr is kept in this file."""
    said = port.with_name("stderr.txt")
    with said.open("ab") as errors, subprocess.Popen([boot, flash, port], stderr=errors) as process:
        deadline = time.monotonic() + 5
        while not port.is_symlink() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        try:
            yield said
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(10)


@pytest.fixture
def device(workshop: Workshop, tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Switch a device on that left the factory with firmware of a version; gives its port."""
    running = []

    def start(version: str) -> Path:
        flash, port = tmp_path / "flash", tmp_path / "port"
        flash.mkdir()
        shutil.copy(workshop.image(version), flash / "slot-a.bin")
        context = powered(workshop.boot, flash, port)
        context.__enter__()
        running.append(context)
        return port

    yield start
    for context in running:
        context.__exit__(None, None, None)


def flash(port: Path, image: Path, workshop: Workshop, *options: str) -> Result:
    quick = ("--self-test", "4", "--boot", "30")
    return run("flash", port, image, "--keys", workshop.key.public, *quick, *options)


def slots(port: Path) -> str:
    said = run("images", port)
    assert said.exit_code == 0, said.stderr
    return said.stdout


@pytest.mark.timeout(120)
def test_a_good_image_is_uploaded_tried_tested_and_kept(
    workshop: Workshop, device: Callable[[str], Path]
) -> None:
    port = device("1.0.0")
    said = flash(port, workshop.image("1.1.0"), workshop)
    assert said.exit_code == 0, said.stderr
    measured = re.search(r"installed, 1\.0\.0 -> 1\.1\.0, streams (\d+) Hz", said.stdout)
    assert measured is not None, said.stdout
    assert abs(int(measured[1]) - 250) <= 10
    told = slots(port)
    assert f"board {BOARD}" in told
    assert "slot 0: 1.1.0 (active, confirmed, bootable)" in told
    assert "slot 1: 1.0.0 (bootable)" in told
    again = flash(port, workshop.image("1.1.0"), workshop)
    assert "already installed" in again.stdout
    back = run("revert", port)
    assert back.exit_code == 0, back.stderr
    assert "slot 0: 1.0.0 (active, confirmed, bootable)" in slots(port)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (GARBAGE, "self-test failed: "),
        (NEVER_STARTS, "did not start"),
        (HALF_THE_RATE, "Hz and says 250 Hz"),
    ],
)
def test_an_image_that_fails_goes_and_the_old_one_streams_on(
    fault: int, reason: str, workshop: Workshop, device: Callable[[str], Path]
) -> None:
    port = device("1.0.0")
    said = flash(port, workshop.image("1.1.0", fault), workshop)
    assert said.exit_code == 20, said.output
    assert reason in said.stderr
    assert "1.0.0 runs again" in said.stderr
    assert "slot 0: 1.0.0 (active, confirmed, bootable)" in slots(port)
    # The device is none the worse: the next image goes on.
    assert flash(port, workshop.image("1.2.0"), workshop).exit_code == 0


@pytest.mark.timeout(120)
def test_an_unconfirmed_image_does_not_outlive_the_power_switch(
    workshop: Workshop, tmp_path: Path
) -> None:
    store, port = tmp_path / "flash", tmp_path / "port"
    store.mkdir()
    shutil.copy(workshop.image("1.0.0"), store / "slot-a.bin")
    shutil.copy(workshop.image("1.1.0"), store / "slot-b.bin")
    (store / "state").write_text("a11\n")  # B is to be tried
    with powered(workshop.boot, store, port):
        assert "slot 0: 1.1.0 (active, bootable)" in slots(port)
    with powered(workshop.boot, store, port):
        assert "slot 0: 1.0.0 (active, confirmed, bootable)" in slots(port)


@pytest.mark.timeout(120)
def test_an_altered_image_is_never_run(workshop: Workshop, tmp_path: Path) -> None:
    store, port = tmp_path / "flash", tmp_path / "port"
    store.mkdir()
    shutil.copy(workshop.image("1.0.0"), store / "slot-a.bin")
    altered = bytearray(workshop.image("1.1.0").read_bytes())
    altered[0x400] ^= 1
    (store / "slot-b.bin").write_bytes(altered)
    (store / "state").write_text("a11\n")
    with powered(workshop.boot, store, port):
        told = slots(port)
    assert "slot 0: 1.0.0 (active, confirmed, bootable)" in told
    assert "slot 1" not in told


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_sanitizers_find_nothing_while_it_is_flashed(tmp_path: Path) -> None:
    watched = Workshop(tmp_path / "built", make_key(tmp_path), SANITIZED)
    watched.folder.mkdir()
    store, port = tmp_path / "flash", tmp_path / "port"
    store.mkdir()
    shutil.copy(watched.image("1.0.0"), store / "slot-a.bin")
    with powered(watched.boot, store, port) as errors:
        said = flash(port, watched.image("1.1.0"), watched)
        assert said.exit_code == 0, said.output
    assert errors.read_bytes() == b""
