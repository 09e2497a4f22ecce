"""Errors that are retried and errors that are not, as a table."""

import pytest
import requests
import sqlalchemy as sa
from psycopg2 import errors as postgres
from sqlalchemy.exc import OperationalError, ProgrammingError

from e2i_assets.adapters.mlflow.client import TrackingUnreachable
from e2i_assets.adapters.postgres.database import Database, DatabaseUnreachable
from e2i_assets.adapters.transient_errors import is_transient
from e2i_assets.core.errors import DataInvalid, E2iError, Violation


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (DatabaseUnreachable("no answer"), True),
        (TrackingUnreachable("no answer"), True),
        (OperationalError("SELECT 1", {}, postgres.AdminShutdown()), True),
        (OperationalError("SELECT 1", {}, postgres.DeadlockDetected()), True),
        (requests.ConnectionError("refused"), True),
        (ConnectionResetError(), True),
        (OperationalError("SELECT 1", {}, postgres.QueryCanceled()), False),
        (OperationalError("SELECT 1", {}, postgres.DiskFull()), False),
        (ProgrammingError("SELEC 1", {}, postgres.SyntaxError()), False),
        (DataInvalid("data", [Violation("rows", 1, "are too few")]), False),
        (E2iError("no"), False),
        (FileNotFoundError("rows.csv"), False),
        (MemoryError(), False),
        (ValueError("no"), False),
    ],
)
def test_transient_errors_are_recognised(error: Exception, transient: bool) -> None:
    assert is_transient(error) is transient


def test_the_cause_of_an_error_counts_too() -> None:
    error = E2iError("the study could not be read")
    error.__cause__ = ConnectionResetError()
    assert is_transient(error)


def test_an_assertion_of_optuna_does_not_hide_a_lost_database_connection() -> None:
    """Found by a drill: "AssertionError: Should not reach." ended a run although PostgreSQL was back a second later."""

    def report() -> None:
        try:
            raise OperationalError("UPDATE", {}, postgres.AdminShutdown())
        finally:
            raise AssertionError("Should not reach.")

    with pytest.raises(AssertionError) as caught:
        report()
    assert is_transient(caught.value)


def test_a_connection_ended_by_the_server_is_transient(database: Database) -> None:
    with pytest.raises(sa.exc.DBAPIError) as caught, database.connect() as connection:
        connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
    assert is_transient(caught.value)
