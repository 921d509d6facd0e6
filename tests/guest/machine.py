"""One guest: started, talked to over its serial port, frozen, and cut off."""

import contextlib
import json
import selectors
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.guest.image import System

_MEMORY_MB = 384
_FROZEN = "frozen"


class Guest:
    """A running QEMU. Its serial port carries lines both ways."""

    def __init__(self, process: "subprocess.Popen[bytes]", control: Path) -> None:
        self._process, self._control = process, control
        assert process.stdout is not None
        self._out = process.stdout
        self._rest = b""

    def lines(self, within_s: float) -> Iterator[str]:
        """What it says from now on, for so long; ends early where it has ended."""
        deadline = time.monotonic() + within_s
        with selectors.DefaultSelector() as selector:
            selector.register(self._out, selectors.EVENT_READ)
            while (left := deadline - time.monotonic()) > 0:
                if not selector.select(left):
                    return
                more = self._out.read1(65536)  # type: ignore[attr-defined]
                if not more:
                    return
                *whole, self._rest = (self._rest + more).split(b"\n")
                yield from (line.decode(errors="replace").strip() for line in whole)

    def wait_for(self, words: str, within_s: float) -> None:
        """Until it says a line with these words. Raises AssertionError with its last ones."""
        last: list[str] = []
        for line in self.lines(within_s):
            if words in line:
                return
            last = [*last[-20:], line]
        raise AssertionError(f"the guest did not say {words!r}; last: {last}")

    def say(self, line: str) -> None:
        """A line to its standard input."""
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")
        self._process.stdin.flush()

    def freeze(self) -> None:
        """Keep memory and disks as they are now, for `frozen`."""
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(str(self._control))
            talk = control.makefile("rw")
            _greet(talk)
            said = _ask(talk, "human-monitor-command", {"command-line": f"savevm {_FROZEN}"})
            assert said == "", said

    def cut(self) -> list[str]:
        """The power goes: what it holds in memory reaches no disk. What it had still said."""
        self._process.kill()
        self._process.wait()
        self._rest += self._out.read()
        return [line.decode(errors="replace").strip() for line in self._rest.split(b"\n")[:-1]]


@contextmanager
def guest(
    folder: Path,
    system: System,
    disks: Sequence[Path],
    command: str = "",
    *,
    sensor: Path | None = None,
    frozen: bool = False,
) -> Iterator[Guest]:
    """A guest with these disks (qcow2, the first its root), booted with `command` as the end of the
    kernel's; its console is standard input and output, its second serial port the pty `sensor`.
    `frozen`: where `Guest.freeze` left it. Cut off at the end."""
    control = folder / "control"
    control.unlink(missing_ok=True)
    words = ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", str(_MEMORY_MB)]
    words += ["-display", "none", "-nic", "none", "-no-reboot", "-serial", "stdio"]
    if sensor is not None:
        words += ["-chardev", f"serial,id=sensor,path={sensor}", "-serial", "chardev:sensor"]
    words += ["-qmp", f"unix:{control},server=on,wait=off", "-kernel", str(system.kernel)]
    words += ["-initrd", str(system.initrd), "-append"]
    words += [f"console=ttyS0 root=/dev/vda rw quiet {command}"]
    for disk in disks:
        # Written through to this machine when the guest flushes, and not before.
        words += ["-drive", f"file={disk},format=qcow2,if=virtio,cache=writeback"]
    words += ["-loadvm", _FROZEN] if frozen else []
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        running = Guest(process, control)
        try:
            yield running
        finally:
            running.cut()
            with contextlib.suppress(BrokenPipeError):
                assert process.stdin is not None
                process.stdin.close()


def _greet(talk: Any) -> None:
    json.loads(talk.readline())
    _ask(talk, "qmp_capabilities", {})


def _ask(talk: Any, command: str, arguments: dict[str, str]) -> Any:
    talk.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
    talk.flush()
    while True:
        said = json.loads(talk.readline())
        if "return" in said or "error" in said:
            assert "return" in said, said
            return said["return"]
