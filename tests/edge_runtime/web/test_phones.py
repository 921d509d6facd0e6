"""The test button of phone notifications."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from edge_runtime.web.accounts import Accounts
from tests.edge_runtime.web.house import a_house


@dataclass
class FakePhone:
    name: str
    problem: str = ""
    tested: list[str] = field(default_factory=list)

    async def test(self) -> str:
        self.tested.append(self.name)
        return self.problem


def test_who_administers_may_send_a_test(tmp_path: Path) -> None:
    good, broken = FakePhone("daughter"), FakePhone("son", "the service did not take it")
    accounts = Accounts(tmp_path)
    admin = {"authorization": f"Bearer {accounts.make_token('admin', 'administer')}"}
    nurse = {"authorization": f"Bearer {accounts.make_token('nurse', 'acknowledge')}"}

    async def ask() -> None:
        async with a_house(tmp_path, phones=(good, broken)) as house, house.client() as client:
            assert (await client.get("/api/v1/phones")).json() == {"phones": ["daughter", "son"]}
            path = "/api/v1/phones/daughter/test"
            assert (await client.post(path)).status_code == 401
            assert (await client.post(path, headers=nurse)).status_code == 403
            assert good.tested == []
            assert (await client.post(path, headers=admin)).status_code == 200
            refused = await client.post("/api/v1/phones/son/test", headers=admin)
            assert refused.status_code == 503
            assert refused.json() == {"error": "the service did not take it"}
            absent = await client.post("/api/v1/phones/aunt/test", headers=admin)
            assert absent.status_code == 404

    asyncio.run(ask())
    assert good.tested == ["daughter"]
