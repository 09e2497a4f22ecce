import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa

from e2i_assets.adapters.postgres.address import DatabaseAddressInvalid
from e2i_assets.adapters.postgres.database import Database, DatabaseUnreachable
from e2i_assets.adapters.sources.datasets import load
from e2i_assets.adapters.sources.query import SourceUnreadable, query_rows, watermark_of
from e2i_assets.core.errors import DataInvalid, E2iError
from e2i_assets.core.experiments.source_section import Source, SqlQuery


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


NOT_JUST_READING = [
    ("DELETE FROM visit RETURNING id", "it tries to write, and an experiment only reads"),
    ("COMMIT; DELETE FROM visit RETURNING id", "cannot open multi-query plan as cursor. Write one SELECT"),
    (
        "SET TRANSACTION READ WRITE; DELETE FROM visit RETURNING id; COMMIT; SELECT 1",
        "cannot open multi-query plan",
    ),
    ("COMMIT; BEGIN READ WRITE; DELETE FROM visit RETURNING id; COMMIT; SELECT 1", "cannot open multi-query plan"),
    (
        "SELECT 1 AS a) AS b; COMMIT; BEGIN READ WRITE; DELETE FROM visit; COMMIT; SELECT 1, 2 FROM (SELECT 1",
        "syntax",
    ),
    ("SELECT set_config('transaction_read_only', 'off', true)", "must be set before any query"),
    ("COPY visit TO PROGRAM 'id'", "cannot open COPY query as cursor"),
    ("SELECT lo_create(0)", "it tries to write"),
    ("SELECT '\0'", "it cannot be sent to the database"),
    ("SELECT '\ud800'", "it cannot be sent to the database"),
    ("WITH gone AS (DELETE FROM visit RETURNING id) SELECT * FROM gone", "it tries to write"),
    ("CREATE TABLE more AS SELECT 1", "cannot open CREATE TABLE AS query as cursor"),
    ("SET search_path = x", "cannot open SET query as cursor. Write one SELECT"),
    ("SELECT * FROM visits", 'refuses it: relation "visits" does not exist'),
    ("SELEKT 1", "refuses it: syntax error"),
    ("", "cannot open multi-query plan as cursor"),
]


def test_a_query_that_does_not_just_read_is_refused(source: Database) -> None:
    """This holds for the rows and for their fingerprint: both once executed a second statement after a semicolon."""
    for query, expected in NOT_JUST_READING:
        one = SqlQuery.model_construct(query=query, url_env="E2I_SOURCE_URL", watermark=None)
        for asked in (query_rows, watermark_of):
            with pytest.raises(SourceUnreadable, match=expected):
                asked(one, environment(source))
            assert count(source) == 2, query


def test_the_fingerprint_of_the_rows_is_what_postgresql_itself_adds_up(source: Database) -> None:
    """The stored fingerprints are of this form; another form would train every experiment again."""
    known = "SELECT count(*), sum(hashtextextended(hashed::text, 0)) FROM (SELECT * FROM visit) AS hashed"
    with sa.create_engine(source.url).connect() as connection:
        expected = [str(value) for value in connection.exec_driver_sql(known).one()]
    assert watermark_of(SqlQuery(query="SELECT * FROM visit; -- all"), environment(source)) == expected
    assert watermark_of(SqlQuery(query="SELECT * FROM visit WHERE id > 5"), environment(source)) == ["0", "0"]


@pytest.mark.parametrize(
    ("query", "limit", "expected"),
    [
        (
            "SELECT * FROM generate_series(1, 101)",
            {"E2I_SOURCE_ROWS": "100"},
            "at most 100 are read.*raise E2I_SOURCE_ROWS",
        ),
        ("SELECT repeat('x', 400000) FROM generate_series(1, 9)", {"E2I_SOURCE_MB": "1"}, "raise E2I_SOURCE_MB"),
    ],
)
def test_a_query_that_returns_too_much_is_ended_and_the_limit_named(
    source: Database, query: str, limit: dict[str, str], expected: str
) -> None:
    with pytest.raises(DataInvalid, match=expected):
        query_rows(SqlQuery(query=query), {**environment(source), **limit})


def test_no_more_than_the_limit_is_fetched_of_a_query_without_an_end(source: Database) -> None:
    """A plain fetch of ten billion rows would fill the memory."""
    began = time.monotonic()
    endless = SqlQuery(query="SELECT generate_series(1, 10000000000)")
    with pytest.raises(DataInvalid, match="at most 5,000 are read"):
        query_rows(endless, {**environment(source), "E2I_SOURCE_ROWS": "5000"}, 30)
    assert time.monotonic() - began < 20


def test_the_limit_itself_is_within_it(source: Database) -> None:
    found = query_rows(
        SqlQuery(query="SELECT n, 'x' || n FROM generate_series(1, 30000) AS n"),
        {**environment(source), "E2I_SOURCE_ROWS": "30000"},
    )
    assert (len(found), list(found.iloc[-1])) == (30000, [30000, "x30000"])


def test_a_query_cannot_give_itself_more_time(source: Database) -> None:
    query = "SELECT set_config('statement_timeout', '0', true), pg_sleep(0.3) FROM generate_series(1, 100)"
    with pytest.raises(SourceUnreadable, match="the server ended it after 1 seconds"):
        rows(source, query, 1)


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
