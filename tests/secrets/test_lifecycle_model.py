"""The life of secrets against a model of it: any calls in any order, while time passes.

The model is written for a reader, not for speed; what it says is what the contract says."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from scaivault.clock import DAY, HOUR, instant, instant_or_none
from tests.support.house import PASSPHRASE, Answer
from tests.support.running import EXAMPLES, Running, running_house

NAMES: Final = ("a", "a/b")
PATHS: Final = st.sampled_from(NAMES)
PLACES: Final = st.integers(0, len(NAMES) - 1)  # among the paths with something live
RETENTION: Final = 30 * DAY
THRESHOLDS: Final = {"30d": 30 * DAY, "7d": 7 * DAY, "2d": 2 * DAY, "1d": DAY, "1h": HOUR}
LENGTHS: Final = st.sampled_from([None, None, "1h", "1d", "8d"])
WARNINGS: Final = st.sampled_from([None, None, None, [], ["1h"], ["1h", "2d"]])
MICROSECONDS: Final = {"1h": HOUR, "1d": DAY, "8d": 8 * DAY}


@dataclass
class Version:
    """A stored value, and when it stops to be readable."""

    data: dict[str, int]
    secret_type: str
    until: int | None = None


@dataclass
class Secret:
    """What the vault should hold at one path."""

    created_at: int
    updated_at: int
    told_until: int  # notices up to here were given
    versions: dict[int, Version] = field(default_factory=dict)
    last: int = 0
    current: int = 0
    metadata: dict[str, Any] = field(default_factory=dict)
    keep: int = 10
    warnings: list[str] = field(default_factory=lambda: ["30d", "7d", "1d"])
    expires_at: int | None = None
    deleted_at: int | None = None

    def prune(self, now: int) -> None:
        """The oldest go, but never the current one nor one inside its grace."""
        for number in sorted(self.versions):
            until = self.versions[number].until
            in_grace = until is not None and until > now
            if len(self.versions) > self.keep and number != self.current and not in_grace:
                del self.versions[number]

    def readable(self, now: int) -> set[int]:
        """Versions that can be asked for."""
        return {n for n, v in self.versions.items() if v.until is None or v.until > now}

    def expired(self, now: int) -> bool:
        return self.expires_at is not None and self.expires_at <= now

    def end(self, at: int | None, now: int) -> None:
        """Another end: its warnings begin anew."""
        self.expires_at, self.told_until = at, now

    def notices(self, now: int) -> list[str]:
        """What is to be told: the end, else the nearest threshold that passed."""
        if self.expires_at is None:
            return []
        if self.told_until < self.expires_at <= now:
            return ["expired"]
        passed = {
            self.expires_at - THRESHOLDS[text]: text
            for text in self.warnings
            if self.told_until < self.expires_at - THRESHOLDS[text] <= now < self.expires_at
        }
        return [passed[max(passed)]] if passed else []


class Token:
    """The root token of a house whose clock runs far: a new one before it ends."""

    def __init__(self, running: Running) -> None:
        self._running: Final = running
        self._ends = 0

    def renew(self) -> None:
        house = self._running.house
        if house.clock.now() < self._ends - HOUR:
            return
        body = {"passphrase": PASSPHRASE, "ttl": "90d"}
        call = house.call("POST", "/v1/system/root-token", body, token=None)
        house.token = self._running.run(call).json["token"]
        self._ends = house.clock.now() + 90 * DAY


def some_live(life: Life) -> bool:
    """What is refused on an empty path, other tests tell; here lives are to be long."""
    return bool(life.living())


def some_deleted(life: Life) -> bool:
    return len(life.living()) < len(life.model)


def some_old(life: Life) -> bool:
    return bool(life.model) and len(life.told) > 12


class Life(RuleBasedStateMachine):
    """One example; all of them in one house, each below a path of its own."""

    def __init__(self, running: Running, token: Token) -> None:
        super().__init__()
        self.running = running
        self.house = running.house
        self.token = token
        self.prefix = f"{running.fresh()}/"
        self.base = "/v1/secrets"
        self.model: dict[str, Secret] = {}
        self.told: list[tuple[str, str]] = []  # (event, path), in order
        self.heard: list[tuple[str, str]] = []
        self.newest = ""
        self.writes = 0
        self.touched: set[str] = set()  # paths whose versions are looked at after this step

    @initialize(partner=st.booleans())
    def begin(self, partner: bool) -> None:
        """The secrets of a partner live like those of a tenant."""
        self.base = "/v1/partner/secrets" if partner else "/v1/secrets"
        self.token.renew()

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

    def living(self) -> list[str]:
        return [path for path in NAMES if self.live(path) is not None]

    def call(self, method: str, target: str, body: Any = None) -> Answer:
        where = f"{self.base}/{self.prefix}{target}"
        path = target.partition("?")[0].removesuffix("/rotate").removesuffix("/restore")
        self.touched.add(path)
        answer = self.running.run(self.house.call(method, where, body))
        assert answer.status < 500, answer.body
        return answer

    def ask(self, targets: list[str]) -> dict[str, Answer]:
        """Answers of reads that are sent at once, so that they share a commit."""

        async def together() -> list[Answer]:
            return await asyncio.gather(*(self.house.get(target) for target in targets))

        return dict(zip(targets, self.running.run(together()), strict=True))

    def value(self) -> dict[str, int]:
        self.writes += 1
        return {"n": self.writes}

    def tell(self, path: str, *events: str) -> None:
        self.told += [(event, path) for event in events]

    # -- changes -------------------------------------------------------------------------------

    @rule(
        path=PATHS,
        keep=st.sampled_from([None, None, 1, 2, 3]),
        life=LENGTHS,
        warnings=WARNINGS,
        secret_type=st.sampled_from([None, "kv", "json"]),
        cas=st.sampled_from([None] * 6 + [0, 1, 2]),
    )
    def write(
        self,
        path: str,
        keep: int | None,
        life: str | None,
        warnings: list[str] | None,
        secret_type: str | None,
        cas: int | None,
    ) -> None:
        data = self.value()
        options = {
            "max_versions": keep, "expires_in": life, "notify_before": warnings, "cas": cas,
        }  # fmt: skip
        answer = self.call(
            "PUT", path, {"data": data, "options": options, "secret_type": secret_type}
        )
        before = self.kept(path)
        if before is not None and before.deleted_at is not None:
            assert answer.code == "secret_exists"
            return
        if cas is not None and cas != (before.current if before else 0):
            assert answer.code == "version_conflict"
            return
        if before is None and path in self.model:
            self.tell(path, "secret.deleted")  # its purge was due
        secret = before or Secret(self.now, self.now, self.now)
        kind = secret.versions[secret.current].secret_type if before else "kv"
        if life is not None:
            secret.end(self.now + MICROSECONDS[life], self.now)
        elif secret.expired(self.now):
            secret.end(None, self.now)
        if warnings is not None:
            secret.warnings = sorted(warnings, key=lambda text: -THRESHOLDS[text])
        secret.keep = keep or secret.keep
        self.add_version(secret, Version(data, secret_type or kind))
        secret.prune(self.now)
        self.model[path] = secret
        self.tell(path, "secret.updated" if before else "secret.created")
        assert answer.status == (200 if before else 201)
        assert answer.json["version"] == secret.last

    def add_version(self, secret: Secret, version: Version) -> None:
        secret.last += 1
        secret.current = secret.last
        secret.versions[secret.last] = version
        secret.updated_at = self.now

    @precondition(some_live)
    @rule(place=PLACES, grace=st.sampled_from([None, "1h", "1d", "8d"]))
    def rotate(self, place: int, grace: str | None) -> None:
        path, data = self.living()[place % len(self.living())], self.value()
        answer = self.call("POST", f"{path}/rotate", {"new_value": data, "grace_period": grace})
        secret = self.model[path]
        if secret.expired(self.now):
            assert answer.code == "secret_expired"
            return
        assert answer.json["previous_version"] == secret.current
        until = self.now + (MICROSECONDS[grace] if grace else 2 * DAY)
        assert answer.json["grace_period_ends"] == instant(until)
        for version in secret.versions.values():
            version.until = version.until or until
        self.add_version(secret, Version(data, secret.versions[secret.current].secret_type))
        secret.prune(self.now)
        self.tell(path, "secret.updated", "secret.rotated", "rotation.completed")

    @precondition(some_live)
    @rule(
        place=PLACES,
        metadata=st.dictionaries(st.sampled_from("xy"), st.sampled_from([None, 1, [2]])),
        keep=st.sampled_from([0, 0, None, 1, 2, 3]),
        life=st.sampled_from([0, 0, None, "1h", "8d"]),
        warnings=WARNINGS,
    )
    def patch(
        self,
        place: int,
        metadata: dict[str, Any],
        keep: int | None,
        life: Any,
        warnings: list[str] | None,
    ) -> None:
        """0: not sent; None: null."""
        path = self.living()[place % len(self.living())]
        change = {**metadata, **self.value()}
        options: dict[str, Any] = {}
        if keep != 0:
            options["max_versions"] = keep
        if life != 0:
            options["expires_in"] = life
        if warnings is not None:
            options["notify_before"] = warnings
        answer = self.call("PATCH", path, {"metadata": change, "options": options})
        secret = self.model[path]
        for name, value in change.items():
            secret.metadata[name] = value
        secret.metadata = {k: v for k, v in secret.metadata.items() if v is not None}
        if life != 0:
            secret.end(None if life is None else self.now + MICROSECONDS[life], self.now)
        if warnings is not None:
            secret.warnings = sorted(warnings, key=lambda text: -THRESHOLDS[text])
        if keep != 0:
            fewer = (keep or 10) < secret.keep
            secret.keep = keep or 10
            if fewer:
                secret.prune(self.now)
        secret.updated_at = self.now
        assert answer.json == self.facts(path, answer.json)

    @precondition(some_live)
    @rule(place=PLACES)
    def delete(self, place: int) -> None:
        path = self.living()[place % len(self.living())]
        answer = self.call("DELETE", path)
        self.model[path].deleted_at = self.now
        self.tell(path, "secret.deleted")
        assert answer.json["recoverable_until"] == instant(self.now + RETENTION)

    @precondition(some_old)
    @rule(path=PATHS)
    def delete_for_good(self, path: str) -> None:
        answer = self.call("DELETE", f"{path}?permanent=true")
        # One whose purge is due is there until somebody does it.
        assert (answer.status == 200) == (path in self.model)
        if self.model.pop(path, None) is not None:
            self.tell(path, "secret.deleted")

    @precondition(some_live)
    @rule(place=PLACES, back=st.sampled_from([-1, 0, 0, 0, 1, 1, 2, 3]))
    def delete_version(self, place: int, back: int) -> None:
        path = self.living()[place % len(self.living())]
        secret = self.model[path]
        number = max(1, secret.current - back)
        answer = self.call("DELETE", f"{path}?version={number}")
        if number not in secret.versions:
            assert answer.code == "version_not_found"
        elif number != secret.current:
            assert answer.status == 200
            del secret.versions[number]
        elif secret.readable(self.now) == {number}:
            assert answer.details == {"reason": "last_version"}
        else:
            assert answer.status == 200
            del secret.versions[number]
            secret.current = max(secret.readable(self.now))
            secret.versions[secret.current].until = None
            self.tell(path, "secret.updated")

    @precondition(some_deleted)
    @rule(path=PATHS)
    def restore(self, path: str) -> None:
        answer = self.call("POST", f"{path}/restore")
        secret = self.kept(path)
        assert answer.status == (404 if secret is None else 200)
        if secret is not None and secret.deleted_at is not None:
            secret.deleted_at, secret.updated_at = None, self.now
            self.tell(path, "secret.restored")

    # -- what happens by itself ----------------------------------------------------------------

    @rule(
        hours=st.sampled_from([1, 1, 1, 12, 24, 24, 6 * 24, 30 * 24]),
        then=st.sampled_from(["", "", "purge", "purge", "crash"] + ["announce"] * 11),
    )
    def time_passes(self, hours: int, then: str) -> None:
        self.house.clock.advance(hours * HOUR)
        self.touched.update(NAMES)
        self.token.renew()
        if then:
            getattr(self, then)()

    def purge(self) -> None:
        vault = self.house.vault
        due = [path for path in self.model if self.kept(path) is None]
        due.sort(key=lambda path: (self.model[path].deleted_at or 0, path))
        self.running.run(vault.upkeep.purge(vault.internal("purge")))
        for path in due:
            del self.model[path]
            self.tell(path, "secret.deleted")

    def announce(self) -> None:
        vault = self.house.vault
        before = len(self.told)
        for _ in ("tells", "has told"):
            self.running.run(vault.upkeep.announce(vault.internal("expiry")))
        expected = []
        for path in NAMES:
            secret = self.model.get(path)
            if secret is not None and secret.deleted_at is None:
                expected += [(notice, path) for notice in secret.notices(self.now)]
                secret.told_until = self.now
        found = self.events()[before:]
        assert sorted(found) == sorted(expected)
        self.told += found

    def crash(self) -> None:
        self.heard, self.newest = [], ""
        self.running.run(self.house.crash())
        assert self.running.run(self.house.unseal()).status == 200

    # -- what must be seen ---------------------------------------------------------------------

    def events(self) -> list[tuple[str, str]]:
        """All events of this example, in order: notices by what they say, others by their type.
        Only a crash makes it look at the older ones again."""
        for event in self.running.run(self.announced()):
            self.newest = event["event_id"]
            word = event["event_type"].replace("secret.expired", "expired")
            path = event["path"].removeprefix(self.prefix)
            self.heard.append((event["data"].get("threshold", word), path))
        return self.heard

    async def announced(self) -> list[dict[str, Any]]:
        """The events of this example that were not seen yet, in order."""
        rows = await self.house.vault.gate.ask(
            lambda db: db.execute(
                "SELECT payload FROM outbox WHERE event_id > ? AND path >= ? AND path < ?"
                " ORDER BY event_id",
                (self.newest, self.prefix, self.prefix + "\x7f"),
            ).fetchall()
        )
        return [json.loads(payload) for (payload,) in rows]

    def at(self, path: str, room: str = "") -> str:
        return f"{self.base}/{room}{self.prefix}{path}"

    def facts(self, path: str, told: dict[str, Any]) -> dict[str, Any]:
        """What the vault should say of a live secret; reads, as ``told``, are counted elsewhere."""
        secret = self.model[path]
        scope = {"scope": "partner"} if "partner" in self.base else {}
        return scope | {
            "path": self.prefix + path,
            "secret_type": secret.versions[secret.current].secret_type,
            "current_version": secret.current,
            "version_count": len(secret.versions),
            "metadata": secret.metadata,
            "created_at": instant(secret.created_at),
            "updated_at": instant(secret.updated_at),
            "expires_at": instant_or_none(secret.expires_at),
            "last_accessed_at": told["last_accessed_at"],
            "access_count_30d": told["access_count_30d"],
            "rotation_policy": None,
            "secret_policy_id": None,
            "options": {"max_versions": secret.keep, "notify_before": secret.warnings},
            "source": None,
        }

    @invariant()
    def everything_reads_as_written(self) -> None:
        targets = [self.page]
        for path in NAMES:
            targets.append(self.at(path))
            secret = self.live(path)
            if secret is not None:
                targets += [f"{self.at(path)}/versions", self.at(path, "metadata/")]
                if path in self.touched and not secret.expired(self.now):
                    targets += [self.version_at(path, n) for n in range(1, secret.last + 2)]
        seen = self.ask(targets)
        for path in NAMES:
            self.value_is_as_written(path, seen)
            if path in self.touched:
                self.versions_are_readable(path, seen)
        self.facts_agree(seen)
        self.touched.clear()

    @property
    def page(self) -> str:
        return f"{self.base}?prefix={self.prefix}"

    def version_at(self, path: str, number: int) -> str:
        return f"{self.at(path)}?version={number}"

    def value_is_as_written(self, path: str, seen: dict[str, Answer]) -> None:
        secret, answer = self.live(path), seen[self.at(path)]
        if secret is None:
            assert answer.code == "secret_not_found"
        elif secret.expired(self.now):
            assert answer.code == "secret_expired"
        else:
            found = (answer.json["version"], answer.json["data"])
            assert found == (secret.current, secret.versions[secret.current].data)

    def versions_are_readable(self, path: str, seen: dict[str, Answer]) -> None:
        secret = self.live(path)
        if secret is None or secret.expired(self.now):
            return
        readable = secret.readable(self.now)
        for number in range(1, secret.last + 2):
            answer = seen[self.version_at(path, number)]
            if number not in readable:
                assert answer.code == "version_not_found"
                continue
            version = secret.versions[number]
            assert answer.json["data"] == version.data
            assert answer.json["readable_until"] == instant_or_none(version.until)

    def facts_agree(self, seen: dict[str, Answer]) -> None:
        living = self.living()
        page = seen[self.page].json
        shown = [path for path in living if not self.model[path].expired(self.now)]
        paths = [item["path"].removeprefix(self.prefix) for item in page["secrets"]]
        assert paths == shown
        assert page["total_count"] == len(shown)
        for path in living:
            secret = self.model[path]
            items = seen[f"{self.at(path)}/versions"].json["versions"]
            assert [(item["version"], item["readable_until"]) for item in items] == [
                (number, instant_or_none(secret.versions[number].until))
                for number in sorted(secret.versions, reverse=True)
            ]
            told = seen[self.at(path, "metadata/")].json
            assert told == self.facts(path, told)

    @invariant()
    def every_event_once(self) -> None:
        assert self.events() == self.told


def test_lives(tmp_path: Path) -> None:
    with running_house(tmp_path / "vault") as running:
        token = Token(running)

        class Here(Life):
            def __init__(self) -> None:
                super().__init__(running, token)

        effort = settings(EXAMPLES, max_examples=30, stateful_step_count=50)
        run_state_machine_as_test(Here, settings=effort)
