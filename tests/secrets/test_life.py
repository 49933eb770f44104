"""The life of secrets against a model of it: any calls in any order, while time passes."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from scaivault.clock import DAY, HOUR, instant
from tests.support.house import PASSPHRASE, Answer
from tests.support.running import EXAMPLES, running_house

PATHS: Final = st.sampled_from(["a", "a/b"])
RETENTION: Final = 30 * DAY


@dataclass
class Secret:
    """What the vault should hold."""

    versions: dict[int, dict[str, int]] = field(default_factory=dict)
    last: int = 0
    current: int = 0
    keep: int = 10
    expires_at: int | None = None
    deleted_at: int | None = None


class Life(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        folder = self._stack.enter_context(tempfile.TemporaryDirectory())
        self.running = self._stack.enter_context(running_house(Path(folder) / "vault"))
        self.house = self.running.house
        self.model: dict[str, Secret] = {}
        self.writes = 0

    def teardown(self) -> None:
        self._stack.close()

    # -- the model's side ----------------------------------------------------------------------

    @property
    def now(self) -> int:
        return self.house.clock.now()

    def kept(self, path: str) -> Secret | None:
        """What is there, soft-deleted or not, but not beyond its retention."""
        secret = self.model.get(path)
        if secret is None or secret.deleted_at is None:
            return secret
        return secret if secret.deleted_at + RETENTION > self.now else None

    def live(self, path: str) -> Secret | None:
        secret = self.kept(path)
        return None if secret is None or secret.deleted_at is not None else secret

    def expired(self, secret: Secret) -> bool:
        return secret.expires_at is not None and secret.expires_at <= self.now

    def call(self, method: str, target: str, body: Any = None) -> Answer:
        answer = self.running.run(self.house.call(method, f"/v1/secrets/{target}", body))
        assert answer.status < 500, answer.body
        return answer

    # -- calls ---------------------------------------------------------------------------------

    @rule(
        path=PATHS,
        keep=st.sampled_from([None, None, 1, 2, 3]),
        life=st.sampled_from([None, None, 1, 24]),
        cas=st.sampled_from([None, None, None, 0, 1, 2, 3]),
    )
    def write(self, path: str, keep: int | None, life: int | None, cas: int | None) -> None:
        self.writes += 1
        data = {"n": self.writes}
        options = {"max_versions": keep, "expires_in": life and f"{life}h", "cas": cas}
        answer = self.call("PUT", path, {"data": data, "options": options})
        before = self.kept(path)
        if before is not None and before.deleted_at is not None:
            assert answer.code == "secret_exists"
            return
        if cas is not None and cas != (before.current if before else 0):
            assert answer.code == "version_conflict"
            return
        secret = before or Secret()
        if life is not None:
            secret.expires_at = self.now + life * HOUR
        elif self.expired(secret):
            secret.expires_at = None
        secret.keep = keep or secret.keep
        secret.last += 1
        secret.current = secret.last
        secret.versions[secret.last] = data
        for old in sorted(secret.versions)[: -secret.keep]:
            del secret.versions[old]
        self.model[path] = secret
        assert answer.status == (200 if before else 201)
        assert answer.json["version"] == secret.last

    @rule(path=PATHS)
    def delete(self, path: str) -> None:
        answer = self.call("DELETE", path)
        secret = self.live(path)
        assert answer.status == (404 if secret is None else 200)
        if secret is not None:
            secret.deleted_at = self.now
            assert answer.json["recoverable_until"] == instant(self.now + RETENTION)

    @rule(path=PATHS)
    def delete_for_good(self, path: str) -> None:
        answer = self.call("DELETE", f"{path}?permanent=true")
        if self.kept(path) is not None:
            assert answer.status == 200
        self.model.pop(path, None)

    @rule(path=PATHS, number=st.integers(1, 6))
    def delete_version(self, path: str, number: int) -> None:
        answer = self.call("DELETE", f"{path}?version={number}")
        secret = self.live(path)
        if secret is None:
            assert answer.code == "secret_not_found"
        elif number not in secret.versions:
            assert answer.code == "version_not_found"
        elif len(secret.versions) == 1:
            assert answer.details == {"reason": "last_version"}
        else:
            assert answer.status == 200
            del secret.versions[number]
            secret.current = max(secret.versions)

    @rule(path=PATHS)
    def restore(self, path: str) -> None:
        answer = self.call("POST", f"{path}/restore")
        secret = self.kept(path)
        assert answer.status == (404 if secret is None else 200)
        if secret is not None:
            secret.deleted_at = None

    @rule(hours=st.sampled_from([1, 24, 29 * 24, 30 * 24]))
    def time_passes(self, hours: int) -> None:
        self.house.clock.advance(hours * HOUR)
        # The token of before may be over by now.
        body = {"passphrase": PASSPHRASE, "ttl": "90d"}
        call = self.house.call("POST", "/v1/system/root-token", body, token=None)
        self.house.token = self.running.run(call).json["token"]

    @precondition(lambda self: self.model)
    @rule()
    def purge(self) -> None:
        vault = self.house.vault
        self.running.run(vault.upkeep.purge(vault.internal("purge")))
        for path in [path for path in self.model if self.kept(path) is None]:
            del self.model[path]

    @rule()
    def crash(self) -> None:
        self.running.run(self.house.crash())
        assert self.running.run(self.house.unseal()).status == 200

    # -- what must be seen ---------------------------------------------------------------------

    @invariant()
    def values_are_as_written(self) -> None:
        for path in ("a", "a/b"):
            secret, answer = self.live(path), self.call("GET", path)
            if secret is None:
                assert answer.code == "secret_not_found"
            elif self.expired(secret):
                assert answer.code == "secret_expired"
            else:
                seen = (answer.json["version"], answer.json["data"])
                assert seen == (secret.current, secret.versions[secret.current])
                self.versions_are_readable(path, secret)

    def versions_are_readable(self, path: str, secret: Secret) -> None:
        for number in range(1, min(secret.last, 6) + 1):
            answer = self.call("GET", f"{path}?version={number}")
            known = secret.versions.get(number)
            assert (answer.status == 200) == (known is not None)
            assert known is None or answer.json["data"] == known

    @invariant()
    def lists_and_facts_agree(self) -> None:
        page = self.running.run(self.house.get("/v1/secrets")).json
        living = [path for path in ("a", "a/b") if (secret := self.live(path)) is not None]
        shown = [path for path in living if not self.expired(self.model[path])]
        assert [item["path"] for item in page["secrets"]] == shown
        assert page["total_count"] == len(shown)
        for path in living:
            secret = self.model[path]
            items = self.call("GET", f"{path}/versions").json["versions"]
            assert [item["version"] for item in items] == sorted(secret.versions, reverse=True)
            facts = self.call("GET", f"metadata/{path}").json
            assert facts["current_version"] == secret.current
            assert facts["version_count"] == len(secret.versions)


TestLife = Life.TestCase
TestLife.settings = settings(EXAMPLES, max_examples=12, stateful_step_count=25)
