"""The database address: its accepted spellings, its variants for schemas and roles, and its redacted form."""

import re
from functools import lru_cache
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from e2i_assets.adapters.postgres.shell_variables import EXPLICIT
from e2i_assets.core.errors import E2iError

Owner = Literal["e2i", "dagster", "optuna", "mlflow"]

_DRIVER = "postgresql+psycopg2"
_ACCEPTED_SCHEMES = ("postgres", "postgresql", _DRIVER)
_EXAMPLE = "postgresql://user:password@localhost:5432/e2i"
_SECRET_OPTIONS = ("password", "sslpassword")
_ACCOUNT = {"user": "username", "password": "password"}
# The credentials of an account besides its password.
_PROOFS = ("sslcert", "sslkey", "sslpassword", "passfile")


class DatabaseAddressInvalid(E2iError):
    """A text that is not the address of a PostgreSQL database."""


def normalised_url(url: str) -> str:
    """Return the address in the one spelling that Dagster, MLflow and Optuna all understand.

    SQLAlchemy 2.1 uses another driver for a bare ``postgresql://``, so the driver is always written out.

    Raises:
        DatabaseAddressInvalid: The text is not a PostgreSQL address, or the address names no database. The message
            contains the scheme at most: the rest may contain a password.
    """
    scheme, separator, rest = url.strip().partition("://")
    if not separator or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", scheme):
        raise DatabaseAddressInvalid(f"This is not a database address. Write it like {_EXAMPLE}")
    if scheme.lower() not in _ACCEPTED_SCHEMES:
        raise DatabaseAddressInvalid(
            f"The database address begins with {scheme}://, but only PostgreSQL is supported. Write it like {_EXAMPLE}"
        )
    try:
        parsed = sa.make_url(f"{_DRIVER}://{rest}")
    except (ArgumentError, ValueError):
        # Not chained: the original message may quote the address.
        raise DatabaseAddressInvalid(f"The database address cannot be read. Write it like {_EXAMPLE}") from None
    if "@" in (parsed.host or "") or "@" in (parsed.database or ""):
        raise DatabaseAddressInvalid(
            "The database address has one @ too many. In a user name or password write @ as %40, : as %3A, / as %2F."
        )
    if not parsed.database:
        raise DatabaseAddressInvalid(f"The database address names no database. Write it like {_EXAMPLE}")
    return _rendered(_with_account_in_front(parsed))


@lru_cache(maxsize=64)
def owner_url(url: str, owner: Owner) -> str:
    """Return the address with the schema of `owner` first in the search path; other server options are kept."""
    return with_setting(normalised_url(url), "search_path", owner)


def with_setting(url: str, name: str, value: str) -> str:
    """Return the address with this setting of the server; other server options are kept."""
    parsed = sa.make_url(url)
    kept = _without_setting(parsed.query.get("options", ""), name)
    return _rendered(parsed.update_query_dict({"options": f"{kept} -c{name}={value}".strip()}))


def role_url(url: str, role: str | None) -> str:
    """Return the address with which an account acts as one of its roles; with None, as itself."""
    parsed = sa.make_url(normalised_url(url))
    options = _without_setting(parsed.query.get("options", ""), "role")
    if role:
        options = f"{options} -crole={role}".strip()
    bare = parsed.difference_update_query(["options"])
    return _rendered(bare.update_query_dict({"options": options}) if options else bare)


def account_url(url: str, name: str, password: str) -> str:
    """Return the address for another account, without any credentials of the first one."""
    bare = sa.make_url(role_url(url, None)).difference_update_query(_PROOFS)
    return _rendered(bare.set(username=name, password=password))


def libpq_url(url: str) -> str:
    """Return the address, password included, in the form that psql and the other PostgreSQL programs accept."""
    return _rendered(sa.make_url(url).set(drivername="postgresql"))


def redacted_url(url: str) -> str:
    """Return the address without its secrets, for display."""
    parsed = sa.make_url(role_url(url, None))
    # Leave out the parameters that all addresses of the embedded server share.
    parsed = parsed.difference_update_query([key for key, value in EXPLICIT.items() if parsed.query.get(key) == value])
    shown = parsed.update_query_dict({key: "***" for key in parsed.query if key in _SECRET_OPTIONS})
    return _rendered(shown.set(drivername="postgresql"), hide_password=True)


def without_secrets(message: str, url: str) -> str:
    """Return the message with every secret of the address replaced by ***."""
    parsed = sa.make_url(url)
    secrets = [parsed.password, *(parsed.query.get(key) for key in _SECRET_OPTIONS)]
    for secret in filter(None, secrets):
        message = message.replace(str(secret), "***")
    return message


def _with_account_in_front(url: sa.URL) -> sa.URL:
    """Return the URL with user and password before the host: in the query they would override a later account."""
    named = {key: url.query[key] for key in _ACCOUNT if key in url.query}
    if any(not isinstance(value, str) for value in named.values()):
        raise DatabaseAddressInvalid("The database address names its user or its password twice: name them once.")
    front = url.difference_update_query(list(named))
    return front.set(**{_ACCOUNT[key]: value for key, value in named.items()})  # type: ignore[arg-type]


def _without_setting(options: str | tuple[str, ...], name: str) -> str:
    """Return the server options of an address without one setting."""
    whole = " ".join(options) if isinstance(options, tuple) else options
    return re.sub(rf"(^|\s)(-c\s*|--){name}=\S*", "", whole).strip()


def _rendered(url: sa.URL, hide_password: bool = False) -> str:
    """Return the URL as text, with %20 for spaces: SQLAlchemy writes +, which libpq reads as a plus sign."""
    head, mark, query = url.render_as_string(hide_password=hide_password).partition("?")
    return head.replace(" ", "%20") + mark + query.replace("+", "%20")
