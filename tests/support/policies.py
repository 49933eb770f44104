"""Policies as tests make and bind them."""

from __future__ import annotations

from typing import Any, Final

from tests.support.house import Answer, House

POLICIES: Final = "/v1/policies"
PATH: Final = "retail/live/card"


def rule(
    pattern: str = "retail/live/**",
    *permissions: str,
    **conditions: Any,
) -> dict[str, Any]:
    """A rule as it is sent; ``read`` where no permission is named."""
    made: dict[str, Any] = {"path_pattern": pattern, "permissions": list(permissions or ("read",))}
    return {**made, "conditions": conditions} if conditions else made


async def sent(house: House, *rules: dict[str, Any], **more: Any) -> Answer:
    """POST /v1/policies; ``token`` and ``headers`` are the caller's."""
    call = {name: more.pop(name) for name in ("token", "headers") if name in more}
    body = {"name": "readers", "rules": list(rules or (rule(),)), **more}
    return await house.call("POST", POLICIES, body, **call)


async def policy(house: House, *rules: dict[str, Any], **more: Any) -> str:
    """The id of a new policy."""
    made = await sent(house, *rules, **more)
    assert made.status == 201, made.body
    found: str = made.json["id"]
    return found


async def bind(house: House, policy_id: str, identity: str, **more: Any) -> Answer:
    """POST …/bindings; the type is told by the id."""
    call = {name: more.pop(name) for name in ("token", "headers") if name in more}
    kinds = {"user": "user", "usr_": "user", "group": "group", "grp_": "group"}
    kind = next((kinds[one] for one in kinds if identity.startswith(one)), "service_account")
    body = {"identity_type": kind, "identity_id": identity, **more}
    return await house.call("POST", f"{POLICIES}/{policy_id}/bindings", body, **call)


async def bound(house: House, policy_id: str, identity: str, **more: Any) -> str:
    """The id of a new binding."""
    made = await bind(house, policy_id, identity, **more)
    assert made.status == 201, made.body
    found: str = made.json["id"]
    return found


async def asked(
    house: House, identity: str, path: str = PATH, permission: str = "read", **more: Any
) -> Any:
    """POST /v1/policies/test; ``more`` is its context."""
    call = {name: more.pop(name) for name in ("token", "headers") if name in more}
    body = {"identity_id": identity, "path": path, "permission": permission, "context": more}
    answer = await house.call("POST", f"{POLICIES}/test", body, **call)
    assert answer.status == 200, answer.body
    return answer.json


async def events(house: House, prefix: str = "policy.") -> list[dict[str, Any]]:
    """Those of a kind, in order."""
    return [one for one in await house.events() if one["event_type"].startswith(prefix)]
