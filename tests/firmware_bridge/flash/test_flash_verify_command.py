"""`firmware-bridge verify` as a script sees it: exit status, stdout, stderr."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from firmware_bridge.cli import main
from tests.firmware_bridge.flash.signing import BOARD, KeyPair, make_key, sign

BODY = bytes(2000)


@pytest.fixture
def site(tmp_path: Path) -> KeyPair:
    return make_key(tmp_path)


def verify(path: Path, site: KeyPair, *options: str) -> Result:
    return CliRunner().invoke(
        main, ["verify", str(path), "--keys", str(site.public.parent), *options]
    )


def test_a_good_image_is_described_on_stdout(tmp_path: Path, site: KeyPair) -> None:
    path = sign(tmp_path, BODY, site)
    said = verify(path, site, "--json", "--board", BOARD)
    assert said.exit_code == 0
    told = json.loads(said.stdout)
    assert told["version"] == "1.2.3+4"
    assert (told["board"], told["signed_with"]) == (BOARD, "site.pem")
    assert told["size_bytes"] == path.stat().st_size
    assert "version 1.2.3+4 for ecg_board" in verify(path, site).stdout


def test_each_fault_has_its_exit_status_and_leaves_stdout_empty(
    tmp_path: Path, site: KeyPair
) -> None:
    good = sign(tmp_path, BODY, site)
    whole = good.read_bytes()
    flipped = bytearray(whole)
    flipped[500] ^= 4
    other = tmp_path / "other"
    other.mkdir()
    stranger = make_key(other, "stranger")
    faults = {
        2: tmp_path / "missing.bin",
        10: _file(tmp_path, "no-image", b"\x7fELF" + bytes(100)),
        11: _file(tmp_path, "cut", whole[:-1]),
        12: _file(tmp_path, "flipped", bytes(flipped)),
        13: sign(tmp_path, BODY, stranger, version="2.0.0"),
    }
    for code, path in faults.items():
        said = verify(path, site)
        assert (said.exit_code, said.stdout) == (code, "")
        assert said.stderr.startswith("firmware-bridge: ")
    assert verify(good, site, "--board", "other").exit_code == 14


def _file(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path
