"""Who may do what in the database: `sql/009_roles.sql` makes the roles, this decides who acts as which."""

import secrets
from typing import Literal

import sqlalchemy as sa

from e2i_assets.adapters.postgres.address import account_url
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.core.errors import E2iError

Role = Literal["owner", "worker", "reader"]

_GRANT = sa.text("SELECT e2i.grant_roles()")
_MAY_ACT = sa.text("""
    SELECT to_regrole(:role) IS NOT NULL AND to_regnamespace('e2i') IS NOT NULL
       AND coalesce(pg_has_role(session_user, to_regrole(:role), 'MEMBER'), false)
       AND coalesce(has_schema_privilege(to_regrole(:role), to_regnamespace('e2i'), 'USAGE'), false)
""")
_EXISTS = sa.text("SELECT to_regrole(quote_ident(:name)) IS NOT NULL")


class LoginRefused(E2iError):
    """An account that cannot be made."""


def grant_roles(database: Database) -> bool:
    """Make the roles and give them what they may, on all tables that are there.

    Returns:
        False where the account of the database may not do so; everything then goes on as that account.
    """
    with database.begin() as connection:
        return bool(connection.execute(_GRANT).scalar_one())


def as_worker(database: Database) -> Database:
    """Return the database with the rights of a worker, which are those to read and write rows.

    Where there are no roles, or the account is no member of them, it is returned as it is.

    Raises:
        DatabaseUnreachable: When no connection can be made.
    """
    worker = database.acting_as("e2i_worker")
    if worker == database:
        return database
    database.require_reachable()
    with database.connect() as connection:
        return worker if connection.execute(_MAY_ACT, {"role": "e2i_worker"}).scalar_one() else database


def make_login(database: Database, name: str, role: Role) -> Database:
    """Make an account that may what a role may, with a password of its own that the server never sees in plain.

    Args:
        database: Under an account that may make others.
        name: Of the account.
        role: What it may.

    Returns:
        The database as that account.

    Raises:
        LoginRefused: There is one of that name, or this account may make no others, or there are no roles.
    """
    from psycopg2.extensions import encrypt_password

    password = secrets.token_urlsafe(24)
    with database.begin() as connection:
        if connection.execute(_EXISTS, {"name": name}).scalar_one():
            raise LoginRefused(f"There is an account {name} already: name another, or drop that one first.")
        driver = connection.connection.driver_connection
        verifier = encrypt_password(password, name, scope=driver, algorithm="scram-sha-256")
        quote = connection.dialect.identifier_preparer.quote_identifier
        try:
            # Names cannot be parameters. The verifier holds base64, $ and : alone.
            connection.exec_driver_sql(
                f"CREATE ROLE {quote(name)} LOGIN PASSWORD '{verifier}' IN ROLE {quote(f'e2i_{role}')}"
            )
        except sa.exc.DBAPIError as error:
            raise LoginRefused(
                f"{database.redacted} does not let this account make the account {name}: {error.orig}".strip()
            ) from None
    return Database(account_url(database.url, name, password))
