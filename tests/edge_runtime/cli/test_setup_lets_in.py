"""Who sets a device up with its page on the network is shown the way in at once."""

import asyncio
from pathlib import Path

import pytest

from edge_runtime.cli import setup
from tests.edge_runtime.web.house import a_house


def test_an_address_with_a_code_and_a_qr_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def run() -> None:
        async with a_house(tmp_path) as house:
            await asyncio.to_thread(setup.let_in, house.directory, "ada", 5.0)
            said = capsys.readouterr().out
            (address,) = (line for line in said.splitlines() if line.startswith("http"))
            code = address.partition("#code=")[2]
            headers = {"content-type": "application/json"}
            async with house.client(**headers) as first, house.client(**headers) as second:
                who = await first.post("/api/v1/login/code", json={"code": code})
                assert who.json() == {"name": "ada", "role": "administer"}
                again = await second.post("/api/v1/login/code", json={"code": code})
                assert again.status_code == 401
            assert "\N{FULL BLOCK}" in said or "\N{UPPER HALF BLOCK}" in said  # the QR code

    asyncio.run(run())


def test_a_daemon_that_does_not_answer_is_not_waited_for_for_ever(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    setup.let_in(tmp_path, "ada", 0.0)
    said = capsys.readouterr()
    assert "does not answer yet" in said.err
    assert "edge-runtime invite ada --role administer" in said.out
