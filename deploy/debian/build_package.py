"""Builds the Debian package of one release for one Debian suite and architecture.

    python deploy/debian/build_package.py --suite bookworm --architecture arm64 --out dist

The release's environment holds wheels only, by the hashes of `python3.X.lock`, so that every
architecture and suite is built anywhere; nothing of the target runs. The same tree and
SOURCE_DATE_EPOCH (default: of the last commit) give the same bytes. Needs dpkg-deb and xz, and this
project's development environment (uv, hatchling). Prints the package's path.
"""

import argparse
import email.parser
import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
import zipfile
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SUITES = {"bookworm": ("3.11", "deb12"), "trixie": ("3.13", "deb13")}
"""Its Python, and what tells its package's version from another's."""
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
GLIBC = "2_28"
PURE_SOURCES = {"crcmod": "python3/crcmod"}
"""No wheel exists: its Python part is taken out of the source, without the optional C."""


def main() -> None:
    """Build what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--suite", choices=SUITES, default="bookworm")
    parser.add_argument("--architecture", choices=MACHINES, default="amd64")
    parser.add_argument("--out", type=Path, default=ROOT / "dist")
    parser.add_argument("--version", default=None, help="Default: that of pyproject.toml.")
    parser.add_argument("--fast", action="store_true", help="gzip, for tests; else xz.")
    given = parser.parse_args()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    version = f"{given.version or project['version']}+{SUITES[given.suite][1]}"
    os.environ.setdefault("SOURCE_DATE_EPOCH", _output("git", "log", "-1", "--format=%ct"))
    with tempfile.TemporaryDirectory(prefix="ecg-edge-deb-") as folder:
        tree = Path(folder) / "tree"
        release = tree / "usr/lib/ecg-edge/releases" / version
        _fill_environment(release, SUITES[given.suite][0], MACHINES[given.architecture])
        _fill_system(tree, release, version)
        _fill_control(tree, version, given.architecture, SUITES[given.suite][0])
        given.out.mkdir(parents=True, exist_ok=True)
        target = given.out / f"ecg-edge_{version}_{given.architecture}.deb"
        print(_packed(tree, target, ("-Zgzip", "-z1") if given.fast else ("-Zxz", "-z2")))


def _fill_environment(release: Path, python: str, machine: str) -> None:
    """A virtual environment of the suite's own Python, made without running it."""
    packages = release / "lib" / f"python{python}" / "site-packages"
    packages.mkdir(parents=True)
    lock = HERE / f"python{python}.lock"
    sources = {name for name in PURE_SOURCES if f"\n{name}==" in lock.read_text()}
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]
    where = ["--python-version", python, "--python-platform", f"{machine}-manylinux_{GLIBC}"]
    with tempfile.TemporaryDirectory(prefix="ecg-edge-locks-") as folder:
        wheels, rest = Path(folder) / "wheels.lock", Path(folder) / "sources.lock"
        _split(lock.read_text(), sources, wheels, rest)
        _run(*uv, "--only-binary", ":all:", "--target", packages, *where, "-r", wheels)
        if sources:
            _run(
                *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
                *("--no-binary", ":all:", "--no-build-isolation", "--require-hashes"),
                *("-d", folder, "-r", rest),
            )
        for name in sources:
            _take_python_part(next(Path(folder).glob(f"{name}-*.tar.gz")), name, packages)
    shutil.rmtree(packages / "bin", ignore_errors=True)  # scripts with this machine's paths
    (packages / ".lock").unlink(missing_ok=True)
    for leftover in packages.rglob(".git*"):
        leftover.unlink()
    _add_own_wheel(packages)
    (release / "bin").mkdir()
    (release / "bin/python").symlink_to(f"/usr/bin/python{python}")
    (release / "pyvenv.cfg").write_text(
        f"home = /usr/bin\ninclude-system-site-packages = false\nversion = {python}\n"
    )


def _split(lock: str, sources: set[str], wheels: Path, rest: Path) -> None:
    """One requirement is a line that starts in the first column, and the indented ones below."""
    blocks: list[str] = []
    for line in lock.splitlines(keepends=True):
        if line[0].isspace() and blocks:
            blocks[-1] += line
        elif not line.startswith("#"):
            blocks.append(line)
    of_sources = [block for block in blocks if block.partition("==")[0] in sources]
    wheels.write_text("".join(block for block in blocks if block not in of_sources))
    rest.write_text("".join(of_sources))


def _take_python_part(archive: Path, name: str, packages: Path) -> None:
    prefix = f"{archive.name.removesuffix('.tar.gz')}/"
    wanted = f"{prefix}{PURE_SOURCES[name]}/"
    with tarfile.open(archive) as source:
        for member in source.getmembers():
            if member.isfile() and member.name.startswith(wanted):
                target = packages / name / member.name.removeprefix(wanted)
                content = source.extractfile(member)
            elif member.name == f"{prefix}PKG-INFO":
                stem = archive.name.removesuffix(".tar.gz")
                target, content = (
                    packages / f"{stem}.dist-info/METADATA",
                    source.extractfile(member),
                )
            else:
                continue
            assert content is not None
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.read())


def _add_own_wheel(packages: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="ecg-edge-wheel-") as folder:
        _run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder)
        with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as wheel:
            wheel.extractall(packages)
    shutil.rmtree(packages / "model_build")  # needs TensorFlow; models are made elsewhere


