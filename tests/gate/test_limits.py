"""Token buckets: how much, how soon again, whose, and how little is remembered."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from scaivault.clock import DAY, HOUR, MINUTE, SECOND, FakeClock
from scaivault.config.limits import RateLimits
from scaivault.errors import Refusal
from scaivault.gate.limits import (
    BY_ADDRESS,
    CATEGORIES,
    MAX_LIMIT,
    Allowance,
    Limits,
    Quiet,
    RateLimited,
    address_key,
)

INES = "user:ines@retail.example"
SYNC = "sa:gateway-sync"
NOW_S = FakeClock().now() // SECOND


class Ticks(FakeClock):
    """A clock whose nanoseconds are set by hand."""

    ticks = 0

    def monotonic(self) -> int:
        return self.ticks


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def limits(clock: FakeClock) -> Limits:
    return Limits(clock)


def refused(limits: Limits, key: str, category: str, n: int = 1) -> RateLimited:
    with pytest.raises(RateLimited) as caught:
        limits.take(key, category, n)
    return caught.value


def drain(limits: Limits, key: str, category: str) -> None:
    limits.take(key, category, CATEGORIES[category])


PER_MINUTE = {
    "secrets_read": 1000,
    "secrets_write": 100,
    "secrets_delete": 100,
    "secrets_list": 100,
    "batch_read": 100,
    "batch_metadata": 100,
    "audit_query": 50,
    "audit_export": 5,
    "policy_ops": 50,
    "policy_test": 200,
    "pki_issue": 50,
    "pki_admin": 20,
    "pki_read": 100,
    "acme_order": 30,
    "dns_admin": 20,
    "webhook_ops": 20,
    "federation_ops": 20,
    "subscription_ops": 20,
    "subscription_poll": 240,
    "dynamic_generate": 100,
    "dynamic_admin": 20,
    "lease_ops": 100,
    "identity_read": 100,
    "identity_sync": 5,
    "identity_admin": 50,
    "auth_tokens": 50,
    "auth_info": 300,
    "rotation_admin": 50,
    "secret_policy_admin": 50,
    "system_admin": 20,
    "auth_grant": 60,
    "unseal": 10,
    "auth_failed": 60,
}
"""The contract's numbers."""


def test_the_categories_are_the_contracts() -> None:
    assert CATEGORIES == PER_MINUTE


class TestTake:
    @pytest.mark.parametrize("category", CATEGORIES)
    def test_a_bucket_holds_one_minutes_worth(self, limits: Limits, category: str) -> None:
        for left in reversed(range(CATEGORIES[category])):
            allowance = limits.take(INES, category)
            assert allowance is not None
            assert allowance[:2] == (CATEGORIES[category], left)
        refused(limits, INES, category)

    def test_the_refusal(self, limits: Limits) -> None:
        drain(limits, INES, "audit_export")
        fault = refused(limits, INES, "audit_export")
        assert (fault.code, fault.status) == ("rate_limited", 429)
        assert fault.details == {"category": "audit_export", "limit": 5, "retry_after": 12}
        assert fault.allowance == Allowance(5, 0, NOW_S + 60)
        assert isinstance(fault, Refusal)

    def test_it_refills_continuously(self, limits: Limits, clock: FakeClock) -> None:
        drain(limits, INES, "audit_export")
        clock.advance(12 * SECOND - 1)
        assert refused(limits, INES, "audit_export").details["retry_after"] == 1
        clock.advance(1)
        assert limits.take(INES, "audit_export") == Allowance(5, 0, NOW_S + 72)
        refused(limits, INES, "audit_export")

    def test_it_never_holds_more_than_a_minutes_worth(
        self, limits: Limits, clock: FakeClock
    ) -> None:
        limits.take(INES, "audit_export")
        clock.advance(DAY)
        drain(limits, INES, "audit_export")
        refused(limits, INES, "audit_export")

    def test_retry_after_is_a_whole_second_at_least(self, limits: Limits) -> None:
        drain(limits, INES, "secrets_read")
        assert refused(limits, INES, "secrets_read").details["retry_after"] == 1
        assert refused(limits, INES, "secrets_read", 100).details["retry_after"] == 6

    def test_after_retry_after_it_succeeds(self, limits: Limits, clock: FakeClock) -> None:
        drain(limits, INES, "secrets_write")
        fault = refused(limits, INES, "secrets_write", 7)
        clock.advance(fault.details["retry_after"] * SECOND)
        limits.take(INES, "secrets_write", 7)

    def test_a_refusal_takes_nothing(self, limits: Limits) -> None:
        limits.take(INES, "secrets_read", 950)
        for _ in range(3):
            refused(limits, INES, "secrets_read", 51)
        assert limits.take(INES, "secrets_read", 50) == Allowance(1000, 0, NOW_S + 60)

    def test_more_than_the_bucket_holds_is_never_there(self, limits: Limits) -> None:
        fault = refused(limits, INES, "audit_export", 6)
        assert fault.allowance.remaining == 5
        assert fault.details["retry_after"] == 12

    def test_reset_is_when_the_bucket_is_full(self, limits: Limits, clock: FakeClock) -> None:
        assert limits.take(INES, "audit_export") == Allowance(5, 4, NOW_S + 12)
        clock.advance(1)
        assert limits.take(INES, "audit_export") == Allowance(5, 3, NOW_S + 24)
        clock.advance(HOUR)
        assert limits.take(INES, "audit_export") == Allowance(5, 4, NOW_S + 3613)

    def test_identities_and_categories_have_their_own(self, limits: Limits) -> None:
        drain(limits, INES, "pki_admin")
        limits.take(SYNC, "pki_admin")
        limits.take(INES, "dns_admin")
        refused(limits, INES, "pki_admin")

    @pytest.mark.parametrize("step", [-DAY, -1])
    def test_the_wall_clock_does_not_count(
        self, limits: Limits, clock: FakeClock, step: int
    ) -> None:
        drain(limits, INES, "pki_admin")
        clock.advance(step)
        refused(limits, INES, "pki_admin")
        clock.advance(3 * SECOND)
        limits.take(INES, "pki_admin")
        refused(limits, INES, "pki_admin")

    def test_a_minute_is_never_short(self) -> None:
        clock = Ticks()
        limits = Limits(clock, {"pki_admin": 7})
        limits.take(INES, "pki_admin", 7)
        clock.ticks = 60 * 10**9 - 1
        refused(limits, INES, "pki_admin", 7)
        clock.ticks += 7
        limits.take(INES, "pki_admin", 7)

    def test_an_unknown_category_is_a_defect_and_no_licence(self, limits: Limits) -> None:
        for call in (limits.take, limits.give_back):
            with pytest.raises(KeyError):
                call(INES, "lease_quota")


