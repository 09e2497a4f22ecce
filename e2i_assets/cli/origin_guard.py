"""Whose requests a UI without a login answers: those of its own pages and of programs.

A browser lets any page that somebody has open send requests to 127.0.0.1, and Dagster takes changes from a plain link.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from e2i_assets.adapters.addresses import shown_address
from e2i_assets.adapters.settings import DAGSTER_URL

ALLOWED_HOSTS = "E2I_ALLOWED_HOSTS"
ANY = "*"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class SameOriginApp:
    """What a UI accepts.

    Attributes:
        hosts: Names and addresses, without a port, under which a browser may reach it; ``*`` is any.
        origins: Where its own pages come from besides, such as ``https://dagster.example.org``: a proxy may call it by
            another name than the browser does.
    """

    hosts: frozenset[str]
    origins: frozenset[str] = frozenset()

    def refusal(self, headers: Mapping[str, str], changes: bool) -> str:
        """Say why a request is not answered; empty when it is.

        The headers are those that a browser sets and no page can: `Fetch Metadata
        <https://www.w3.org/TR/fetch-metadata/>`_ where there is any, else the origin. A program sends neither.

        Args:
            headers: Of the request, by their names in lower case.
            changes: Whether the request may change something. A link may lead from anywhere to what changes nothing.
        """
        host = headers.get("host", "")
        if ANY not in self.hosts and _name(host) not in self.hosts:
            return f"This is not known as {host[:200]!r}: name the host in {ALLOWED_HOSTS} where a browser calls it so."
        origin = headers.get("origin")
        if not changes or origin in self.origins:
            return ""
        site = headers.get("sec-fetch-site")
        if site in ("same-origin", "none") or (site is None and (origin is None or _place(origin) == host)):
            return ""
        return "This changes something, and a page from elsewhere asks for it."


def same_origin(environment: Mapping[str, str] = os.environ) -> SameOriginApp:
    """Return what the environment allows: this machine, where links lead, and what a person has named.

    Raises:
        E2iError: Where links lead is no address.
    """
    named = {host.strip().lower() for host in environment.get(ALLOWED_HOSTS, "").split(",")} - {""}
    parts = urlsplit(shown_address(DAGSTER_URL, environment.get(DAGSTER_URL) or ""))
    origins = {f"{parts.scheme}://{parts.netloc}"} if parts.hostname else set()
    return SameOriginApp(frozenset({*_LOOPBACK, *filter(None, [parts.hostname]), *named}), frozenset(origins))


def reached_as(host: str, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return what a program that listens on an address is told about its names, unless a person has said it."""
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
