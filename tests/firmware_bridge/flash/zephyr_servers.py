"""Zephyr's own SMP servers, prebuilt by smpclient's authors for their tests: real counterparts.

They are in smpclient's source distribution only. `servers_folder` finds them where an earlier run
left them, or takes them from the package index; without either the tests skip and say why.
"""

import contextlib
import fcntl
import json
import os
import selectors
import shlex
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from firmware_bridge.simulator.pty_port import PtyPort

VERSION = "7.3.0"
READY_S = 20.0
FETCH_S = 120


def servers_folder() -> Path:
    """The folder with manifest.json; skips the test when it cannot be had."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "ecg-edge-tests"
    folder = cache / f"smpclient-{VERSION}"
    if not (folder / "manifest.json").is_file():
        _fetch(cache, folder)
    return folder


def _fetch(cache: Path, folder: Path) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary"]
    command += ["smpclient", "--dest", str(cache), f"smpclient=={VERSION}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_S, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("the package index did not give smpclient's source distribution in time")
    archive = cache / f"smpclient-{VERSION}.tar.gz"
    if done.returncode != 0 or not archive.is_file():
        pytest.skip("smpclient's source distribution, which has the SMP servers, is not to be had")
    fresh = folder.with_name(f"{folder.name}.{os.getpid()}")
    fresh.mkdir()
    with tarfile.open(archive) as tar:
        for member in tar.getmembers():
            if "/tests/fixtures/smp-server/" in member.name and member.isfile():
                source = tar.extractfile(member)
                assert source is not None
                target = fresh / Path(member.name).name
                target.write_bytes(source.read())
                target.chmod(0o755)
    try:
        fresh.rename(folder)
    except OSError:  # another test process was quicker
        shutil.rmtree(fresh)


@dataclass(frozen=True)
class Server:
    """One prebuilt server."""

    folder: Path
    entry: dict[str, Any]

    @classmethod
    def find(cls, target: str, config: str) -> "Server":
        """By its names in the manifest. Skips the test when this machine cannot run it."""
        folder = servers_folder()
        entries = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        entry = next(e for e in entries if (e["target"], e["config"]) == (target, config))
        server = cls(folder, entry)
        server._require_runnable()
        return server

    @property
    def artifact(self) -> Path:
        """The program, or what the emulator loads."""
        return self.folder / self.entry["artifact"]

    @property
    def signed_image(self) -> bytes:
        """The MCUboot image that an emulated server runs."""
        stem = self.artifact.name.removesuffix(".hex").removesuffix(".merged")
        return (self.folder / f"{stem}.signed.bin").read_bytes()

    def _require_runnable(self) -> None:
        sums = dict(
            reversed(line.split(maxsplit=1))  # type: ignore[arg-type]
            for line in (self.folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
        )
        assert sha256(self.artifact.read_bytes()).hexdigest() == sums[self.artifact.name]
        if self.entry["run"] and not _runs_32_bits():
            pytest.skip("the SMP servers are 32-bit programs: install libc6-i386 and lib32gcc-s1")
        if self.entry["qemu_cmd"] and shutil.which("qemu-system-arm") is None:
            pytest.skip("no qemu-system-arm on this machine")


def _runs_32_bits() -> bool:
    gcc_s = ("/usr/lib32/libgcc_s.so.1", "/lib/i386-linux-gnu/libgcc_s.so.1")
    return Path("/lib/ld-linux.so.2").exists() and any(Path(each).exists() for each in gcc_s)


@contextmanager
def native(server: Server, work: Path) -> Iterator[str]:
    """Run a native server in `work`; gives the pty's path, or nothing of meaning for UDP."""
    shutil.copy(server.artifact, work)
    udp = server.entry["transport"] == "udp"
    with ExitStack() as stack:
        if udp:
            stack.enter_context(_udp_port())
        process = stack.enter_context(_process(shlex.split(server.entry["run"]), work))
        yield _ready(process, udp=udp)


@contextmanager
def _udp_port() -> Iterator[None]:
    """All UDP servers have the same port: one at a time, of all test processes."""
    with (servers_folder() / "udp.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def emulated(server: Server, link: Path) -> Iterator[None]:
    """Run an emulated board whose serial port appears as the pty `link`."""
    port = _free_port()
    command = shlex.split(server.entry["qemu_cmd"].replace("<PORT>", str(port)))
    with ExitStack() as stack:
        stack.enter_context(_process(command, server.folder))
        wire = stack.enter_context(_connected(port))
        _wait_until_booted(wire)
        pty = PtyPort(link)
        pty.plug()
        stack.callback(pty.unplug)
        over = threading.Event()
        thread = threading.Thread(target=_relay, args=(wire, pty, over))
        thread.start()
        stack.callback(thread.join, 5)
        stack.callback(over.set)
        yield


def _wait_until_booted(wire: socket.socket) -> None:
    """A request that meets the emulated UART before Zephyr does may stop it for good."""
    wire.settimeout(1.0)
    with contextlib.suppress(TimeoutError):
        while wire.recv(4096):
            pass


def _relay(wire: socket.socket, pty: PtyPort, over: threading.Event) -> None:
    wire.setblocking(False)
    with selectors.DefaultSelector() as selector:
        selector.register(wire, selectors.EVENT_READ)
        while not over.is_set():
            if selector.select(0.002):
                pty.send(wire.recv(65536))
            to_board = pty.exchange(0.002)
            if to_board:
                wire.setblocking(True)
                wire.sendall(to_board)
                wire.setblocking(False)


@contextmanager
def _process(command: list[str], folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(5)
        assert process.stdout is not None
        process.stdout.close()


def _ready(process: "subprocess.Popen[bytes]", *, udp: bool) -> str:
    assert process.stdout is not None
    deadline = time.monotonic() + READY_S
    wanted = b"smp_udp: Started" if udp else b"connected to pseudotty: "
    for line in process.stdout:
        _, found, after = line.partition(wanted)
        if found:
            return after.split()[0].decode() if not udp else ""
        if time.monotonic() > deadline:
            break
    pytest.skip("the SMP server did not start here (is its port taken?)")


@contextmanager
def _connected(port: int) -> Iterator[socket.socket]:
    deadline = time.monotonic() + READY_S
    while True:
        try:
            wire = socket.create_connection(("127.0.0.1", port), timeout=1)
            break
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
    with wire:
        yield wire


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
