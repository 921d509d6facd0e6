"""What the kernel tells of block devices, made up below a folder."""

import os
from pathlib import Path

import pytest

from edge_runtime.disk_encryption import Encryption, encryption


class Kernel:
    """A small /sys and mountinfo; the folder asked for lies on `device`."""

    def __init__(self, root: Path) -> None:
        self.sys, self.mounts, self.folder = root / "sys", root / "mountinfo", root
        number = root.stat().st_dev
        self.number = f"{os.major(number)}:{os.minor(number)}"
        self.mounts.write_text("")

    def block(self, name: str, *below: Path, uuid: str = "") -> Path:
        path = self.sys / "devices" / name
        (path / "slaves").mkdir(parents=True)
        for one in below:
            (path / "slaves" / one.name).symlink_to(one)
        if uuid:
            (path / "dm").mkdir()
            (path / "dm" / "uuid").write_text(uuid + "\n")
        (self.sys / "class" / "block").mkdir(parents=True, exist_ok=True)
        (self.sys / "class" / "block" / name).symlink_to(path)
        return path

    def partition(self, disk: Path, name: str) -> Path:
        path = disk / name
        path.mkdir()
        (path / "partition").write_text("1\n")
        (self.sys / "class" / "block" / name).symlink_to(path)
        return path

    def mounted(self, source: str, kind: str, number: str | None = None) -> None:
        number = number or self.number
        proc = "1 0 0:5 / /proc rw - proc proc rw"
        self.mounts.write_text(f"{proc}\n2 1 {number} / / rw shared:1 - {kind} {source} rw\n")

    def lies_on(self, block: Path) -> Encryption:
        numbers = self.sys / "dev" / "block"
        numbers.mkdir(parents=True)
        (numbers / self.number).symlink_to(block)
        self.mounted(f"/dev/{block.name}", "ext4")
        return self.ask()

    def ask(self) -> Encryption:
        return encryption(self.folder, self.sys, self.mounts)


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    return Kernel(tmp_path)


def test_a_partition_of_a_disk_is_plain(kernel: Kernel) -> None:
    disk = kernel.block("sda")
    assert kernel.lies_on(kernel.partition(disk, "sda1")) is Encryption.PLAIN


def test_luks_is_encrypted(kernel: Kernel) -> None:
    part = kernel.partition(kernel.block("mmcblk0"), "mmcblk0p2")
    luks = kernel.block("dm-0", part, uuid="CRYPT-LUKS2-0123-root")
    assert kernel.lies_on(luks) is Encryption.ENCRYPTED


def test_a_volume_on_luks_is_encrypted(kernel: Kernel) -> None:
    luks = kernel.block("dm-0", kernel.block("sda"), uuid="CRYPT-PLAIN-x")
    assert kernel.lies_on(kernel.block("dm-1", luks, uuid="LVM-abc")) is Encryption.ENCRYPTED


def test_an_array_is_as_safe_as_its_least_disk(kernel: Kernel) -> None:
    luks = kernel.block("dm-0", kernel.block("sda"), uuid="CRYPT-LUKS1-x")
    assert kernel.lies_on(kernel.block("md0", luks, kernel.block("sdb"))) is Encryption.PLAIN


def test_a_file_system_with_numbers_of_its_own_is_found_by_its_source(kernel: Kernel) -> None:
    kernel.block("dm-0", kernel.block("sda"), uuid="CRYPT-LUKS2-x")
    kernel.mounted("/dev/dm-0", "btrfs")
    assert kernel.ask() is Encryption.ENCRYPTED


@pytest.mark.parametrize(
    ("source", "kind", "told"),
    [
        ("tmpfs", "tmpfs", Encryption.IN_MEMORY),
        ("pool/home", "zfs", Encryption.UNKNOWN),
        ("/dev/gone", "btrfs", Encryption.UNKNOWN),
    ],
)
def test_what_lies_on_no_block_device(
    kernel: Kernel, source: str, kind: str, told: Encryption
) -> None:
    kernel.mounted(source, kind)
    assert kernel.ask() is told


def test_this_machine_gives_an_answer(tmp_path: Path) -> None:
    assert encryption(tmp_path) in set(Encryption)
