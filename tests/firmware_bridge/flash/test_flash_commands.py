"""The commands as a script sees them, against a board behind a pty: exit status, stdout, stderr."""

import json
import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from firmware_bridge.cli import main
from firmware_bridge.flash.holders import holders
from tests.firmware_bridge.flash.board_on_wire import Wire
from tests.firmware_bridge.flash.emulated_board import MUTE
from tests.firmware_bridge.flash.workshop import RunOnPty, RunOnUdp, Site


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def flash(site: Site, device: str | Path, image: Path, *options: str) -> Result:
    return run(
        "flash",
        device,
        image,
        "--keys",
        site.key.public,
        "--self-test",
        "2",
        "--boot",
        "2",
        *options,
    )


def test_flash_tells_its_stages_on_stderr_and_the_outcome_on_stdout(
    site: Site, on_pty: RunOnPty
) -> None:
    port = on_pty(site.board())
    said = flash(site, port, site.image(), "--json")
    assert said.exit_code == 0, said.stderr
    told = json.loads(said.stdout.splitlines()[-1])
    assert (told["result"], told["before"], told["after"]) == ("installed", "1.0.0", "1.1.0")
    assert "uploading\nrestarting the device\n" in said.stderr
    again = flash(site, port, site.image())
    assert again.stdout.splitlines()[-1].startswith(f"{port}: already installed, 1.1.0 -> 1.1.0")


def test_each_failure_has_its_own_exit_status(site: Site, on_pty: RunOnPty) -> None:
    port = on_pty(site.board(version="1.0.0", slot_bytes=9000), Wire(battery_percent=80))
    low = on_pty(site.board(), Wire(battery_percent=5), name="low")
    gone = on_pty(site.board(), Wire(vanish_at_reset=True), name="gone")
    exits = {
        "another board": (flash(site, port, site.image(board="other")), 14),
        "older": (flash(site, port, site.image(version="0.9.0")), 15),
        "too large": (flash(site, port, site.image(size=9000)), 16),
        "low battery": (flash(site, low, site.image()), 17),
        "vanished": (flash(site, gone, site.image()), 19),
        "mute": (flash(site, port, site.image(MUTE)), 20),
        "no port": (flash(site, "/dev/no-port", site.image()), 1),
        "not an address": (flash(site, "tcp:host", site.image()), 2),
        "no stream": (flash(site, "udp:127.0.0.1:1", site.image()), 2),
    }
    assert {name: said.exit_code for name, (said, _) in exits.items()} == {
        name: code for name, (_, code) in exits.items()
    }
    messages = {said.stderr.splitlines()[-1] for said, _ in exits.values()}
    assert len(messages) == len(exits)


def test_a_port_that_another_program_has_open_is_refused(site: Site, tmp_path: Path) -> None:
    """This process plays the other one: the list of processes is a folder of ours."""
    port = tmp_path / "port"
    port.touch()
    process = tmp_path / "proc" / "4242"
    (process / "fd").mkdir(parents=True)
    (process / "comm").write_text("edge-runtime\n", encoding="utf-8")
    (process / "fd" / "7").symlink_to(port)
    (tmp_path / "proc" / str(os.getpid()) / "fd").mkdir(parents=True)
    assert list(holders(port, tmp_path / "proc")) == [(4242, "edge-runtime")]
    assert list(holders(tmp_path / "another", tmp_path / "proc")) == []


def test_images_tells_slots_and_what_is_not_guarded(
    site: Site, on_pty: RunOnPty, on_udp: RunOnUdp
) -> None:
    board = site.board()
    board.secondary = site.image().read_bytes()
    said = run("images", on_pty(board), "--json")
    told = json.loads(said.stdout)
    assert (told["board"], told["boot_loader"], told["buffer_bytes"]) == (
        "ecg_board",
        "MCUboot",
        512,
    )
    assert [(slot["slot"], slot["version"], slot["active"]) for slot in told["slots"]] == [
        (0, "1.0.0", True),
        (1, "1.1.0", False),
    ]
    assert any("does not refuse older firmware" in note for note in told["exposure"])
    text = run("images", on_udp(site.board(boot_mode=None))).stdout
    assert "slot 0: 1.0.0 (active, confirmed, bootable)" in text
    assert "whoever reaches this address can send firmware" in text
    assert "accepts unsigned firmware from anyone in range" in text


def test_revert_is_a_command_too(site: Site, on_pty: RunOnPty) -> None:
    board = site.board()
    assert run("revert", on_pty(board), "--no-stream").exit_code == 17
    board.secondary, board.pending = site.image().read_bytes(), True
    board.boot()
    said = run("revert", on_pty(board, name="again"), "--no-stream", "--json")
    assert json.loads(said.stdout)["result"] == "reverted"


def test_logs_without_text_are_empty_and_udp_has_none(
    site: Site, on_pty: RunOnPty, on_udp: RunOnUdp
) -> None:
    said = run("logs", on_pty(site.board()), "--for", "0.1")
    assert (said.exit_code, said.stdout) == (0, "")
    refused = run("logs", on_udp(site.board()), "--for", "0.1")
    assert (refused.exit_code, refused.stdout) == (17, "")
    assert "only a serial port" in refused.stderr


def test_a_fleet_is_flashed_from_a_list_and_goes_on_after_a_failure(
    site: Site, on_pty: RunOnPty, tmp_path: Path
) -> None:
    boards = [site.board() for _ in range(3)]
    boards[1].slot_bytes = 100
    ports = [on_pty(board, name=f"board{k}") for k, board in enumerate(boards)]
    devices = tmp_path / "devices"
    devices.write_text("".join(f"{port}\n" for port in ports), encoding="utf-8")
    image = site.image()
    options = ["--all", devices, "--keys", site.key.public, "--no-stream", "--json"]

    first = run("flash", image, *options)
    ends = [json.loads(line) for line in first.stdout.splitlines() if line.startswith("{")]
    assert {end["device"]: end["exit_code"] for end in ends} == {
        str(ports[0]): 0,
        str(ports[1]): 16,
        str(ports[2]): 0,
    }
    assert first.exit_code == 21
    assert "1 of 3 failed; all were tried" in first.stderr

    boards[1].slot_bytes = 100_000
    second = run("flash", image, *options)
    assert second.exit_code == 0
    assert [json.loads(line)["device"] for line in second.stdout.splitlines()] == [str(ports[1])]
    assert run("flash", ports[0], image, *options).exit_code == 2


def test_without_the_extra_it_says_what_to_install(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [n for n in sys.modules if n.startswith("firmware_bridge.flash.sign")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "firmware_bridge.flash.check", raising=False)
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    said = run("verify", site.image(), "--keys", site.key.public)
    assert said.exit_code == 2
    assert "pip install 'ecg-edge[flash]'" in said.stderr


@pytest.mark.parametrize("command", ["verify", "images", "flash", "revert", "logs"])
def test_help_reads(command: str) -> None:
    assert run(command, "--help").exit_code == 0
