"""Predictions in a table of a real PostgreSQL: complete or not at all, each key once."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.prediction_table import TableNotWritten, TableOfPredictions
from e2i_assets.adapters.sources.query import SourceUnreadable
from e2i_assets.core.errors import DataInvalid
from e2i_assets.core.experiments.predict_section import PredictionTable

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def predictions(*keys: str | None, at: datetime = NOON, **columns: object) -> pd.DataFrame:
    scored = {"visit": list(keys), "prediction": "ill", "probability_ill": np.linspace(0.1, 1 / 3, len(keys))}
    return pd.DataFrame({**scored, "predicted_at": at, **columns})


def table(database: Database, name: str = "scores.visits", url: str | None = None) -> TableOfPredictions:
    section = PredictionTable(name=name, url_env="SCORES_URL")
    return TableOfPredictions(section, ("visit",), {"SCORES_URL": url or database.url})


def write(to: TableOfPredictions, *pieces: pd.DataFrame) -> None:
    with to.writing() as append:
        for piece in pieces:
            append(piece)


def rows(database: Database, query: str = "SELECT visit FROM scores.visits ORDER BY visit") -> list[object]:
    with sa.create_engine(database.url).connect() as connection:
        return [tuple(row) if len(row) > 1 else row[0] for row in connection.exec_driver_sql(query)]


@pytest.fixture
def scores(empty_database: Database) -> Database:
    with sa.create_engine(empty_database.url).begin() as connection:
        connection.exec_driver_sql("CREATE SCHEMA scores")
    return empty_database


def test_each_key_is_in_the_table_once_with_its_latest_prediction(scores: Database) -> None:
    to, later = table(scores), NOON.replace(hour=13)
    assert to.rows_of(NOON) == 0
    first, second = predictions("a", "b"), predictions("c")
    write(to, first, second)
    write(to, first, second)
    assert rows(scores) == ["a", "b", "c"]
    assert to.rows_of(NOON) == 3
    # Other rows, with reasons, which the table gets as columns. An empty text is not a missing one.
    write(to, predictions("b", "d", at=later, reason_1=["", None], effect_1=[0.5, np.nan]))
    found = rows(scores, "SELECT visit, predicted_at, reason_1, effect_1 FROM scores.visits ORDER BY visit")
    assert found == [("a", NOON, None, None), ("b", later, "", 0.5), ("c", NOON, None, None), ("d", later, None, None)]
    assert rows(scores, "SELECT probability_ill FROM scores.visits WHERE visit = 'd'") == [1 / 3]
    assert (to.rows_of(NOON), to.rows_of(later)) == (2, 2)


@pytest.mark.parametrize("wrong", [("a", "x", "a"), ("x", None)])
def test_keys_that_identify_no_row_are_refused_and_nothing_is_written(
    scores: Database, wrong: tuple[str | None, ...]
) -> None:
    write(table(scores), predictions("a"))
    with pytest.raises(DataInvalid, match="must identify a row of"):
        write(table(scores), predictions(*wrong[:1]), predictions(*wrong[1:], at=NOON.replace(hour=14)))
    with pytest.raises(DataInvalid, match="'visit' identifies a row of"):
        write(table(scores), predictions("x").drop(columns="visit"))
    with pytest.raises(AttributeError):  # the second piece fails, after the first one
        write(table(scores), predictions("y"), None)  # type: ignore[arg-type]
    assert rows(scores) == ["a"]
    assert table(scores).rows_of(NOON) == 1


def test_a_database_that_refuses_is_named_without_its_password(scores: Database) -> None:
    with pytest.raises(TableNotWritten, match=r'schema "nowhere" does not exist') as refused:
        write(table(scores, "nowhere.visits"), predictions("a"))
    password = sa.make_url(scores.url).password
    assert password is not None
    assert password not in str(refused.value)
    with pytest.raises(SourceUnreadable, match="the environment variable SCORES_URL is not set"):
        write(TableOfPredictions(table(scores).table, ("visit",), {}), predictions("a"))
    # A table of the user without a key: it is not changed.
    with sa.create_engine(scores.url).begin() as connection:
        connection.exec_driver_sql("CREATE TABLE scores.own (visit text, prediction text)")
    with pytest.raises(TableNotWritten, match="no unique or exclusion constraint"):
        write(table(scores, "scores.own"), predictions("a"))
    columns = "SELECT attname FROM pg_attribute WHERE attrelid = 'scores.own'::regclass AND attnum > 0 ORDER BY attnum"
    assert rows(scores, columns) == ["visit", "prediction"]