class TestGiveBack:
    def test_a_batch_pays_for_what_it_returns(self, limits: Limits) -> None:
        limits.take(INES, "secrets_read", 900)
        limits.take(INES, "secrets_read", 100)
        refused(limits, INES, "secrets_read")
        assert limits.give_back(INES, "secrets_read", 60) == Allowance(1000, 60, NOW_S + 57)
        limits.take(INES, "secrets_read", 60)
        refused(limits, INES, "secrets_read")

    def test_giving_back_never_overfills(self, limits: Limits, clock: FakeClock) -> None:
        limits.take(INES, "secrets_read", 100)
        clock.advance(3 * SECOND)
        assert limits.give_back(INES, "secrets_read", 100) == Allowance(1000, 1000, NOW_S + 3)
        assert limits.give_back(INES, "secrets_read", 100) == Allowance(1000, 1000, NOW_S + 3)
        assert limits.give_back(SYNC, "secrets_read", 100) == Allowance(1000, 1000, NOW_S + 3)
        assert len(limits) == 0
        limits.take(INES, "secrets_read", 1000)
        refused(limits, INES, "secrets_read")


class TestConfigure:
    def test_an_override_is_the_bucket(self, clock: FakeClock) -> None:
        limits = Limits(clock, {"secrets_read": 2})
        limits.take(INES, "secrets_read", 2)
        assert refused(limits, INES, "secrets_read").details["limit"] == 2

    def test_zero_is_unlimited(self, clock: FakeClock) -> None:
        limits = Limits(clock, {"secrets_read": 0})
        assert limits.take(INES, "secrets_read", 10**6) is None
        assert limits.give_back(INES, "secrets_read") is None
        assert len(limits) == 0
        drain(limits, INES, "audit_export")
        refused(limits, INES, "audit_export")

    def test_switched_off(self, clock: FakeClock) -> None:
        limits = Limits(clock, RateLimits(enabled=False).per_minute())
        assert all(limits.take(INES, category, 10**6) is None for category in CATEGORIES)

    def test_changed_buckets_start_full_and_others_stay(self, limits: Limits) -> None:
        drain(limits, INES, "audit_export")
        drain(limits, INES, "pki_admin")
        limits.configure({"pki_admin": 3})
        refused(limits, INES, "audit_export")
        assert limits.take(INES, "pki_admin", 3) == Allowance(3, 0, NOW_S + 60)
        limits.configure({})
        assert limits.take(INES, "pki_admin") == Allowance(20, 19, NOW_S + 3)

    @pytest.mark.parametrize(
        "overrides", [{"secret_read": 5}, {"pki_admin": -1}, {"pki_admin": MAX_LIMIT + 1}]
    )
    def test_what_makes_no_sense_changes_nothing(
        self, limits: Limits, overrides: dict[str, int]
    ) -> None:
        with pytest.raises(ValueError, match=next(iter(overrides))):
            limits.configure({"audit_export": 1} | overrides)
        drain(limits, INES, "audit_export")

    def test_the_largest_limit(self, clock: FakeClock) -> None:
        limits = Limits(clock, {"secrets_read": MAX_LIMIT})
        limits.take(INES, "secrets_read", MAX_LIMIT)
        refused(limits, INES, "secrets_read")


