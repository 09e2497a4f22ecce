"""Retrieval of patterns by meta-features, with and without pgvector."""

import math
import random
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from direct_rows import add_all
from sqlalchemy.exc import DataError, IntegrityError

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.postgres.migrations import migrations_in
from e2i_assets.adapters.repositories.patterns import PatternRepository
from e2i_assets.core.memory.meta_vector import NAMES

ASKED: dict[str, Any] = {
    "algorithm": "XGBoost",
    "problem_type": "binary_classification",
    "metric": "roc_auc",
    "n_samples": 1000,
    "n_features": 10,
    "class_balance": 0.3,
    "min_similarity": 0.0,
    "meta_vector": [0.0] * len(NAMES),
    "meta_version": 1,
}
SQL = Path(__file__).parents[2] / "sql"
SCANS = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname = 'ml_hpo_patterns_by_vector'"
INDEX = "SELECT to_regclass('e2i.ml_hpo_patterns_by_vector') IS NOT NULL"


def at(*numbers: float) -> list[float]:
    """Return a vector whose first numbers are given, and the others 0."""
    return [*numbers, *[0.0] * (len(NAMES) - len(numbers))]


def found(database: Database, **asked: Any) -> dict[str, float]:
    """Return the similarity of each found pattern by the name of its study, most similar first."""
    return {str(one.study_name): one.similarity for one in PatternRepository(database).similar(**ASKED | asked)}


def stored(database: Database, examples: Any, patterns: Iterable[dict[str, Any]]) -> None:
    """Store patterns, the later ones newer."""
    for changes in patterns:
        PatternRepository(database).store(examples.pattern(**{"meta_version": 1, "meta_vector": at()} | changes))


def test_similarity_is_what_is_left_of_one_over_the_distance(tables: Database, examples: Any) -> None:
    stored(
        tables,
        examples,
        [
            {"study_name": "far", "meta_vector": at(3.0, 4.0)},
            {"study_name": "same", "meta_vector": at()},
            {"study_name": "near", "meta_vector": at(0.0, 0.5)},
        ],
    )
    similar = found(tables)
    assert list(similar) == ["same", "near", "far"]
    assert similar == {"same": 1.0, "near": math.exp(-0.5), "far": math.exp(-5.0)}


def test_the_threshold_rejects_by_distance(tables: Database, examples: Any) -> None:
    """The sizes do not matter when there are vectors."""
    stored(tables, examples, [{"study_name": str(part), "meta_vector": at(part)} for part in (0.1, 0.5, 0.6, 2.0)])
    assert list(found(tables, min_similarity=0.6)) == ["0.1", "0.5"]
    assert list(found(tables, min_similarity=0.95)) == []


@pytest.mark.parametrize(
    "other",
    [{"algorithm_name": "LightGBM"}, {"problem_type": "multiclass_classification"}, {"optimization_metric": "f1"}],
)
def test_another_kind_is_no_candidate_however_near(tables: Database, examples: Any, other: dict[str, Any]) -> None:
    stored(tables, examples, [other])
    assert found(tables) == {}


def test_the_same_rows_are_left_out(tables: Database, examples: Any) -> None:
    stored(tables, examples, [{"study_name": "own", "data_hash": "d"}, {"study_name": "other", "data_hash": "e"}])
    assert list(found(tables, exclude_data_hash="d")) == ["other"]


def test_ties_go_to_the_newest_whatever_its_value(tables: Database, examples: Any) -> None:
    stored(tables, examples, [{"study_name": name, "best_value": 1 / (2 + len(name))} for name in ("a", "bb", "ccc")])
    assert list(found(tables)) == ["ccc", "bb", "a"]
    assert list(found(tables, limit=1)) == ["ccc"]


def test_where_either_side_has_no_vector_the_sizes_are_compared(tables: Database, examples: Any) -> None:
    stored(
        tables,
        examples,
        [
            {"study_name": "vector", "meta_vector": at(0.5), "n_samples": 1_000_000},
            {"study_name": "sizes", "meta_vector": None, "meta_version": None, "n_samples": 2000},
            {"study_name": "another version", "meta_version": 2, "n_samples": 4000},
            {"study_name": "older version", "meta_version": 3, "n_samples": 8000},
            {"study_name": "nothing", "meta_vector": None, "meta_version": None, "n_samples": None},
        ],
    )
    by_size = found(tables, meta_vector=None, meta_version=None)
    assert list(by_size) == ["sizes", "another version", "older version", "vector"]
    assert found(tables) == {**by_size, "vector": math.exp(-0.5)}
    assert list(found(tables, limit=2)) == ["sizes", "another version"]


@pytest.mark.parametrize("asked", [{"meta_vector": None}, {"meta_version": None}])
def test_a_vector_without_its_version_is_refused(tables: Database, asked: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="p_meta_vector and p_meta_version go together"):
        found(tables, **asked)


