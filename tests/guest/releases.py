"""Releases of the program itself for `tests.guest.powercut`: made, and looked at after a cut."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from random import Random

from tests.guest.image import DATA, ROOT

DEBIAN = ROOT / "deploy" / "debian"
VERSIONS = ("0.1.0", "0.2.0", "0.3.0")
"""The packaged one, and two that come after it."""
TAKEN_BACK_TO = VERSIONS[1]
"""By a rollback at the end."""
NEXT = "0.4.0"
_FILES = 60
_BYTES = 20_000
"""Enough that unpacking takes its time."""


def make(folder: Path) -> None:
    """What the data disk begins with: the packaged release, and packages of the others."""
    _release(folder / "lib" / "releases" / VERSIONS[0], VERSIONS[0])
    (folder / "var").mkdir()
    (folder / "state").mkdir()
    packages = folder / "packages"
    packages.mkdir()
    for version in (*VERSIONS[1:], NEXT):
        tree = folder / "tree"
        _release(tree / "usr/lib/ecg-edge/releases" / version, version)
        (tree / "DEBIAN").mkdir()
        (tree / "DEBIAN/control").write_text(
            f"Package: ecg-edge\nVersion: {version}\nArchitecture: {_architecture()}\n"
            "Maintainer: nobody <nobody@example.org>\nDescription: a release\n"
        )
        package = packages / f"{version}.deb"
        subprocess.run(["dpkg-deb", "--build", tree, package], check=True, capture_output=True)
        shutil.rmtree(tree)


def judge(said: list[str], folder: Path) -> str:
    """What the launcher starts after a cut, in a word. Raises AssertionError where nothing starts,
    a release is not whole, one that was confirmed is gone, or the next update does not go through.
    """
    for link in ("current", "previous"):
        place = folder / "var" / link
        if place.is_symlink():  # the guest's folder is another one here
            target = str(place.readlink()).removeprefix(f"{DATA}/")
            place.unlink()
            place.symlink_to(folder / target)
    runs = _started(folder)
    assert runs in VERSIONS
    _assert_whole(folder, runs)
    done = max((int(line.split()[1]) for line in said if line.startswith("step ")), default=0)
    # What comes after the last step that was told may have been done, or not.
    assert runs in (*VERSIONS, TAKEN_BACK_TO)[done : done + 2], (runs, said)
    tool = DEBIAN / "ecg-edge-release"
    arguments = ["add", str(folder / "packages" / f"{NEXT}.deb")]
    subprocess.run([tool, *arguments], env=_environment(folder), check=True, capture_output=True)
    assert _started(folder) == NEXT
    _assert_whole(folder, NEXT)
    return f"{runs} runs"


def _started(folder: Path) -> str:
    done = subprocess.run(
        [DEBIAN / "launch", "run"],
        env=_environment(folder),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.partition(":")[0]


def _environment(folder: Path) -> dict[str, str]:
    return os.environ | environment_in(str(folder))


def environment_in(folder: str) -> dict[str, str]:
    """Where the launcher and root's tool look, in the guest and here."""
    return {
        "ECG_EDGE_RELEASES": f"{folder}/var",
        "ECG_EDGE_LIB": f"{folder}/lib/releases",
        "ECG_EDGE_PACKAGED": f"{folder}/lib/releases/{VERSIONS[0]}",
        "STATE_DIRECTORY": f"{folder}/state",
    }


def _assert_whole(folder: Path, version: str) -> None:
    place = (
        (folder / "var" / "current").resolve()
        if (folder / "var" / "current").exists()
        else (folder / "lib" / "releases" / VERSIONS[0])
    )
    found = {file.name: _digest(file.read_bytes()) for file in (place / "lib").iterdir()}
    assert found == {name: _digest(content) for name, content in _contents(version)}


def _release(folder: Path, version: str) -> None:
    """Its interpreter says which one it is, whatever it is asked."""
    (folder / "bin").mkdir(parents=True)
    python = folder / "bin/python"
    python.write_text(f'#!/bin/sh\necho "{version}: $*"\n')
    python.chmod(0o755)
    (folder / "lib").mkdir()
    for name, content in _contents(version):
        (folder / "lib" / name).write_bytes(content)


def _contents(version: str) -> list[tuple[str, bytes]]:
    random = Random(version)
    return [(f"{k:03d}.bin", random.randbytes(_BYTES)) for k in range(_FILES)]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _architecture() -> str:
    done = subprocess.run(
        ["dpkg", "--print-architecture"], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()
