"""Origin guard for UIs without a login: it accepts requests of their own pages and of programs.

In a browser, any open page can send requests to 127.0.0.1, and Dagster accepts changes from a plain link.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from e2i_assets.adapters.addresses import shown_address
from e2i_assets.adapters.settings import DAGSTER_URL

ALLOWED_HOSTS = "E2I_ALLOWED_HOSTS"
ANY = "*"
# A page of another site that shows ours in a frame could have a user click in it, as if on our page.
NO_FRAMES = ("X-Frame-Options", "SAMEORIGIN")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class SameOriginApp:
    """The hosts and origins that a UI accepts.

    Attributes:
        hosts: Host names and addresses, without a port, under which a browser reaches the UI; ``*`` is any.
        origins: Additional origins of its own pages, such as ``https://dagster.example.org``, for a reverse proxy that
            forwards requests under another host name.
    """

    hosts: frozenset[str]
    origins: frozenset[str] = frozenset()

    def refusal(self, headers: Mapping[str, str], changes: bool) -> str:
        """Return why a request is refused; empty if it is accepted.

        Decides by headers that a browser sets and a page cannot change: `Fetch Metadata
        <https://www.w3.org/TR/fetch-metadata/>`_ if present, else Origin. A program sends neither.

        Args:
            headers: Headers of the request, with names in lower case.
            changes: Whether the request may change something. Reading requests are accepted from any page.
        """
        host = headers.get("host", "")
        if ANY not in self.hosts and _name(host) not in self.hosts:
            return f"Unknown host {host[:200]!r}: add it to {ALLOWED_HOSTS} if browsers reach this server under it."
        origin = headers.get("origin")
        if not changes or origin in self.origins:
            return ""
        site = headers.get("sec-fetch-site")
        if site in ("same-origin", "none") or (site is None and (origin is None or _place(origin) == host)):
            return ""
        return "Refused: a page of another origin requests a change."


def same_origin(environment: Mapping[str, str] = os.environ) -> SameOriginApp:
    """Return the allowed hosts: this machine, the host of E2I_DAGSTER_URL, and those of E2I_ALLOWED_HOSTS.

    Raises:
        E2iError: E2I_DAGSTER_URL is not a valid address.
    """
    named = {host.strip().lower() for host in environment.get(ALLOWED_HOSTS, "").split(",")} - {""}
    parts = urlsplit(shown_address(DAGSTER_URL, environment.get(DAGSTER_URL) or ""))
    origins = {f"{parts.scheme}://{parts.netloc}"} if parts.hostname else set()
    return SameOriginApp(frozenset({*_LOOPBACK, *filter(None, [parts.hostname]), *named}), frozenset(origins))


def reached_as(host: str, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment that allows the listening address as a host, unless the user has set allowed hosts."""
    if host in _LOOPBACK or environment.get(ALLOWED_HOSTS):
        return {}
    return {ALLOWED_HOSTS: ANY if host in ("0.0.0.0", "::") else host}


def lower_case(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return the headers of an ASGI request by name."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}


def _place(origin: str) -> str:
    return origin.partition("://")[2]


def _name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
