"""What the graph reaches the world through: traces that hang together, and dagster-mlflow for assets of one's own."""

import dagster as dg
import mlflow
import pytest
from trace_receiver import values

from e2i_assets.adapters.mlflow.client import mlflow_client
from e2i_assets.adapters.tracing.span_attributes import SEARCH, TRAINING, TRIAL
from e2i_assets.core.errors import E2iError
from e2i_assets.defs.resource_definitions import resources
from e2i_assets.defs.tracing_resource import LOST_TRACES, TracingResource

# One bin: no trial can be fitted, and the defaults, which do not have it, can.
ONE_BIN = "max_bin: {type: categorical, choices: [1]}, max_depth: {"


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


def test_a_search_that_fails_is_an_error_in_the_trace(project, receiver, monkeypatch):
    """T31: nothing is silent about a failure."""
    monkeypatch.setenv("E2I_TRACING_ENDPOINT", receiver.url)
    result = project.run(project.experiment.replace("max_depth: {", ONE_BIN).replace("{trials: 6}", "{trials: 20}"))
    assert result.success, project.failure(result)
    training, search = receiver.called(TRAINING), receiver.called(SEARCH)
    assert (search.status.code, training.status.code) == (2, 1)
    assert (search.trace_id, search.parent_span_id) == (training.trace_id, training.span_id)
    assert training.start_time_unix_nano <= search.start_time_unix_nano
    assert training.end_time_unix_nano >= search.end_time_unix_nano
    said = values(training.attributes)
    assert (said["experiment_id"], said["algorithm_name"]) == ("cells", "XGBoost")
    assert values(search.attributes)["error.type"] == "XGBoostError"
    assert "10 of 10 trials failed, the last with XGBoostError" in search.status.message


def test_a_run_that_fails_before_its_search_leaves_a_trace_that_says_where(project, receiver, monkeypatch):
    """T31: whatever step fails."""
    monkeypatch.setenv("E2I_TRACING_ENDPOINT", receiver.url)
    project.write_rows(project.rows().drop(columns="target"))
    assert not project.run().success
    training = receiver.called(TRAINING)
    assert training.status.code == 2
    assert training.status.message.count("dataset") >= 1
    assert "target" in training.status.message
    assert values(training.attributes)["experiment_id"] == "cells"


def test_a_run_of_the_search_alone_has_its_root_too(project, receiver, monkeypatch):
    assert project.run(selection=["dataset", "validation_splits", "warm_start"]).success
    monkeypatch.setenv("E2I_TRACING_ENDPOINT", receiver.url)
    result = project.run(selection=["hpo_study"])
    assert result.success, project.failure(result)
    training, search = receiver.called(TRAINING), receiver.called(SEARCH)
    assert search.parent_span_id == training.span_id
    assert training.status.code == search.status.code == 1
    assert result.dagster_run.tags.get(LOST_TRACES) is None


def test_trials_have_spans_when_asked_for_failed_ones_with_their_reason(project, receiver, monkeypatch):
    monkeypatch.setenv("E2I_TRACING_ENDPOINT", receiver.url)
    monkeypatch.setenv("E2I_TRACING_TRIALS", "1")
    result = project.run(selection=["dataset", "validation_splits", "warm_start", "hpo_study"])
    assert result.success, project.failure(result)
    search = receiver.called(SEARCH)
    trials = [span for span in receiver.spans if span.name == TRIAL]
    assert len(trials) == 6
    assert {span.parent_span_id for span in trials} == {search.span_id}
    for span in trials:
        said = values(span.attributes)
        assert search.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano
        assert span.end_time_unix_nano <= search.end_time_unix_nano
        assert said["state"] in ("COMPLETE", "PRUNED")
        assert 2 <= said["hp_max_depth"] <= 3


@pytest.mark.parametrize(
    ("asked", "named"),
    [({"receiver": "zipkin"}, "receiver"), ({"trials": "some"}, "trials"), ({"headers": "x"}, "headers")],
)
def test_a_mistake_in_the_environment_is_named_with_what_to_do(asked, named):
    resource = TracingResource(**asked)
    with (
        pytest.raises(E2iError, match=rf"{named}.*E2I_TRACING_RECEIVER=none"),
        resource.yield_for_execution(dg.build_init_resource_context()),
    ):
        pass


def test_a_dagster_run_says_which_spans_were_lost(project, monkeypatch):
    monkeypatch.setenv("E2I_TRACING_ENDPOINT", "http://127.0.0.1:9")
    result = project.run(selection=["dataset", "validation_splits", "warm_start", "hpo_study"])
    assert result.success, project.failure(result)
    assert "2 of 2 spans" in project.instance.get_run_by_id(result.run_id).tags[LOST_TRACES]


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
    client = mlflow_client(project.project.database.url_for("mlflow"))
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