def _fill_system(tree: Path, release: Path, version: str) -> None:
    """What the release needs around it: service, user, rules, commands, documents."""
    lib = tree / "usr/lib"
    (lib / "ecg-edge/packaged").symlink_to(f"releases/{version}")
    _copy(HERE / "launch", lib / "ecg-edge/launch", 0o755)
    _copy(HERE / "ecg-edge-release", tree / "usr/sbin/ecg-edge-release", 0o755)
    (tree / "usr/bin").mkdir(parents=True)
    for command in ("edge-runtime", "firmware-bridge"):
        (tree / "usr/bin" / command).symlink_to("../lib/ecg-edge/launch")
    systemd = ROOT / "deploy/systemd"
    for unit in sorted(systemd.glob("ecg-edge*.*")):
        if unit.suffix != ".sysusers":
            _copy(unit, lib / "systemd/system" / unit.name)
    _copy(systemd / "ecg-edge.sysusers", lib / "sysusers.d/ecg-edge.conf")
    _copy(ROOT / "deploy/udev/60-ecg-edge.rules", lib / "udev/rules.d/60-ecg-edge.rules")
    doc = tree / "usr/share/doc/ecg-edge"
    _copy(HERE / "copyright", doc / "copyright")
    (doc / "licences.txt").write_text("".join(_licences(release)))
    _gzip((ROOT / "CHANGELOG.md").read_bytes(), doc / "NEWS.gz")
    when = formatdate(int(os.environ["SOURCE_DATE_EPOCH"]), usegmt=True).replace("GMT", "+0000")
    entry = (
        f"ecg-edge ({version}) unstable; urgency=medium\n\n  * Release; NEWS.gz says what is new.\n"
        f"\n -- {_field('Maintainer')}  {when}\n"
    )
    _gzip(entry.encode(), doc / "changelog.gz")
    _copy(HERE / "lintian-overrides", tree / "usr/share/lintian/overrides/ecg-edge")


def _licences(release: Path) -> Iterator[str]:
    for file in sorted(release.glob("lib/*/site-packages/*.dist-info/METADATA")):
        told = email.parser.HeaderParser().parsestr(file.read_text(encoding="utf-8"))
        licence = told["License-Expression"] or (told["License"] or "").partition("\n")[0]
        classified = [c for c in told.get_all("Classifier", []) if c.startswith("License ::")]
        named = licence or ", ".join(c.rpartition(" :: ")[2] for c in classified)
        yield f"{told['Name']} {told['Version']}: {named or 'see its dist-info folder'}\n"


def _fill_control(tree: Path, version: str, architecture: str, python: str) -> None:
    control = tree / "DEBIAN"
    control.mkdir()
    contents = sorted(p for p in tree.rglob("*") if p.is_file() and not p.is_symlink())
    sums = (
        f"{hashlib.md5(p.read_bytes(), usedforsecurity=False).hexdigest()}  {p.relative_to(tree)}\n"
        for p in contents
    )
    (control / "md5sums").write_text("".join(sums))
    major, minor = python.split(".")
    values = {
        "VERSION": version,
        "ARCHITECTURE": architecture,
        "INSTALLED_SIZE": str(sum(-(-p.stat().st_size // 1024) for p in contents)),
        "PYTHON_DEPENDS": f"python3 (>= {python}~), python3 (<< {major}.{int(minor) + 1}~)",
    }
    (control / "control").write_text(_filled((HERE / "control.in").read_text(), values))
    for script in ("postinst", "prerm", "postrm"):
        (control / script).write_text(_filled((HERE / script).read_text(), values))
        (control / script).chmod(0o755)


def _filled(text: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text


def _packed(tree: Path, target: Path, compression: tuple[str, ...]) -> Path:
    """One file whose bytes depend on the tree's contents alone."""
    epoch = int(os.environ["SOURCE_DATE_EPOCH"])
    for path in sorted(tree.rglob("*")):
        if path.is_symlink():
            continue
        executable = path.is_dir() or os.access(path, os.X_OK)
        # Wheels mark some modules executable; the commands are in /usr/bin.
        if "site-packages" in path.parts and path.is_file():
            executable = False
        path.chmod(0o755 if executable else 0o644)
        os.utime(path, (epoch, epoch))
    tree.chmod(0o755)
    _run(
        *("dpkg-deb", "--root-owner-group", *compression, "--threads-max=1", "--build"),
        *(tree, target),
        quiet=True,
    )
    return target


def _copy(source: Path, target: Path, mode: int = 0o644) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(mode)


def _gzip(content: bytes, target: Path) -> None:
    target.write_bytes(gzip.compress(content, compresslevel=9, mtime=0))


def _field(name: str) -> str:
    lines = (HERE / "control.in").read_text().splitlines()
    return next(line.partition(": ")[2] for line in lines if line.startswith(f"{name}: "))


def _output(*command: str) -> str:
    return subprocess.run(
        command, cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()


def _run(*command: str | Path, quiet: bool = False) -> None:
    started = time.monotonic()
    done = subprocess.run(
        [str(part) for part in command], cwd=ROOT, check=False, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command[:6]))} ...:\n{done.stdout}{done.stderr}")
    if not quiet:
        print(f"{Path(command[0]).name} {command[1:4]}: {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
