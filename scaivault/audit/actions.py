"""Every action that a row of the ledger can name: the closed list behind the filter ``action``."""

from __future__ import annotations

from typing import Final


def _named(family: str, *verbs: str) -> tuple[str, ...]:
    return tuple(f"{family}_{verb}" for verb in verbs)


_CHANGES: Final = ("create", "update", "delete")

ACTIONS: Final = frozenset((
    # secrets
    "read", "write", "delete", "list", "restore", "rotate",
    # policies, rotation policies, secret policies
    *_named("policy", *_CHANGES, "bind", "unbind", "read"),
    *_named("rotation_policy", *_CHANGES, "attach", "detach", "read"),
    *_named("secret_policy", *_CHANGES, "preview", "read"),
    # who is who
    *_named("auth", "login", "failed", "read"), *_named("token", "create", "revoke"),
    *_named("mfa", "enrol", "verify", "reset"),
    *_named("identity", *_CHANGES, "read", "sync", "webhook"),
    *_named("credential", "create", "revoke"), *_named("trust", *_CHANGES),
    "role_change", "access_revoke",
    # certificates, their orders, names
    *_named("pki", "issue", "sign", "revoke", "key_export", "crl_generate", "read"),
    *_named("pki_ca", *_CHANGES), *_named("pki_role", *_CHANGES),
    *_named("pki_csr", "submit", "approve", "reject", "cancel"),
    *_named("pki_trust_anchor", *_CHANGES),
    *_named("acme_account", *_CHANGES), *_named("acme_order", *_CHANGES),
    *_named("acme_eab", "create", "delete"), "acme_read",
    *_named("dns_provider", *_CHANGES, "verify", "read"),
    # credentials made on demand
    *_named("dynamic", "generate", "renew", "revoke", "rotate_root", "reconcile", "verify", "read"),
    *_named("dynamic_engine", *_CHANGES), *_named("dynamic_role", *_CHANGES),
    # other stores
    *_named("federation", "sync", "conflict_resolve", "read"),
    *_named("federation_backend", *_CHANGES),
    # what is announced
    *_named("webhook", *_CHANGES, "delivery", "test", "redeliver", "read"),
    *_named("subscription", *_CHANGES, "event", "read"),
    # the ledger itself
    "export_created", "export_run", *_named("audit", "read", "verify", "retention", "prune"),
    # the vault
    "seal", "unseal", "init", *_named("slot", "add", "remove", "verify"), "root_rotate",
    "key_rotate", *_named("backup", "create", "verify", "download", "restore"), "job_control",
    "system_read",
))  # fmt: skip
