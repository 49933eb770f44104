"""``scaivault system``."""

from __future__ import annotations

from typing import Any


def test_ready(run: Any, server: Any) -> None:
    checks = {"database": "ok", "redis": "ok", "encryption": "ok"}
    server.answer("GET /v1/health/ready", {"status": "ready", "checks": checks})
    result = run("system", "ready")
    assert result.exit_code == 0
    assert result.stdout == "database\tok\t-\nredis\tok\t-\nencryption\tok\t-\n"


def test_not_ready_is_an_answer_with_exit_1(run: Any, server: Any) -> None:
    body = {
        "status": "not_ready",
        "checks": {"database": "error", "redis": "ok"},
        "errors": {"database": "sealed", "server": "draining"},
    }
    server.answer("GET /v1/health/ready", body, 503)
    result = run("system", "ready")
    assert (result.exit_code, result.stderr) == (1, "")
    assert result.stdout == "database\terror\tsealed\nredis\tok\t-\nserver\terror\tdraining\n"
    assert run("system", "ready", "--json").exit_code == 1


def test_a_503_of_somebody_else_is_no_readiness_report(run: Any, server: Any) -> None:
    server.answer("GET /v1/health/ready", {"error": "gateway"}, 503)
    result = run("system", "ready")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "unexpected_answer" in result.stderr


def test_version(run: Any, server: Any) -> None:
    server.answer("GET /v1/version", {"version": "1.4.0", "api_version": "v1", "commit": "abc"})
    result = run("system", "version")
    assert result.stdout == "version\t1.4.0\napi_version\tv1\ncommit\tabc\nbuilt_at\t-\n"


def test_detailed(run: Any, server: Any) -> None:
    checks = {"database": {"status": "ok", "latency_ms": 0.4}, "s3": {"status": "not_configured"}}
    server.answer("GET /v1/health/detailed", {"status": "healthy", "checks": checks})
    result = run("system", "detailed")
    assert result.stdout == "server\thealthy\t-\ndatabase\tok\t0.4 ms\ns3\tnot_configured\t-\n"


def test_tables_have_a_header_at_a_terminal(terminal: Any, server: Any) -> None:
    server.answer("GET /v1/health", {"status": "healthy"})
    assert terminal(["system", "health"], []) == (0, "CHECK   STATUS\nserver  healthy\n")
