"""`e2i db migrate` on data of an earlier version: nothing is lost, and all of it is found and used."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from earlier_version import RELEASES, unpacked
from mlflow import MlflowClient
from table_contents import kept, rows

import e2i_assets as e2i
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.core.predictions import NewPredictions
from e2i_assets.services.project import Project

NAME = "customers"
SCHEMAS = ("e2i", "optuna", "mlflow", "dagster")


@pytest.fixture(params=RELEASES, ids=lambda path: path.name.removesuffix(".tar.gz"))
def earlier(
    request: pytest.FixtureRequest, root: Path, empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> Project:
    """A project as that version left it."""
    monkeypatch.setenv("E2I_DATABASE_URL", empty_database.url)
    return unpacked(request.param, root, empty_database)


def test_a_migration_keeps_each_row_and_the_tree_finds_all_of_it(earlier: Project, run_cli: Callable[..., Any]) -> None:
    before = {schema: without_starter(rows(earlier.database, schema)) for schema in SCHEMAS}
    assert run_cli("db", "migrate").exit_code == 0
    for schema, tables in before.items():
        after = without_starter(rows(earlier.database, schema))
        lost = {name for name, found in tables.items() if not kept(found, after[name])}
        assert lost <= {"schema_owners", "alembic_version"}, schema  # versions of libraries

    root = earlier.settings.root
    customers = e2i.open(root).experiment(NAME)
    assert set(customers.trials()["state"]) <= {"COMPLETE", "PRUNED"}
    assert len(customers.trials()) == 4
    assert "<html" in customers.report().read_text()
    expected = json.loads((root / "predictions.json").read_text())
    scored = customers.predict(pd.read_csv(root / "new_customers.csv"))
    assert scored["prediction"].tolist() == expected["labels"]
    assert scored[["probability_no", "probability_yes"]].to_numpy().tolist() == expected["scores"]
    (pattern,) = json.loads(run_cli("memory", "list", "--source", "study", "--json").stdout)
    assert (pattern["algorithm_name"], pattern["trials_kept"]) == ("LightGBM", 4)
    assert_in_mlflow(earlier)
    if (root / ".e2i" / "assets" / "predictions").exists():
        stored = earlier.read(NewPredictions, "predictions", NAME)
        assert pd.read_parquet(stored.place)["prediction"].tolist() == expected["labels"]


def without_starter(tables: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Leave out the starter memory, which a version replaces by its own; the uses of its patterns stay."""
    starter = {row["pattern_id"] for row in tables.get("ml_hpo_patterns", []) if row["source"] == "starter"}
    return {
        name: [row for row in found if row.get("procedure_id") not in starter]
        for name, found in tables.items()
        if name != "ml_hpo_starter_memories"
    }


def assert_in_mlflow(project: Project) -> None:
    """Check that the training's run and the files of its model are in MLflow."""
    (run,) = project.training_runs.links(NAME)
    assert run.mlflow_run_id is not None
    client = MlflowClient(tracking_uri=project.database.url_for("mlflow"))
    found = client.get_run(run.mlflow_run_id)
    assert found.info.status == "FINISHED"
    assert found.data.metrics
    assert client.list_artifacts(run.mlflow_run_id)


@pytest.mark.drill
@pytest.mark.processes
def test_a_run_after_the_upgrade_repeats_no_trial(earlier: Project, run_cli: Callable[..., Any]) -> None:
    assert run_cli("db", "migrate").exit_code == 0
    customers = e2i.open(earlier.settings.root).experiment(NAME)
    before = customers.trials()
    result = customers.run()
    assert result.status == "done", result
    pd.testing.assert_frame_equal(customers.trials(), before)
    assert run_cli("check", NAME).exit_code == 0