class TestAddressKey:
    @pytest.mark.parametrize(
        ("source_ip", "key"),
        [
            ("198.51.100.7", "198.51.100.7"),
            ("::ffff:198.51.100.7", "198.51.100.7"),
            ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
            ("2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:2::/64"),
            ("2001:0DB8:0001:0002::9%eth0", "2001:db8:1:2::/64"),
            ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
            ("::1", "::/64"),
            (None, "-"),
        ],
    )
    def test_key(self, source_ip: str | None, key: str) -> None:
        assert address_key(source_ip) == key

    @given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
    def test_a_whole_64_is_one_key(self, network: int, host: int) -> None:
        if network == 0 and host >> 32 == 0xFFFF:
            return
        groups = [f"{network >> shift & 0xFFFF:x}" for shift in (48, 32, 16, 0)]
        groups += [f"{host >> shift & 0xFFFF:x}" for shift in (48, 32, 16, 0)]
        assert address_key(":".join(groups)) == address_key(":".join(groups[:4]) + "::")

    def test_the_categories_that_are_counted_by_it(self) -> None:
        assert CATEGORIES.keys() >= BY_ADDRESS


def test_fills_show_the_buckets_used_last(limits: Limits, clock: FakeClock) -> None:
    for n in range(5):
        limits.take(f"user:{n}", "audit_export", n + 1)
    limits.take("user:0", "audit_export")
    fills = limits.fills(2)
    assert [(category, key) for category, key, _ in fills] == [
        ("audit_export", "user:0"),
        ("audit_export", "user:4"),
    ]
    assert [round(share, 9) for _, _, share in fills] == [0.6, 0.0]
    clock.advance(MINUTE)
    assert {fill for _, _, fill in limits.fills()} == {1.0}


class Buckets(RuleBasedStateMachine):
    """Held against buckets that are exact fractions and are never forgotten."""

    categories = st.sampled_from(["audit_export", "secrets_read", "policy_test", "odd"])
    keys = st.sampled_from([f"user:{n}" for n in range(8)])

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.limits = Limits(self.clock, {"webhook_ops": 7})
        self.level: dict[tuple[str, str], Fraction] = {}
        self.looked: dict[tuple[str, str], int] = {}
        self.took: dict[tuple[str, str], int] = {}

    def bucket(self, key: str, category: str) -> tuple[str, int, Fraction]:
        """The category's real name, its limit, and how many tokens the model has."""
        category, limit = ("webhook_ops", 7) if category == "odd" else (category, 0)
        limit = limit or CATEGORIES[category]
        pair, now = (key, category), self.clock.monotonic()
        passed = now - self.looked.get(pair, now)
        level = self.level.get(pair, Fraction(limit)) + Fraction(passed * limit, 60 * 10**9)
        self.looked[pair] = now
        self.level[pair] = min(level, Fraction(limit))
        return category, limit, self.level[pair]

    @rule(key=keys, category=categories, n=st.integers(1, 300))
    def take(self, key: str, category: str, n: int) -> None:
        category, limit, level = self.bucket(key, category)
        # A token's time is rounded up by less than a nanosecond.
        slack = Fraction(2 * limit * limit, 60 * 10**9)
        try:
            allowance = self.limits.take(key, category, n)
        except RateLimited as refusal:
            if level >= n + slack or refusal.details["retry_after"] < 1:
                raise
            return
        assert allowance is not None
        assert level >= n
        self.level[key, category] = level - n
        self.took[key, category] = self.clock.monotonic()
        assert level - n - 1 - slack <= allowance.remaining <= level - n

    @rule(key=keys, category=categories, n=st.integers(1, 300))
    def give_back(self, key: str, category: str, n: int) -> None:
        category, limit, level = self.bucket(key, category)
        self.limits.give_back(key, category, n)
        self.level[key, category] = min(level + n, Fraction(limit))

    @rule(microseconds=st.sampled_from([1, SECOND, 7 * SECOND, 59 * SECOND, MINUTE, HOUR]))
    def wait(self, microseconds: int) -> None:
        self.clock.advance(microseconds)

    @rule()
    def set_the_wall_clock_back(self) -> None:
        self.clock.advance(-DAY)

    @precondition(lambda self: self.took)
    @rule()
    def take_and_count(self) -> None:
        self.clock.advance(1)
        self.take("user:new", "secrets_read", 1)
        horizon = self.clock.monotonic() - 60 * 10**9 - 1000
        assert len(self.limits) <= sum(last > horizon for last in self.took.values())

    @invariant()
    def no_bucket_is_kept_that_was_never_taken_from(self) -> None:
        assert len(self.limits) <= len(self.took)


