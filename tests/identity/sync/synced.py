"""A vault that reads users and groups from a directory."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from scaivault.clock import SECOND, FakeClock
from tests.identity.sync.directory import TOKEN, Directory
from tests.support.house import House

ISSUER = "https://id.harbor.example"
SECRET = "ops/scim"


class Synced:
    """``house`` has one tenant, and the directory's credentials in it."""

    def __init__(self, house: House, directory: Directory) -> None:
        self.house = house
        self.directory = directory

    @classmethod
    async def opened(
        cls, path: Path, directory: Directory, *others: dict[str, Any], **fields: Any
    ) -> Self:
        """``fields``: of the issuer; ``interval`` of its sync."""
        sync = {"base_url": directory.url, "credentials_path": SECRET}
        if "interval" in fields:
            sync["interval"] = fields.pop("interval")
        issuers = [{"name": "corp", "issuer": ISSUER, "sync": sync, **fields}, *others]
        house = await House.opened(path, rate_limits__enabled=False, identity__issuers=issuers)
        await house.put(SECRET, {"token": TOKEN})
        await house.run_jobs()  # from now on they are due
        return cls(house, directory)

    @property
    def tenant(self) -> str:
        return str(self.house.made["tenant_id"])

    async def start(self, token: str = "", **query: str) -> dict[str, Any]:
        answer = await self.house.call("POST", "/v1/identity/sync", query=query, token=token)
        assert answer.status == 202, answer.body
        return answer.json  # type: ignore[no-any-return]

    async def work(self, seconds: int = 2) -> None:
        """What is due so much later."""
        assert isinstance(self.house.clock, FakeClock)
        self.house.clock.advance(seconds * SECOND)
        await self.house.run_jobs()

    async def run(self, **query: str) -> dict[str, Any]:
        """A run that was asked for, once it is over."""
        started = await self.start(**query)
        await self.work()
        (item,) = [one for one in await self.history() if one["sync_id"] == started["sync_id"]]
        assert item["status"] != "running"
        return item

    async def history(self, **query: Any) -> list[dict[str, Any]]:
        answer = await self.house.get("/v1/identity/sync/history", query=query)
        assert answer.status == 200, answer.body
        return answer.json["history"]  # type: ignore[no-any-return]

    async def users(self) -> dict[str, dict[str, Any]]:
        """By e-mail address."""
        where = f"/v1/identity/tenants/{self.tenant}/users"
        answer = await self.house.get(where, query={"page_size": 200})
        return {one["email"]: one for one in answer.json["users"]}

    async def groups(self) -> dict[str, dict[str, Any]]:
        """By name."""
        answer = await self.house.get(f"/v1/identity/tenants/{self.tenant}/groups")
        return {one["name"]: one for one in answer.json["groups"]}

    async def members(self, group: str) -> dict[str, str]:
        """E-mail address -> DIRECT or INHERITED."""
        answer = await self.house.get(f"/v1/identity/groups/group:{group}/members")
        return {one["email"]: one["membership_type"] for one in answer.json["members"]}
