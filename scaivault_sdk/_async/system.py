"""``client.system``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scaivault_sdk._async.base import Namespace
from scaivault_sdk._calls import Call, given, segment
from scaivault_sdk.models.base import models_of
from scaivault_sdk.models.system import (
    DetailedHealth,
    Health,
    Initialization,
    Jobs,
    KeyRotation,
    Readiness,
    RootRotation,
    RootToken,
    SealStatus,
    ServerVersion,
    Slot,
    SlotVerification,
)

_BASE = "/v1/system"


class System(Namespace):
    """The vault itself. Probes, ``init``, ``unseal`` and ``root_token`` need no token."""

    async def _probe(self, path: str, also: tuple[int, ...] = ()) -> Any:
        return (await self._caller.send(Call("GET", path, open=True, also=also))).body

    async def _give(self, path: str, body: Any) -> Any:
        """Hand over a slot credential; the server derives keys from it, which takes a while."""
        call = Call("POST", f"{_BASE}/{path}", body=body, open=True, slow=True)
        return (await self._caller.send(call)).body

    # -- probes ---------------------------------------------------------------------------------

    async def health(self) -> Health:
        """Whether the process runs."""
        return Health.from_wire(await self._probe("/v1/health"))

    async def ready(self) -> Readiness:
        """Whether requests can be served; not being ready is an answer too."""
        return Readiness.from_wire(await self._probe("/v1/health/ready", also=(503,)))

    async def detailed(self) -> DetailedHealth:
        """The state of every component."""
        return DetailedHealth.from_wire(await self._get("/v1/health/detailed"))

    async def version(self) -> ServerVersion:
        """What runs there."""
        return ServerVersion.from_wire(await self._probe("/v1/version"))

    async def seal_status(self) -> SealStatus:
        """Whether the vault is open."""
        return SealStatus.from_wire(await self._probe(f"{_BASE}/seal-status"))

    # -- sealing --------------------------------------------------------------------------------

    async def init(self, **body: Any) -> Initialization:
        """Make the vault; once, and from its own machine. ``body``: ``slots``, ``recovery``,
        ``partner``, ``tenant``, ``root_token_ttl``."""
        return Initialization.from_wire(await self._give("init", body))

    async def unseal(
        self,
        *,
        slot_id: str | None = None,
        passphrase: str | None = None,
        share: str | None = None,
        key: str | None = None,
        auto: bool | None = None,
    ) -> SealStatus:
        """One credential: ``passphrase`` (also a recovery key), one Shamir ``share``, ``key``
        (base64), or ``auto`` for slots that open by themselves."""
        body = given(slot_id=slot_id, passphrase=passphrase, share=share, key=key, auto=auto)
        return SealStatus.from_wire(await self._give("unseal", body))

    async def root_token(
        self,
        *,
        slot_id: str | None = None,
        passphrase: str | None = None,
        shares: Sequence[str] | None = None,
        key: str | None = None,
        ttl: str | None = None,
    ) -> RootToken:
        """A token of the root account for a slot credential, from the vault's own machine."""
        body = given(slot_id=slot_id, passphrase=passphrase, shares=shares, key=key, ttl=ttl)
        return RootToken.from_wire(await self._give("root-token", body))

    async def seal(self, *, hold: bool = True) -> SealStatus:
        """Close the vault. ``hold``: until somebody unseals it by hand."""
        return SealStatus.from_wire(await self._work("seal", {"hold": hold}))

    async def _work(self, path: str, body: Any = None) -> Any:
        return await self._post(f"{_BASE}/{path}", body, slow=True)

    # -- slots ----------------------------------------------------------------------------------

    async def slots(self) -> list[Slot]:
        """What opens the vault, oldest first."""
        body = await self._get(f"{_BASE}/slots")
        return models_of(Slot, body.get("slots"))

    async def add_slot(
        self,
        type: str,  # noqa: A002 - the name of the field
        *,
        label: str | None = None,
        params: Mapping[str, Any] | None = None,
        passphrase: str | None = None,
        generate: bool | None = None,
        shares: int | None = None,
        threshold: int | None = None,
    ) -> Slot:
        """A further slot; its shares or recovery key are told here and never again."""
        body = given(
            type=type,
            label=label,
            params=params,
            passphrase=passphrase,
            generate=generate,
            shares=shares,
            threshold=threshold,
        )
        return Slot.from_wire(await self._work("slots", body))

    async def verify_slot(
        self,
        slot_id: str,
        *,
        passphrase: str | None = None,
        share: str | None = None,
        shares: Sequence[str] | None = None,
        key: str | None = None,
    ) -> SlotVerification:
        """Whether a credential opens a slot; without one, for slots that open by themselves."""
        body = given(passphrase=passphrase, share=share, shares=shares, key=key)
        where = f"slots/{segment(slot_id, 'slot_id')}/verify"
        return SlotVerification.from_wire(await self._work(where, body))

    async def remove_slot(self, slot_id: str, *, force: bool = False) -> None:
        """Remove a slot; ``force``: also when no other was ever verified."""
        where = f"{_BASE}/slots/{segment(slot_id, 'slot_id')}"
        await self._delete(where, force=True if force else None)

    # -- keys -----------------------------------------------------------------------------------

    async def rotate_root(
        self,
        credentials: Sequence[Mapping[str, Any]] = (),
        *,
        drop_slots: Sequence[str] = (),
        rekey_file: bool = False,
        reason: str | None = None,
    ) -> RootRotation:
        """A new root key. Every slot that does not open by itself needs its credential (``slot_id``
        and ``passphrase`` or ``shares``), or a place in ``drop_slots``."""
        body = {
            "credentials": [dict(each) for each in credentials],
            "drop_slots": list(drop_slots),
            "rekey_file": rekey_file,
            **given(reason=reason),
        }
        return RootRotation.from_wire(await self._work("rotate-root", body))

    async def rotate_tenant_key(self, tenant_id: str) -> KeyRotation:
        """A new tenant key; versions are wrapped with it in the background."""
        return KeyRotation.from_wire(await self._work(_key("tenants", tenant_id)))

    async def tenant_key(self, tenant_id: str) -> KeyRotation:
        """How far that has come."""
        return KeyRotation.from_wire(await self._get(f"{_BASE}/{_key('tenants', tenant_id)}"))

    async def rotate_partner_key(self, partner_id: str) -> KeyRotation:
        """A new partner key, as for tenants."""
        return KeyRotation.from_wire(await self._work(_key("partners", partner_id)))

    async def partner_key(self, partner_id: str) -> KeyRotation:
        """How far that has come."""
        return KeyRotation.from_wire(await self._get(f"{_BASE}/{_key('partners', partner_id)}"))

    # -- jobs -----------------------------------------------------------------------------------

    async def jobs(self) -> Jobs:
        """What happens by itself, when it did last, and when it will next."""
        return Jobs.from_wire(await self._get(f"{_BASE}/jobs"))

    async def pause_jobs(self) -> Jobs:
        """Let nothing act outward."""
        return Jobs.from_wire(await self._post(f"{_BASE}/jobs/pause"))

    async def resume_jobs(self) -> Jobs:
        """Go on."""
        return Jobs.from_wire(await self._post(f"{_BASE}/jobs/resume"))


def _key(kind: str, owner_id: str) -> str:
    return f"{kind}/{segment(owner_id, 'owner_id')}/rotate-key"
