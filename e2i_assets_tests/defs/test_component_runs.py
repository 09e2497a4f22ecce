"""Runs of experiments of components: with new rows to score, with rows of a query, and at a time of day."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from component_platform import attributes, experiment, keys_of, loaded, mart, materialize, tick
from sklearn.datasets import load_breast_cancer

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.services.checks.catalogue import CHECKS

# When Dagster loads a folder of components, it uses a deprecated function of pydantic and beta parts of its own.
pytestmark = [
    pytest.mark.filterwarnings("ignore:`parse_obj_as` is deprecated"),
    pytest.mark.filterwarnings("ignore::dagster_shared.utils.warnings.BetaWarning"),
]
ROWS, NEW = dg.AssetKey(["marts", "churn_rows"]), dg.AssetKey(["marts", "new_churn"])
PREDICTIONS = dg.AssetKey(["ml", "churn", "predictions"])


@pytest.fixture
def new_rows() -> list[int]:
    """How many rows the mart of new rows has; a test may change it."""
    return [20]


@pytest.fixture
def platform(project: Any, new_rows: list[int]) -> Iterator[dg.Definitions]:
    """A mart of rows and one of new rows, and an experiment that is bound to both."""

    @dg.asset(key=NEW)
    def new() -> dg.MaterializeResult[None]:
        frame = load_breast_cancer(as_frame=True).frame.drop(columns="target").head(new_rows[0])
        path = project.root / "new.csv"
        frame.assign(patient=[f"n{row}" for row in range(len(frame))]).to_csv(path, index=False)
        return dg.MaterializeResult(metadata={"dagster/uri": str(path)})

    given = {**experiment("churn"), "predict": {"to": "scored/churn.parquet"}}
    with loaded(attributes("churn", experiment=given, new_rows={"asset": "marts/new_churn", "read": "uri"})) as found:
        yield dg.Definitions.merge(found, dg.Definitions(assets=[mart("churn", project.root), new]))


def test_new_rows_of_an_upstream_asset_are_scored_and_alone_when_only_they_are_new(
    project: Any, platform: dg.Definitions, new_rows: list[int]
) -> None:
    instance, file = project.instance, project.root / "scored" / "churn.parquet"
    node = platform.resolve_asset_graph().get(PREDICTIONS)
    assert node.partitions_def is None
    assert NEW in node.parent_keys
    _, cursor = tick(platform, instance, None)
    assert materialize(platform, instance, ROWS, NEW).success
    requested, cursor = tick(platform, instance, cursor)
    assert requested == {*keys_of("churn"), PREDICTIONS}
    result = materialize(platform, instance, *requested)
    assert result.success, project.failure(result)
    assert len(result.get_asset_check_evaluations()) == len(CHECKS)
    assert len(pd.read_parquet(file)) == 20
    (made,) = [event for event in result.get_asset_materialization_events() if event.asset_key == PREDICTIONS]
    shown = made.materialization.metadata
    assert shown["upstream_asset"].value == NEW
    assert shown["upstream_run_id"].value == instance.get_latest_materialization_event(NEW).run_id
    assert tick(platform, instance, cursor)[0] == set()

    new_rows[0] = 30
    _, cursor = tick(platform, instance, cursor)
    assert materialize(platform, instance, NEW).success
    requested, cursor = tick(platform, instance, cursor)
    assert requested == {PREDICTIONS}
    assert materialize(platform, instance, *requested).success
    assert len(pd.read_parquet(file)) == 30


def test_rows_of_a_query_are_trained_on_at_the_time_of_a_schedule(
    project: Any, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAREHOUSE_URL", database.url)
    frame = load_breast_cancer(as_frame=True).frame
    frame = frame.rename(columns=lambda name: name.replace(" ", "_"))
    with database.begin() as connection:
        frame.assign(patient=[f"p{row}" for row in range(len(frame))]).to_sql("churn_rows", connection, index=False)
    query = {"query": "SELECT * FROM churn_rows ORDER BY patient", "url_env": "WAREHOUSE_URL"}

    @dg.asset(key=ROWS)
    def rows() -> None:
        """A table of the warehouse."""

    rows_of = {"asset": "marts/churn_rows", "sql": query}
    given = attributes("churn", rows=rows_of, automation="on_cron", cron="0 0 1 1 *")
    with loaded(given) as found:
        platform, instance, now = dg.Definitions.merge(found, dg.Definitions(assets=[rows])), project.instance, _now()
        _, cursor = tick(platform, instance, None, now - timedelta(days=400))
        # A year has begun, and the rows are those of before.
        requested, cursor = tick(platform, instance, cursor, now)
        assert requested == set()
        assert materialize(platform, instance, ROWS).success
        requested, cursor = tick(platform, instance, cursor, _now())
        assert dg.AssetKey(["ml", "churn", "dataset"]) in requested
        result = materialize(platform, instance, *keys_of("churn"))
        assert result.success, project.failure(result)
        row = project.project.experiments.get("churn")
        assert (row.upstream["asset"], row.upstream["uri"]) == ("marts/churn_rows", None)
        ((trained, tested),) = project.all("SELECT training_samples, test_samples FROM ml_training_runs")
        assert 400 < trained + tested < 569
        # Not again in the same year.
        assert materialize(platform, instance, ROWS).success
        assert tick(platform, instance, cursor, _now())[0] == set()


def _now() -> datetime:
    return datetime.now(UTC)
