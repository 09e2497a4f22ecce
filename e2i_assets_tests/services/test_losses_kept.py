"""An experiment with a loss in the database and in MLflow: what is served is what was reported."""

from pathlib import Path

import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest
from finished_project import made
from mlflow import MlflowClient
from sklearn.metrics import mean_poisson_deviance

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.settings import Settings
from e2i_assets.core.contracts.contract import HpoOutput
from e2i_assets.core.data.split_tables import SearchRows, TrainingRows
from e2i_assets.services import open_holdout, predict, remember
from e2i_assets.services.checks.catalogue import CHECKS
from e2i_assets.services.checks.check import evaluated
from e2i_assets.services.project import Project

COUNTS = """
name: plain
owner: team:tests
source: {csv: cells.csv}
target: visits
problem_type: regression
loss: poisson
algorithm: LightGBM
hpo: {trials: 2, workers: 1, objective: validation}
fixed: {n_estimators: 40}
success_criteria: {mean_poisson_deviance: 2, minimum_lift_over_baseline: 0.1}
"""


def visits(n: int = 700) -> pd.DataFrame:
    draws = np.random.default_rng(3)
    frame = pd.DataFrame({"dose": draws.uniform(-1, 1, n).round(4), "town": draws.choice(["north", "south"], n)})
    return frame.assign(visits=draws.poisson(np.exp(1 + frame["dose"] + 0.5 * (frame["town"] == "north"))))


def test_a_loss_is_searched_stored_served_and_remembered(database: Database, tmp_path: Path) -> None:
    project = Project(Settings(tmp_path, tmp_path / "state", database.url, pictures=False), database)
    made(project, COUNTS, visits())
    # The test rows of this small table are not enough for a narrow interval.
    own = [one for one in CHECKS if one.asset != "predictions" and one.name != "test_rows_are_enough"]
    found = {one.name: evaluated(one, project, "plain") for one in own}
    assert {name: verdict.why for name, verdict in found.items() if verdict.outcome == "failed"} == {}

    hpo: HpoOutput = project.read(HpoOutput, "best_hyperparameters", "plain")
    assert hpo.hpo_metric == "mean_poisson_deviance"
    (run,) = project.training_runs.links("plain")
    rows: TrainingRows = project.read(TrainingRows, "validation_splits", "plain")
    client = MlflowClient(tracking_uri=project.database.url_for("mlflow"))
    tracked = client.get_run(str(run.mlflow_run_id))
    served = mlflow.pyfunc.load_model(f"{tracked.info.artifact_uri}/model")
    deviance = mean_poisson_deviance(rows.test.target, served.predict(rows.test.features))
    assert tracked.data.metrics["test_mean_poisson_deviance"] == deviance
    assert tracked.data.tags["e2i.loss"] == "poisson"
    assert not [name for name in tracked.data.metrics if "gamma" in name or "tweedie" in name]
    holdout = open_holdout.open_holdout(project, "plain", "me", "a test")
    assert holdout.intervals["mean_poisson_deviance"].low < holdout.report.metrics["mean_poisson_deviance"]

    new, to = tmp_path / "new.csv", tmp_path / "predicted.csv"
    visits(20).drop(columns="visits").to_csv(new, index=False)
    predict.predict_file(project, "plain", "csv", new, to)
    assert pd.read_csv(to)["prediction"].to_numpy() == pytest.approx(served.predict(pd.read_csv(new)), rel=1e-12)

    decided = project.decided_experiment("plain")
    given: SearchRows = project.read(SearchRows, "validation_splits", "plain")
    features = remember.warm_start(project, decided, given).meta_features
    for of, patterns in ((decided, 1), (decided.model_copy(update={"loss": "squared_error"}), 0)):
        assert len(remember.patterns_like(project, of, features, None, 0.99, 5)) == patterns
