"""Database roles: `sql/009_roles.sql` creates them, and this module decides which account acts as which."""

import secrets
from typing import Literal

import sqlalchemy as sa

from e2i_assets.adapters.postgres.address import account_url
from e2i_assets.adapters.postgres.database import IDLE_TRANSACTION_SECONDS, Database
from e2i_assets.core.errors import E2iError

Role = Literal["owner", "worker", "reader"]

_GRANT = sa.text("SELECT e2i.grant_roles()")
_MAY_ACT = sa.text("""
    SELECT to_regrole(:role) IS NOT NULL AND to_regnamespace('e2i') IS NOT NULL
       AND coalesce(pg_has_role(session_user, to_regrole(:role), 'MEMBER'), false)
       AND coalesce(has_schema_privilege(to_regrole(:role), to_regnamespace('e2i'), 'USAGE'), false)
""")
_OF_POOLED = f"""
    ALTER ROLE {{0}} SET search_path = e2i;
    ALTER ROLE {{0}} SET idle_in_transaction_session_timeout = '{IDLE_TRANSACTION_SECONDS:.0f}s';
"""
_EXISTS = sa.text("SELECT to_regrole(quote_ident(:name)) IS NOT NULL")


class LoginRefused(E2iError):
    """The account cannot be created."""


def grant_roles(database: Database) -> bool:
    """Create the roles and grant them their rights on all existing tables.

    Returns:
        False if the account of the database may not do so; the program then continues without roles.
    """
    with database.begin() as connection:
        return bool(connection.execute(_GRANT).scalar_one())


def as_worker(database: Database) -> Database:
    """Return the database with the rights of a worker, which are to read and write rows.

    If there are no roles, or the account is not a member of the worker role, the database is returned unchanged.

    Raises:
        DatabaseUnreachable: The connection failed.
    """
    worker = database.acting_as("e2i_worker")
    if worker == database:
        return database
    database.require_reachable()
    with database.connect() as connection:
        return worker if connection.execute(_MAY_ACT, {"role": "e2i_worker"}).scalar_one() else database


def make_login(database: Database, name: str, role: Role, pooled: bool = False) -> Database:
    """Create an account with the rights of a role and a new password, which the server never sees in plain text.

    Args:
        database: A database whose account may create accounts.
        name: The name of the new account.
        role: The role of the new account.
        pooled: Whether it is for PgBouncer in transaction mode. The account then has the settings that an option of the
            connection sets otherwise: our schema, and the time limit of an idle transaction.

    Returns:
        The database with the address of the new account.

    Raises:
        LoginRefused: The name exists already, this account may not create accounts, or there are no roles.
    """
    from psycopg2.extensions import encrypt_password

    password = secrets.token_urlsafe(24)
    with database.begin() as connection:
        if connection.execute(_EXISTS, {"name": name}).scalar_one():
            raise LoginRefused(f"The account {name} exists already: choose another name, or drop that account first.")
        driver = connection.connection.driver_connection
        verifier = encrypt_password(password, name, scope=driver, algorithm="scram-sha-256")
        quote = connection.dialect.identifier_preparer.quote_identifier
        try:
            # Names cannot be bound parameters. The verifier consists of base64, $ and : only.
            connection.exec_driver_sql(
                f"CREATE ROLE {quote(name)} LOGIN PASSWORD '{verifier}' IN ROLE {quote(f'e2i_{role}')}"
            )
            if pooled:
                connection.exec_driver_sql(_OF_POOLED.format(quote(name)))
        except sa.exc.DBAPIError as error:
            raise LoginRefused(
                f"{database.redacted} does not let this account create the account {name}: {error.orig}".strip()
            ) from None
    return Database(account_url(database.url, name, password))
