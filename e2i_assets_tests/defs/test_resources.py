"""What the graph reaches the world through: traces that hang together, and dagster-mlflow for assets of one's own."""

import dagster as dg
import mlflow
import pytest
from trace_receiver import values

from e2i_assets.adapters.tracing.span_attributes import SEARCH, TRAINING
from e2i_assets.adapters.tracking.mlflow_client import mlflow_client
from e2i_assets.defs.resources import resources


def test_a_run_is_one_trace_with_the_search_below_the_training(project, receiver, monkeypatch):
    """T31: both spans arrive, with what was tuned and what came of it."""
    monkeypatch.setenv("E2I_TRACING_ENDPOINT", receiver.url)
    result = project.run()
    assert result.success, project.failure(result)
    training, search = receiver.called(TRAINING), receiver.called(SEARCH)
    assert search.trace_id == training.trace_id
    assert search.parent_span_id == training.span_id
    assert training.start_time_unix_nano <= search.start_time_unix_nano
    said = values(training.attributes)
    assert said["experiment_id"] == "cells"
    assert said["training_run_id"] == str(project.all("SELECT id FROM ml_training_runs")[0][0])
    assert values(search.attributes)["n_trials_completed"] >= 1


def test_a_dead_receiver_costs_no_run(project, monkeypatch):
    monkeypatch.setenv("E2I_TRACING_ENDPOINT", "http://127.0.0.1:9")
    result = project.run()
    assert result.success, project.failure(result)


def test_a_search_that_fails_is_an_error_in_the_trace(project, receiver, monkeypatch):
    """T31: nothing is silent about a failure."""
    monkeypatch.setenv("E2I_TRACING_ENDPOINT", receiver.url)
    bad = project.experiment.replace("algorithm: XGBoost", "algorithm: XGBoost\nfixed: {max_bin: 1}")
    assert not project.run(bad.replace("{trials: 6}", "{trials: 20}")).success
    assert receiver.called(SEARCH).status.code == 2


@pytest.mark.filterwarnings("ignore::dagster.BetaWarning")  # dagster-mlflow calls its own resource beta
@pytest.mark.filterwarnings("ignore:InitResourceContext.run_id is deprecated")  # dagster-mlflow uses it
def test_dagster_mlflow_serves_an_asset_of_ones_own_and_its_run_is_found_beside_ours(project):
    @dg.asset(required_resource_keys={"mlflow"})
    def own(context: dg.AssetExecutionContext) -> None:
        context.resources.mlflow.log_metric("answer", 42.0)

    given = resources()
    assert given.resources is not None
    result = dg.materialize([own], resources={"mlflow": given.resources["mlflow"]}, instance=project.instance)
    assert result.success
    client = mlflow_client(project.workspace.database.url_for("mlflow"))
    experiments = [one.experiment_id for one in client.search_experiments()]
    (run,) = client.search_runs(experiments, f"tags.dagster_run_id = '{result.run_id}'")
    assert run.data.metrics == {"answer": 42.0}
    assert run.info.status == "FINISHED"
    assert mlflow.active_run() is None

    ours = project.run()
    assert ours.success, project.failure(ours)
    (found,) = client.search_runs(
        [one.experiment_id for one in client.search_experiments()], f"tags.dagster_run_id = '{ours.run_id}'"
    )
    assert found.info.run_id == project.all("SELECT mlflow_run_id FROM ml_training_runs")[0][0]
    assert found.info.status == "FINISHED"