@pytest.mark.parametrize("vector", [[0.0] * 15, [float("nan"), *[0.0] * 15], [float("inf"), *[0.0] * 15]])
def test_a_vector_that_is_none_is_refused(tables: Database, vector: list[float]) -> None:
    with pytest.raises(IntegrityError, match="meta_vector"):
        found(tables, meta_vector=vector)


def test_the_index_is_made_with_the_tables_and_asking_for_it_again_is_safe(
    tables: Database, execute: Callable[..., Any]
) -> None:
    assert execute(INDEX) is True
    assert execute("SELECT index_hpo_patterns()") is True


def clouds(examples: Any) -> list[Any]:
    """Patterns of two kinds in clusters; some have sizes only."""
    draw = random.Random(0)
    centres = [[draw.gauss(0, 0.5) for _ in NAMES] for _ in range(8)]
    return [
        examples.pattern(
            study_name=f"study {number}",
            algorithm_name=draw.choice(["XGBoost", "LightGBM"]),
            n_samples=draw.randint(50, 100_000),
            meta_vector=[value + draw.gauss(0, 0.05) for value in draw.choice(centres)] if number % 7 else None,
            meta_version=1 if number % 7 else None,
        )
        for number in range(800)
    ]


def answers(database: Database, patterns: list[Any]) -> list[list[tuple[str, float]]]:
    """Return the patterns near some of the stored ones."""
    asked = [patterns[number].meta_vector for number in (1, 2, 3, 11, 799)]
    return [list(found(database, limit=40, meta_vector=vector).items()) for vector in asked]


def test_a_server_without_pgvector_gives_the_same_answers(
    database: Database, examples_of: Callable[[Database], Any]
) -> None:
    """They are equal to the last digit. An administrator may add the extension later, in any schema."""
    patterns = clouds(examples_of(database))
    add_all(database, patterns)
    with_pgvector = answers(database, patterns)
    statement(database, "DROP EXTENSION vector CASCADE")
    assert value(database, INDEX) is False
    assert answers(database, patterns) == with_pgvector
    assert all(len(answer) == 40 for answer in with_pgvector)
    statement(database, "CREATE EXTENSION vector SCHEMA public")
    assert value(database, "SELECT index_hpo_patterns()") is True
    assert answers(database, patterns) == with_pgvector


def test_many_patterns_are_searched_in_the_index_with_the_same_answers(
    database: Database, examples_of: Callable[[Database], Any]
) -> None:
    patterns = clouds(examples_of(database))
    add_all(database, patterns)
    exact = answers(database, patterns)
    name = sa.make_url(database.url).database
    statement(database, f"ALTER DATABASE {name} SET e2i.few_patterns = 1")
    statement(
        database, f"ALTER DATABASE {name} SET enable_sort = off"
    )  # the sort of so few rows would not show in the time
    database.dispose()
    assert answers(database, patterns) == exact
    database.dispose()  # a connection reports its statistics when it ends
    wait_until(lambda: value(database, SCANS) > 0)


def test_a_line_between_few_and_many_that_was_taken_back_is_the_usual_one_again(
    tables: Database, examples: Any
) -> None:
    """A setting that was local to a transaction is an empty text afterwards."""
    stored(tables, examples, [{"study_name": "near"}])
    with tables.connect() as connection:
        connection.exec_driver_sql("SET e2i.few_patterns = 3")
        connection.exec_driver_sql("RESET e2i.few_patterns")
        asked = "find_similar_hpo_patterns('XGBoost', 'binary_classification', 'roc_auc', 9, 9, NULL, 0.6, 5, NULL, "
        vector = "array_fill(0::real, ARRAY[16]), 1)"
        assert connection.exec_driver_sql(f"SELECT count(*) FROM {asked}{vector}").scalar_one() == 1


def test_an_account_that_may_not_use_pgvector_has_the_memory_all_the_same(
    empty_database: Database, examples_of: Callable[[Database], Any]
) -> None:
    """Creating the extension needs rights that the owner of a database may not have."""
    address = sa.make_url(empty_database.url)
    statement(empty_database, "CREATE ROLE plain LOGIN PASSWORD 'plain'")
    statement(empty_database, f"ALTER DATABASE {address.database} OWNER TO plain")
    plain = Database(address.set(username="plain", password="plain").render_as_string(hide_password=False))
    try:
        for migration in migrations_in(SQL):
            statement(plain, migration.statements)
        assert value(plain, INDEX) is False
        stored(plain, examples_of(plain), [{"study_name": "near", "meta_vector": at(0.5)}])
        assert found(plain) == {"near": math.exp(-0.5)}
    finally:
        plain.dispose()
        statement(empty_database, "REASSIGN OWNED BY plain TO CURRENT_USER; DROP OWNED BY plain; DROP ROLE plain")


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def statement(database: Database, text: str) -> None:
    with database.begin() as connection:
        connection.execution_options(no_parameters=True).exec_driver_sql(text)


def value(database: Database, text: str) -> Any:
    with database.connect() as connection:
        return connection.exec_driver_sql(text).scalar_one()
