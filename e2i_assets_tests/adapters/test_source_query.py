from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa

from e2i_assets.adapters.datasets import load
from e2i_assets.adapters.postgres.address import DatabaseAddressInvalid
from e2i_assets.adapters.postgres.database import Database, DatabaseUnreachable
from e2i_assets.adapters.source_query import SourceUnreadable, query_rows
from e2i_assets.core.errors import DataInvalid, E2iError
from e2i_assets.core.experiments.sections import Source, SqlQuery


@pytest.fixture
def source(empty_database: Database) -> Database:
    with sa.create_engine(empty_database.url).begin() as connection:
        connection.exec_driver_sql("CREATE TABLE visit (id int, plan text, cost numeric(8,2), share numeric)")
        connection.exec_driver_sql("INSERT INTO visit VALUES (1, '50%% :a', 1.50, 0.5), (2, NULL, 2, NULL)")
    return empty_database


def environment(database: Database) -> dict[str, str]:
    return {"E2I_SOURCE_URL": database.url.replace("postgresql+psycopg2://", "postgres://")}


def rows(database: Database, query: str, seconds: float = 60) -> list[tuple[object, ...]]:
    frame = query_rows(SqlQuery(query=query), environment(database), seconds)
    return [tuple(row) for row in frame.itertuples(index=False)]


def count(database: Database) -> object:
    with sa.create_engine(database.url).connect() as connection:
        return connection.exec_driver_sql("SELECT count(*) FROM visit").scalar()


def test_a_query_gives_its_rows(source: Database) -> None:
    query = (
        "SELECT id, plan, cost FROM visit WHERE plan LIKE '50%% :a' OR plan LIKE '50% :a' OR id::int = 2 ORDER BY id;"
    )
    assert rows(source, query) == [(1, "50% :a", Decimal("1.50")), (2, None, Decimal("2.00"))]


def test_the_address_comes_from_the_variable_that_is_named(source: Database, tmp_path: Path) -> None:
    named = Source(sql=SqlQuery(query="SELECT * FROM visit", url_env="WAREHOUSE"))
    assert len(load(named, tmp_path, {"WAREHOUSE": source.url})) == 2
    with pytest.raises(E2iError, match="the environment variable WAREHOUSE is not set; did you mean 'WAREHOSE'"):
        load(named, tmp_path, {"WAREHOSE": source.url})
    with pytest.raises(E2iError, match="the environment variable WAREHOUSE is not set"):
        load(named, tmp_path, {"WAREHOUSE": ""})


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("DELETE FROM visit RETURNING id", "it tries to write, and an experiment only reads"),
        ("COMMIT; DELETE FROM visit RETURNING id", "it tries to write"),
        ("WITH gone AS (DELETE FROM visit RETURNING id) SELECT * FROM gone", "it tries to write"),
        ("CREATE TABLE more AS SELECT 1", "it tries to write"),
        ("SET search_path = x", "it returns no rows, write one SELECT"),
        ("SELECT * FROM visits", 'refuses it: relation "visits" does not exist'),
        ("SELEKT 1", "refuses it: syntax error"),
        ("", "refuses it|it returns no rows"),
    ],
)
def test_a_query_that_does_not_just_read_is_refused(source: Database, query: str, expected: str) -> None:
    with pytest.raises(SourceUnreadable, match=expected):
        query_rows(SqlQuery.model_construct(query=query, url_env="E2I_SOURCE_URL"), environment(source))
    assert count(source) == 2


def test_a_query_that_takes_too_long_is_ended(source: Database) -> None:
    with pytest.raises(SourceUnreadable, match=r"the server ended it after 0\.2 seconds"):
        rows(source, "SELECT pg_sleep(30)", 0.2)


def test_a_query_without_rows_is_no_data(source: Database, tmp_path: Path) -> None:
    empty = Source(sql=SqlQuery(query="SELECT * FROM visit WHERE id > 5"))
    with pytest.raises(DataInvalid, match="has no rows"):
        load(empty, tmp_path, environment(source))


def wrong_password(url: sa.URL) -> sa.URL:
    return url.set(password="hush-hush")


def wrong_port(url: sa.URL) -> sa.URL:
    return url.set(host="127.0.0.1", port=1, password="hush-hush", query={})


@pytest.mark.parametrize("wrong", [wrong_password, wrong_port])
def test_a_database_that_cannot_be_reached_is_said_without_the_password(
    source: Database, wrong: Callable[[sa.URL], sa.URL]
) -> None:
    address = wrong(sa.make_url(source.url)).render_as_string(hide_password=False)
    with pytest.raises(DatabaseUnreachable) as caught:
        query_rows(SqlQuery(query="SELECT 1"), {"E2I_SOURCE_URL": address})
    assert "hush-hush" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("address", ["mysql://me:hush-hush@host/db", "nonsense hush-hush"])
def test_only_postgresql_is_a_source(address: str) -> None:
    with pytest.raises(DatabaseAddressInvalid) as caught:
        query_rows(SqlQuery(query="SELECT 1"), {"E2I_SOURCE_URL": address})
    assert "hush-hush" not in str(caught.value)
