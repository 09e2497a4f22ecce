"""The origin guard of UIs without a password: allowed are their own pages, links to them, and programs."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from e2i_assets.cli.dagster_ui import OriginGuard
from e2i_assets.cli.optuna_dashboard import guarded
from e2i_assets.cli.origin_guard import reached_as, same_origin

HERE = {"host": "127.0.0.1:3000"}
PROXIED = {"E2I_DAGSTER_URL": "https://me:secret@dagster.example.org/ui"}


@pytest.mark.parametrize(
    ("environment", "headers", "changes", "answered"),
    [
        ({}, HERE, True, True),  # a program
        ({}, {"host": "localhost:3000"}, True, True),
        ({}, {"host": "[::1]:3000"}, True, True),
        ({}, HERE | {"origin": "http://127.0.0.1:3000"}, True, True),
        ({}, HERE | {"origin": "http://127.0.0.1:3000", "sec-fetch-site": "same-origin"}, True, True),
        ({}, HERE | {"sec-fetch-site": "none"}, True, True),  # typed into the address bar
        ({}, HERE | {"sec-fetch-site": "cross-site"}, False, True),  # a link to a page
        ({}, HERE | {"sec-fetch-site": "cross-site"}, True, False),
        ({}, HERE | {"sec-fetch-site": "same-site"}, True, False),  # another port of this machine
        ({}, HERE | {"origin": "https://elsewhere.example.org"}, True, False),
        ({}, HERE | {"origin": "null"}, True, False),
        ({}, HERE | {"origin": "http://127.0.0.1:5000"}, True, False),
        ({}, {"host": "rebound.example.org:3000"}, False, False),
        ({}, {"host": "[::1"}, False, False),
        ({}, {}, False, False),
        (PROXIED, {"host": "dagster.example.org"}, True, True),
        (PROXIED, HERE | {"origin": "https://dagster.example.org"}, True, True),  # a proxy that rewrites the host
        (PROXIED, HERE | {"origin": "http://dagster.example.org"}, True, False),
        ({"E2I_ALLOWED_HOSTS": "lab, Tower.local"}, {"host": "tower.local:3000"}, True, True),
        ({"E2I_ALLOWED_HOSTS": "*"}, {"host": "anything"}, True, True),
        ({"E2I_ALLOWED_HOSTS": "*"}, {"host": "a", "origin": "http://b"}, True, False),
    ],
)
def test_requests_of_other_origins_are_refused(
    environment: dict[str, str], headers: dict[str, str], changes: bool, answered: bool
) -> None:
    assert (same_origin(environment).refusal(headers, changes) == "") is answered


def test_the_listen_address_is_an_allowed_host_by_default() -> None:
    assert reached_as("127.0.0.1", {}) == {}
    assert reached_as("10.0.0.5", {}) == {"E2I_ALLOWED_HOSTS": "10.0.0.5"}
    assert reached_as("0.0.0.0", {}) == {"E2I_ALLOWED_HOSTS": "*"}
    assert reached_as("0.0.0.0", {"E2I_ALLOWED_HOSTS": "tower"}) == {}


Request = Callable[..., tuple[str, bytes]]


@pytest.fixture
def request_guarded(monkeypatch: pytest.MonkeyPatch) -> Request:
    """Send a request through the origin guard to an ASGI app; return the status, or the type of the first message."""
    for name in ("E2I_ALLOWED_HOSTS", "E2I_DAGSTER_URL"):
        monkeypatch.delenv(name, raising=False)

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "answered"})

    def ask(method: str, path: str, **headers: str) -> tuple[str, bytes]:
        path, _, query = path.partition("?")
        named = {"host": "127.0.0.1:3000", **{name.replace("_", "-"): value for name, value in headers.items()}}
        scope = {
            "type": "websocket" if method == "WEBSOCKET" else "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in named.items()],
        }
        sent: list[dict[str, Any]] = []

        async def receive() -> None:
            raise AssertionError("nothing is read of a request that is refused")

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        asyncio.run(OriginGuard(answer)(scope, receive, send))
        return str(sent[0].get("status", sent[0]["type"])), sent[-1].get("body", b"")

    return ask


def test_a_mutation_in_a_url_is_accepted_only_from_dagsters_pages(request_guarded: Request) -> None:
    link = "/graphql?query=mutation{setNuxSeen}"
    assert request_guarded("GET", link)[0] == "403"
    assert request_guarded("GET", link, sec_fetch_site="cross-site")[0] == "403"
    assert request_guarded("GET", link, sec_fetch_site="same-origin")[0] == "answered"
    assert request_guarded("POST", "/graphql")[0] == "answered"
    assert request_guarded("POST", link, origin="https://elsewhere.example.org") == (
        "403",
        b"Refused: a page of another origin requests a change.",
    )
    assert request_guarded("GET", "/runs", sec_fetch_site="cross-site")[0] == "answered"
    status, why = request_guarded("GET", "/runs", host="rebound.example.org")
    assert (status, b"E2I_ALLOWED_HOSTS" in why) == ("403", True)


def test_a_websocket_is_accepted_only_from_dagsters_pages(request_guarded: Request) -> None:
    assert request_guarded("WEBSOCKET", "/graphql", origin="http://127.0.0.1:3000")[0] == "answered"
    assert request_guarded("WEBSOCKET", "/graphql", origin="https://elsewhere.example.org")[0] == "websocket.close"


def test_other_sites_cannot_show_the_pages_in_a_frame() -> None:
    async def page(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"etag", b"1")]})

    def dashboard(request: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        start("200 OK", [("ETag", "1")])
        return []

    found: list[Any] = []

    async def send(message: dict[str, Any]) -> None:
        found.append(dict(message["headers"]))

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/runs",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
    }
    asyncio.run(OriginGuard(page)(scope, None, send))
    request = {"REQUEST_METHOD": "GET", "HTTP_HOST": "localhost"}
    guarded(dashboard)(request, lambda status, headers: found.append(dict(headers)))
    assert found == [
        {b"etag": b"1", b"x-frame-options": b"SAMEORIGIN"},
        {"ETag": "1", "X-Frame-Options": "SAMEORIGIN"},
    ]


def test_the_dashboard_has_the_same_origin_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("E2I_ALLOWED_HOSTS", "E2I_DAGSTER_URL"):
        monkeypatch.delenv(name, raising=False)

    def app(request: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        start("200 OK", [])
        return [b"answered"]

    statuses: list[str] = []
    for method, headers in (("GET", {}), ("DELETE", {}), ("DELETE", {"HTTP_SEC_FETCH_SITE": "cross-site"})):
        request = {"REQUEST_METHOD": method, "HTTP_HOST": "127.0.0.1:8080", **headers}
        guarded(app)(request, lambda status, _: statuses.append(status))
    guarded(app)({"REQUEST_METHOD": "GET", "HTTP_HOST": "rebound"}, lambda status, _: statuses.append(status))
    assert statuses == ["200 OK", "200 OK", "403 Forbidden", "403 Forbidden"]