TestBuckets = Buckets.TestCase
TestBuckets.settings = settings(max_examples=60, stateful_step_count=40)


def test_memory_is_that_of_the_last_minute(limits: Limits, clock: FakeClock) -> None:
    for second in range(200):
        for n in range(10):
            limits.take(f"user:{second}-{n}", "secrets_read", 1000)
        assert len(limits) <= 10 * 61
        clock.advance(SECOND)
    assert len(limits) >= 10 * 59
    clock.advance(MINUTE)
    limits.take(INES, "secrets_read")
    assert len(limits) == 1


def test_a_busy_bucket_in_front_holds_others_back_for_a_minute_at_most(
    limits: Limits, clock: FakeClock
) -> None:
    drain(limits, INES, "audit_export")
    for n in range(50):
        limits.take(f"user:{n}", "secrets_read")
    clock.advance(30 * SECOND)
    limits.take(SYNC, "secrets_read")
    assert len(limits) == 52
    clock.advance(30 * SECOND)
    limits.take(SYNC, "secrets_read")
    assert len(limits) == 1


class TestQuiet:
    def test_one_row_a_minute_and_the_next_tells_the_rest(self, clock: FakeClock) -> None:
        quiet = Quiet(clock)
        assert quiet.refused(INES, "secrets_read") == 0
        for _ in range(41):
            assert quiet.refused(INES, "secrets_read") is None
        clock.advance(MINUTE - 1)
        assert quiet.refused(INES, "secrets_read") is None
        clock.advance(1)
        assert quiet.refused(INES, "secrets_read") == 42
        assert quiet.refused(INES, "secrets_read") is None
        clock.advance(HOUR)
        assert quiet.refused(INES, "secrets_read") == 1
        clock.advance(HOUR)
        assert quiet.refused(INES, "secrets_read") == 0

    def test_each_pair_has_its_own(self, clock: FakeClock) -> None:
        quiet = Quiet(clock)
        pairs = [(key, category) for key in (INES, SYNC) for category in ("pki_read", "unseal")]
        assert [quiet.refused(*pair) for pair in pairs] == [0, 0, 0, 0]
        assert [quiet.refused(*pair) for pair in pairs] == [None] * 4

    def test_the_wall_clock_does_not_count(self, clock: FakeClock) -> None:
        quiet = Quiet(clock)
        quiet.refused(INES, "pki_read")
        clock.advance(-DAY)
        assert quiet.refused(INES, "pki_read") is None

    def test_it_forgets_the_oldest_beyond_its_bound(self, clock: FakeClock) -> None:
        quiet = Quiet(clock, at_most=3)
        for n in range(3):
            quiet.refused(f"user:{n}", "pki_read")
        clock.advance(MINUTE)
        quiet.refused("user:0", "pki_read")
        quiet.refused("user:3", "pki_read")
        assert len(quiet) == 3
        assert quiet.refused("user:0", "pki_read") is None
        assert quiet.refused("user:2", "pki_read") == 0
        assert quiet.refused("user:1", "pki_read") == 0

    @given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 90)), max_size=60))
    def test_no_refusal_is_lost_within_the_bound(self, refusals: list[tuple[str, int]]) -> None:
        clock = FakeClock()
        quiet = Quiet(clock, at_most=6)
        rows = suppressed = 0
        for key, wait in refusals:
            clock.advance(wait * SECOND)
            told = quiet.refused(key, "pki_read")
            if told is not None:
                rows += 1
                suppressed += told
        clock.advance(MINUTE)
        for key in {key for key, _ in refusals}:
            suppressed += quiet.refused(key, "pki_read") or 0
        assert rows + suppressed == len(refusals)
