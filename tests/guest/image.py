"""The guest's disks: a Debian with this project's package on it, and one for data."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SUITE = "bookworm"
PACKAGES = (
    "python3", "systemd-sysv", "udev", "dbus", "libstdc++6", "libgcc-s1", "initramfs-tools",
)  # fmt: skip
SMALL_KERNEL = "linux-image-cloud-amd64"
"""Without radios."""
HOST_TOOLS = ("mmdebstrap", "mke2fs", "e2fsck", "debugfs", "qemu-img", "qemu-system-x86_64")
MIRROR = "http://deb.debian.org/debian"
PYTHON = "/usr/lib/ecg-edge/packaged/bin/python"
"""The packaged release's, in the guest."""
SOURCE = "/srv/source"
"""This checkout, in the guest: what is tested there is what lies here."""
DATA = "/data"
"""Where the second disk is mounted."""
_OURS = ("edge_runtime", "firmware_bridge", "model_build", "tests")
_ROOT_MB = 2000
_DATA_MB = 96


@dataclass(frozen=True, slots=True)
class System:
    """Kernel, initial RAM disk and root disk (raw) of a guest."""

    kernel: Path
    initrd: Path
    disk: Path


def demand_tools() -> None:
    """End the program where this machine lacks one that it needs."""
    if missing := [name for name in HOST_TOOLS if shutil.which(name) is None]:
        sys.exit(f"missing: {', '.join(missing)}; apt-get install mmdebstrap qemu-system-x86 "
                 "qemu-utils e2fsprogs")  # fmt: skip


def system(
    folder: Path,
    say: "Say",
    furnish: Callable[[Path], None] | None = None,
    *,
    kernel_package: str = SMALL_KERNEL,
    more_packages: tuple[str, ...] = (),
) -> System:
    """A guest's system, made anew from a clean Debian that is kept in `folder`; `furnish` may
    change the tree before it becomes a disk. Needs root."""
    folder.mkdir(parents=True, exist_ok=True)
    clean, tree = folder / f"{SUITE}.tar", folder / "tree"
    packages = (*PACKAGES, kernel_package, *more_packages)
    if not clean.is_file():
        say("making a clean Debian with a kernel (once)")
        fresh = clean.with_suffix(".new.tar")
        _run("mmdebstrap", "--quiet", "--variant=apt", f"--include={','.join(packages)}",
             SUITE, fresh, MIRROR)  # fmt: skip
        fresh.rename(clean)
    say("installing the package in it")
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir()
    _run("tar", "-C", tree, "-xf", clean, "--exclude=./dev/*")
    package = build_package(tree / "packages")
    _run("chroot", tree, "dpkg", "-i", f"/packages/{package.name}")
    shutil.rmtree(tree / "packages")
    copied = subprocess.run(
        ["git", "ls-files", "-coz", "--exclude-standard", *_OURS],
        cwd=ROOT, capture_output=True, check=True,
    ).stdout.decode()  # fmt: skip
    for name in filter(None, copied.split("\0")):
        if (ROOT / name).is_file():
            target = tree / SOURCE.lstrip("/") / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
    (tree / DATA.lstrip("/")).mkdir()
    if furnish is not None:
        furnish(tree)
    made = System(folder / "vmlinuz", folder / "initrd", folder / "root.raw")
    (kernel,), (initrd,) = (list((tree / "boot").glob(f"{n}*")) for n in ("vmlinuz", "initrd.img"))
    shutil.copy(kernel, made.kernel)
    shutil.copy(initrd, made.initrd)
    made.disk.unlink(missing_ok=True)
    _run("mke2fs", "-q", "-t", "ext4", "-d", tree, made.disk, f"{_ROOT_MB}M")
    shutil.rmtree(tree)
    return made


def build_package(folder: Path, version: str | None = None) -> Path:
    """The Debian package of this checkout, as that version where one is given, in `folder`."""
    builder = ROOT / "deploy/debian/build_package.py"
    version_words = () if version is None else ("--version", version)
    _run(sys.executable, builder, "--fast", "--suite", SUITE, *version_words, "--out", folder)
    pattern = "*.deb" if version is None else f"*_{version}+*.deb"
    (package,) = folder.glob(pattern)
    return package


def data_disk(path: Path, content: Path) -> None:
    """A disk (qcow2) with ext4 that holds what lies in the folder `content`."""
    raw = path.with_suffix(".raw")
    raw.unlink(missing_ok=True)
    _run("mke2fs", "-q", "-t", "ext4", "-d", content, raw, f"{_DATA_MB}M")
    _run("qemu-img", "convert", "-q", "-f", "raw", "-O", "qcow2", raw, path)
    raw.unlink()


def overlay(path: Path, disk: Path) -> None:
    """A disk (qcow2) that begins as the raw `disk` and leaves it as it is."""
    _run("qemu-img", "create", "-q", "-f", "qcow2", "-b", disk, "-F", "raw", path)


def read_disk(path: Path, target: Path) -> None:
    """Bring the file system of a disk (qcow2) into order, as a boot would, in a copy, and put what
    it holds into the new folder `target`."""
    raw = target.with_suffix(".raw")
    _run("qemu-img", "convert", "-q", "-f", "qcow2", "-O", "raw", path, raw)
    # 1: it was put in order, by its journal; more than that the disk has lost its mind.
    checked = subprocess.run(["e2fsck", "-p", raw], capture_output=True, text=True, check=False)
    assert checked.returncode in (0, 1), checked.stdout + checked.stderr
    target.mkdir()
    _run("debugfs", "-R", f"rdump / {target}", raw)
    raw.unlink()


class Say:
    """How progress is told: a line to stderr."""

    def __call__(self, text: str) -> None:
        print(f"guest: {text}", file=sys.stderr, flush=True)


def _run(*command: str | Path) -> None:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr.strip() or done.stdout.strip()}")
