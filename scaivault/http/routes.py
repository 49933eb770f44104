"""The whole API: one line per endpoint.

``room.verb`` names what is called: a room of the open vault, or ``system``/``health``, which answer
while it is sealed too. ``scopes``: any one of them suffices; None: any token; ``open``: no token.
``action`` is what the ledger calls a request that is refused before it reaches its room."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from msgspec import Struct

from scaivault.wire import (
    accounts,
    audit,
    audit_jobs,
    audit_logs,
    grants,
    groups,
    identity,
    policies,
    secret_lists,
    secrets,
    sync,
    system,
    tenancy,
    tokens,
    trusts,
    users,
)


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """An endpoint. ``created``: the status when the answer says that it made something new."""

    method: str
    path: str
    verb: str
    request: type[Struct]
    answer: Any
    action: str
    category: str | None = None
    scopes: tuple[str, ...] = ()
    role: str | None = None
    status: int = 200
    created: int | None = None
    open: bool = False
    etag: bool = False
    sealed: bool = False  # answers while the vault is sealed
    form: bool = False  # also takes a form body, and HTTP Basic for the client's credentials
    oauth: bool = False  # takes a form only, and refuses as RFC 6749 says
    public: bool = False  # a published document, which may be cached
    tenant: bool = False  # also under /v1/t/{tenant_id}/
    unrecorded: bool = False  # leaves no audit row, unless the token is refused
    partner: bool = False  # acts upon what the partner of the acting tenant owns
    # Bytes of a body, of an open route: one of 1 MiB takes up to 0.4 s to look at, too much from
    # callers whom nobody knows.
    most: int = 64 * 1024

    @property
    def ledgered(self) -> bool:
        """Probes and published documents leave no audit row, whatever becomes of the request."""
        probe = self.sealed and self.method in ("GET", "HEAD")
        return not (probe or self.public)

    @property
    def room(self) -> str:
        return self.verb.partition(".")[0]


def _secrets(method: str, path: str, verb: str, request: Any, answer: Any, scope: str, category: str, action: str, **more: Any) -> Route:  # fmt: skip
    return Route(
        method, path, verb, request, answer, action, f"secrets_{category}",
        (f"secrets:{scope}",), tenant=True, **more,
    )  # fmt: skip


def _partner(method: str, path: str, verb: str, request: Any, answer: Any, scope: str, category: str, action: str, **more: Any) -> Route:  # fmt: skip
    return Route(
        method, f"/v1/partner/secrets{path}", verb, request, answer, action, f"secrets_{category}",
        (f"secrets:{scope}",), partner=True, **more,
    )  # fmt: skip


def _policies(method: str, path: str, verb: str, request: Any, answer: Any, action: str, **more: Any) -> Route:  # fmt: skip
    scope = "policies:read" if action == "policy_read" else "policies:write"
    settings: dict[str, Any] = {"category": "policy_ops", "scopes": (scope,), **more}
    return Route(
        method, f"/v1/policies{path}", verb, request, answer, action, tenant=True, **settings
    )  # fmt: skip


def _identity(method: str, path: str, verb: str, request: Any, answer: Any, action: str, **more: Any) -> Route:  # fmt: skip
    settings: dict[str, Any] = {
        "category": "identity_admin", "scopes": ("identity:admin",), "role": "tenant_admin", **more,
    }  # fmt: skip
    if action == "identity_read":
        settings = {"category": "identity_read", "scopes": ("identity:read",), **more}
    return Route(method, f"/v1/identity{path}", verb, request, answer, action, **settings)


def _system(method: str, path: str, verb: str, request: Any, answer: Any, action: str, **more: Any) -> Route:  # fmt: skip
    settings: dict[str, Any] = {
        "category": "system_admin", "scopes": ("admin",), "role": "super_admin", **more,
    }  # fmt: skip
    return Route(method, f"/v1/system/{path}", verb, request, answer, action, **settings)


# fmt: off
ROUTES: Final[tuple[Route, ...]] = (
    # -- secrets
    _secrets("GET", "/v1/secrets", "lists.page", secret_lists.ListSecrets, secret_lists.SecretPage, "list", "list", "list"),
    _secrets("GET", "/v1/secrets/expiring", "lists.expiring", secret_lists.ListExpiring, secret_lists.ExpiringPage, "list", "list", "list"),
    _secrets("GET", "/v1/secrets/metadata/{path*}", "facts.metadata", secrets.SecretPath, secrets.SecretInfo, "list", "list", "list"),
    _secrets("GET", "/v1/secrets/{path*}/versions", "facts.versions", secrets.SecretPath, secrets.VersionList, "list", "list", "list"),
    _secrets("POST", "/v1/secrets/{path*}/restore", "secrets.restore", secrets.SecretPath, secrets.SecretInfo, "write", "write", "restore"),
    _secrets("POST", "/v1/secrets/{path*}/rotate", "secrets.rotate", secrets.RotateSecret, secrets.Rotated, "rotate", "write", "rotate", etag=True),
    _secrets("GET", "/v1/secrets/{path*}", "secrets.read", secrets.ReadSecret, secrets.SecretValue, "read", "read", "read", etag=True),
    _secrets("PUT", "/v1/secrets/{path*}", "secrets.write", secrets.WriteSecret, secrets.Updated | secrets.Created, "write", "write", "write", created=201, etag=True),
    _secrets("PATCH", "/v1/secrets/{path*}", "secrets.patch", secrets.PatchSecret, secrets.SecretInfo, "write", "write", "write"),
    _secrets("DELETE", "/v1/secrets/{path*}", "secrets.delete", secrets.DeleteSecret, secrets.Deleted, "delete", "delete", "delete"),
    Route("POST", "/v1/secrets/batch", "batch.read", secret_lists.ReadBatch, secret_lists.BatchValues, "read", "batch_read", ("secrets:read",), tenant=True),
    Route("POST", "/v1/secrets/batch/metadata", "batch.metadata", secret_lists.ReadBatchMetadata, secret_lists.BatchMetadata, "list", "batch_metadata", ("secrets:list",), tenant=True),
    # -- secrets of a partner
    _partner("GET", "", "lists.page", secret_lists.ListSecrets, secret_lists.SecretPage, "list", "list", "list"),
    _partner("GET", "/expiring", "lists.expiring", secret_lists.ListExpiring, secret_lists.ExpiringPage, "list", "list", "list"),
    _partner("GET", "/metadata/{path*}", "facts.metadata", secrets.SecretPath, secrets.SecretInfo, "list", "list", "list"),
    _partner("GET", "/{path*}/versions", "facts.versions", secrets.SecretPath, secrets.VersionList, "list", "list", "list"),
    _partner("POST", "/{path*}/restore", "secrets.restore", secrets.SecretPath, secrets.SecretInfo, "write", "write", "restore", role="partner_admin"),
    _partner("POST", "/{path*}/rotate", "secrets.rotate", secrets.RotateSecret, secrets.Rotated, "rotate", "write", "rotate", role="partner_admin", etag=True),
    _partner("GET", "/{path*}", "secrets.read", secrets.ReadSecret, secrets.SecretValue, "read", "read", "read", etag=True),
    _partner("PUT", "/{path*}", "secrets.write", secrets.WriteSecret, secrets.Updated | secrets.Created, "write", "write", "write", role="partner_admin", created=201, etag=True),
    _partner("PATCH", "/{path*}", "secrets.patch", secrets.PatchSecret, secrets.SecretInfo, "write", "write", "write", role="partner_admin"),
    _partner("DELETE", "/{path*}", "secrets.delete", secrets.DeleteSecret, secrets.Deleted, "delete", "delete", "delete", role="partner_admin"),
    # -- policies
    _policies("GET", "", "policies.page", policies.ListPolicies, policies.PolicyPage, "policy_read"),
    _policies("POST", "", "policies.create", policies.NewPolicy, policies.Policy, "policy_create", status=201),
    _policies("POST", "/test", "rights.test", policies.TestPolicies, policies.TestResult, "policy_read", category="policy_test", unrecorded=True),
    _policies("GET", "/who-can", "rights.who_can", policies.WhoCan, policies.AblePage, "policy_read"),
    _policies("GET", "/effective", "rights.effective", policies.EffectiveRights, policies.Effective, "policy_read", scopes=()),
    _policies("GET", "/{id}", "policies.get", policies.PolicyId, policies.Policy, "policy_read"),
    _policies("PUT", "/{id}", "policies.replace", policies.ReplacePolicy, policies.Policy, "policy_update"),
    _policies("PATCH", "/{id}", "policies.change", policies.ChangePolicy, policies.Policy, "policy_update"),
    _policies("DELETE", "/{id}", "policies.delete", policies.DeletePolicy, None, "policy_delete", status=204),
    _policies("GET", "/{id}/bindings", "bindings.page", policies.ListBindings, policies.BindingPage, "policy_read"),
    _policies("POST", "/{id}/bindings", "bindings.create", policies.NewBinding, policies.Binding, "policy_bind", status=201),
    _policies("DELETE", "/{id}/bindings/{binding_id}", "bindings.delete", policies.BindingId, None, "policy_unbind", status=204),
    # -- who is calling
    Route("GET", "/v1/auth/whoami", "tokens.whoami", identity.Nothing, identity.WhoAmI, "auth_read", "auth_info"),
    Route("POST", "/v1/auth/introspect", "tokens.introspect", tokens.Introspect, tokens.Introspected, "auth_read", "auth_info", ("admin",)),
    Route("GET", "/v1/auth/tokens", "tokens.page", tokens.ListTokens, tokens.TokenPage, "auth_read", "auth_tokens"),
    Route("POST", "/v1/auth/tokens", "minting.create", tokens.NewToken, tokens.MadeToken, "token_create", "auth_tokens", status=201),
    Route("GET", "/v1/auth/tokens/{id}", "tokens.token", tokens.TokenId, tokens.TokenInfo, "auth_read", "auth_tokens"),
    Route("DELETE", "/v1/auth/tokens/{id}", "tokens.revoke", tokens.TokenId, None, "token_revoke", "auth_tokens", status=204),
    Route("POST", "/v1/auth/mfa/totp", "mfa.enrol", identity.Nothing, tokens.Enrolled, "mfa_enrol", "auth_tokens", status=201),
    Route("DELETE", "/v1/auth/mfa/totp", "mfa.remove", identity.Nothing, None, "mfa_reset", "auth_tokens", status=204),
    Route("POST", "/v1/auth/mfa/verify", "mfa.verify", tokens.VerifyCode, tokens.Verified, "mfa_verify", "auth_tokens"),
    Route("GET", "/v1/auth/config", "published.config", identity.Nothing, identity.IssuerConfig, "auth_read", open=True, public=True),
    Route("POST", "/v1/auth/exchange", "exchange.exchange", grants.Exchange, grants.Exchanged, "auth_failed", "auth_grant", open=True, form=True),
    Route("POST", "/v1/auth/token", "grants.grant", grants.Grant, grants.AccessToken | grants.Exchanged, "auth_failed", "auth_grant", open=True, form=True),
    Route("POST", "/oauth/token", "grants.grant", grants.Grant, grants.AccessToken | grants.Exchanged, "auth_failed", "auth_grant", open=True, form=True, oauth=True),
    Route("GET", "/.well-known/jwks.json", "published.key_set", identity.Nothing, identity.KeySet, "auth_read", open=True, public=True),
    Route("GET", "/.well-known/openid-configuration", "published.discovery", identity.Nothing, identity.OpenIdConfiguration, "auth_read", open=True, public=True),
    # -- partners and tenants
    _identity("GET", "/partners", "partners.page", tenancy.ListPartners, tenancy.PartnerPage, "identity_read"),
    _identity("POST", "/partners", "partners.create", tenancy.NewPartner, tenancy.Partner, "identity_create", role="super_admin", status=201),
    _identity("GET", "/partners/{id}", "partners.get", tenancy.PartnerId, tenancy.Partner, "identity_read"),
    _identity("PATCH", "/partners/{id}", "partners.change", tenancy.ChangePartner, tenancy.Partner, "identity_update", role="super_admin"),
    _identity("DELETE", "/partners/{id}", "partners.delete", tenancy.PartnerId, None, "identity_delete", role="super_admin", status=204),
    _identity("GET", "/tenants", "tenants.page", tenancy.ListTenants, tenancy.TenantPage, "identity_read"),
    _identity("POST", "/tenants", "tenants.create", tenancy.NewTenant, tenancy.Tenant, "identity_create", role="partner_admin", status=201),
    _identity("GET", "/tenants/{id}", "tenants.get", tenancy.TenantId, tenancy.Tenant, "identity_read"),
    _identity("PATCH", "/tenants/{id}", "tenants.change", tenancy.ChangeTenant, tenancy.Tenant, "identity_update", role="partner_admin"),
    _identity("DELETE", "/tenants/{id}", "tenants.delete", tenancy.DeleteTenant, None, "identity_delete", role="partner_admin", status=204),
    # -- users
    _identity("POST", "/users", "users.create", users.NewUser, users.User, "identity_create", status=201),
    _identity("GET", "/users/{id}", "users.get", users.UserId, users.User, "identity_read"),
    _identity("PATCH", "/users/{id}", "users.change", users.ChangeUser, users.User, "identity_update"),
    _identity("DELETE", "/users/{id}", "users.delete", users.UserId, None, "identity_delete", status=204),
    _identity("DELETE", "/users/{id}/mfa", "mfa.reset", users.UserId, None, "mfa_reset", status=204),
    _identity("GET", "/tenants/{tenant_id}/users", "users.page", users.ListUsers, users.UserPage, "identity_read"),
    # -- service accounts
    _identity("POST", "/service-accounts", "accounts.create", accounts.NewAccount, accounts.Account, "identity_create", status=201),
    _identity("GET", "/service-accounts/{id}", "accounts.get", accounts.AccountId, accounts.Account, "identity_read"),
    _identity("PATCH", "/service-accounts/{id}", "accounts.change", accounts.ChangeAccount, accounts.Account, "identity_update"),
    _identity("DELETE", "/service-accounts/{id}", "accounts.delete", accounts.AccountId, None, "identity_delete", status=204),
    _identity("GET", "/service-accounts/{id}/credentials", "credentials.table", accounts.AccountId, identity.CredentialList, "identity_read", category="identity_admin", scopes=("identity:admin",), role="tenant_admin"),
    _identity("POST", "/service-accounts/{id}/credentials", "credentials.create", identity.NewCredential, identity.NewSecret, "credential_create", status=201),
    _identity("DELETE", "/service-accounts/{id}/credentials/{credential_id}", "credentials.delete", identity.CredentialId, None, "credential_revoke", status=204),
    _identity("GET", "/tenants/{tenant_id}/service-accounts", "accounts.page", accounts.ListAccounts, accounts.AccountPage, "identity_read"),
    # -- roles, and who an id stands for
    _identity("GET", "/service-accounts/{id}/roles", "roles.of_account", accounts.AccountId, users.Roles, "identity_read", scopes=()),
    _identity("PUT", "/service-accounts/{id}/roles", "roles.set_of_account", users.ChangeRolesOfAccount, users.Roles, "role_change", role="partner_admin"),
    _identity("GET", "/users/{user_id}/roles", "roles.of_user", users.RolesOfUser, users.Roles, "identity_read", scopes=()),
    _identity("PUT", "/users/{user_id}/roles", "roles.set_of_user", users.ChangeRolesOfUser, users.Roles, "role_change", role="partner_admin"),
    _identity("GET", "/resolve/{identity_type}/{identity_id}", "directory.resolve", groups.Resolve, groups.Resolved, "identity_read"),
    _identity("GET", "/roles", "directory.roles", identity.Nothing, groups.RoleList, "identity_read", scopes=()),
    # -- groups
    _identity("POST", "/groups", "groups.create", groups.NewGroup, groups.Group, "identity_create", status=201),
    _identity("GET", "/groups/{id}", "groups.get", groups.GroupId, groups.Group, "identity_read"),
    _identity("PATCH", "/groups/{id}", "groups.change", groups.ChangeGroup, groups.Group, "identity_update"),
    _identity("DELETE", "/groups/{id}", "groups.delete", groups.GroupId, None, "identity_delete", status=204),
    _identity("GET", "/groups/{id}/members", "members.page", groups.ListMembers, groups.MemberPage, "identity_read"),
    _identity("POST", "/groups/{id}/members", "members.add", groups.NewMember, groups.Member, "identity_update", status=201),
    _identity("DELETE", "/groups/{id}/members/{identity_id}", "members.remove", groups.MemberId, None, "identity_update", status=204),
    _identity("GET", "/tenants/{tenant_id}/groups", "groups.page", groups.ListGroups, groups.GroupPage, "identity_read"),
    # -- an end to all access
    _identity("POST", "/{type}/{id}/revoke-access", "revoking.revoke_access", users.RevokeAccess, users.AccessRevoked, "access_revoke"),
    # -- trusts
    _identity("GET", "/trusts", "trusts.page", trusts.ListTrusts, trusts.TrustPage, "identity_read", category="identity_admin", scopes=("identity:admin",), role="tenant_admin"),
    _identity("POST", "/trusts", "trusts.create", trusts.NewTrust, trusts.Trust, "trust_create", status=201),
    _identity("GET", "/trusts/{id}", "trusts.get", trusts.TrustId, trusts.Trust, "identity_read", category="identity_admin", scopes=("identity:admin",), role="tenant_admin"),
    _identity("PATCH", "/trusts/{id}", "trusts.change", trusts.ChangeTrust, trusts.Trust, "trust_update"),
    _identity("DELETE", "/trusts/{id}", "trusts.delete", trusts.TrustId, None, "trust_delete", status=204),
    # -- what outside directories tell
    Route("POST", "/v1/identity/webhooks/scaikey", "receiver.receive", sync.ScaiKeyCall, sync.Received, "identity_webhook", "auth_failed", open=True, most=256 * 1024),
    _identity("POST", "/sync", "sync.start", sync.StartSync, sync.SyncStarted, "identity_sync", category="identity_sync", role=None, status=202),
    _identity("GET", "/sync/history", "sync.history", sync.ListSyncs, sync.SyncPage, "identity_read"),
    # -- audit
    Route("GET", "/v1/audit/logs", "trails.logs", audit_logs.ListLogs, audit_logs.LogPage, "audit_read", "audit_query", ("audit:read",), tenant=True),
    Route("GET", "/v1/audit/secrets/{path*}", "trails.secret", audit_logs.SecretTrail, audit_logs.SecretTrailPage, "audit_read", "audit_query", ("audit:read",), tenant=True),
    Route("GET", "/v1/audit/identities/{identity_id}", "trails.identity", audit_logs.IdentityTrail, audit_logs.IdentityTrailPage, "audit_read", "audit_query", ("audit:read",), tenant=True),
    Route("GET", "/v1/audit/summary", "trails.summary", audit_logs.Summarize, audit_logs.Summary, "audit_read", "audit_query", ("audit:read",), tenant=True),
    Route("POST", "/v1/audit/export", "exports.create", audit_jobs.CreateExport, audit_jobs.ExportStarted, "export_created", "audit_export", ("audit:export",), status=202, tenant=True),
    Route("GET", "/v1/audit/exports", "exports.page", audit_jobs.ListExports, audit_jobs.ExportPage, "audit_read", "audit_query", ("audit:export",), tenant=True),
    Route("GET", "/v1/audit/exports/{id}", "exports.get", audit_jobs.ExportId, audit_jobs.Export, "audit_read", "audit_query", ("audit:export",), tenant=True),
    Route("GET", "/v1/audit/retention", "retention.get", audit_jobs.GetRetention, audit_jobs.Retention, "audit_read", "audit_query", ("audit:read",), tenant=True),
    Route("PUT", "/v1/audit/retention", "retention.replace", audit_jobs.SetRetention, audit_jobs.Retention, "audit_retention", "audit_query", ("admin",), role="tenant_admin", tenant=True),
    Route("GET", "/v1/audit/verify", "audit.verify", audit.VerifyChain, audit.ChainReport, "audit_verify", "audit_query", ("audit:read",), tenant=True),
    Route("GET", "/v1/audit/checkpoints", "audit.checkpoints", audit.ListCheckpoints, audit.CheckpointPage, "audit_read", "audit_query", ("audit:read",), tenant=True),
    Route("GET", "/v1/audit/keys", "audit.keys", audit.ListKeys, audit.CheckpointKeys, "audit_read", "audit_query", ("audit:read",), tenant=True),
    # -- the vault itself
    _system("GET", "seal-status", "system.seal_status", identity.Nothing, system.SealStatus, "system_read", category=None, scopes=(), role=None, open=True, sealed=True),
    _system("POST", "init", "system.init", system.Init, system.Initialized, "init", category="unseal", scopes=(), role=None, open=True, sealed=True, status=201),
    _system("POST", "unseal", "system.unseal", system.Unseal, system.SealStatus, "unseal", category="unseal", scopes=(), role=None, open=True, sealed=True),
    _system("POST", "root-token", "system.root_token", system.RootToken, system.IssuedRootToken, "token_create", category="unseal", scopes=(), role=None, open=True, status=201),
    _system("POST", "seal", "system.seal", system.Seal, system.SealStatus, "seal", category=None),
    _system("GET", "slots", "slots.table", identity.Nothing, system.SlotList, "system_read"),
    _system("POST", "slots", "slots.add", system.NewSlot, system.SlotInfo, "slot_add", status=201),
    _system("POST", "slots/{id}/verify", "slots.verify", system.VerifySlot, system.Verified, "slot_verify"),
    _system("DELETE", "slots/{id}", "slots.remove", system.RemoveSlot, None, "slot_remove", status=204),
    _system("POST", "rotate-root", "root_key.rotate", system.RotateRoot, system.RootRotated, "root_rotate"),
    _system("POST", "tenants/{id}/rotate-key", "keys.rotate_tenant", system.OwnerId, system.KeyRotation, "key_rotate", role="partner_admin", status=202),
    _system("GET", "tenants/{id}/rotate-key", "keys.tenant_progress", system.OwnerId, system.KeyRotation, "system_read", role="partner_admin"),
    _system("POST", "partners/{id}/rotate-key", "keys.rotate_partner", system.OwnerId, system.KeyRotation, "key_rotate", status=202),
    _system("GET", "partners/{id}/rotate-key", "keys.partner_progress", system.OwnerId, system.KeyRotation, "system_read"),
    _system("GET", "jobs", "jobs.table", identity.Nothing, system.Jobs, "system_read"),
    _system("POST", "jobs/pause", "jobs.pause", identity.Nothing, system.Jobs, "job_control"),
    _system("POST", "jobs/resume", "jobs.resume", identity.Nothing, system.Jobs, "job_control"),
    # -- probes
    Route("GET", "/v1/health", "health.alive", identity.Nothing, system.Health, "system_read", open=True, sealed=True),
    Route("HEAD", "/v1/health", "health.alive", identity.Nothing, system.Health, "system_read", open=True, sealed=True),
    Route("GET", "/v1/health/ready", "health.ready", identity.Nothing, system.Readiness, "system_read", open=True, sealed=True),
    Route("HEAD", "/v1/health/ready", "health.ready", identity.Nothing, system.Readiness, "system_read", open=True, sealed=True),
    Route("GET", "/v1/health/detailed", "health.detailed", identity.Nothing, system.Detailed, "system_read", scopes=("admin",)),
    Route("GET", "/v1/version", "health.version", identity.Nothing, system.Version, "system_read", open=True, sealed=True),
    Route("GET", "/v1/openapi.json", "health.openapi", identity.Nothing, dict, "system_read", open=True, public=True),
)
# fmt: on

# What a caller without a token may reach. The list is closed: tests hold it to this very set.
OPEN: Final = frozenset((route.method, route.path) for route in ROUTES if route.open)
