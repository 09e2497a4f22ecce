"""The resources of the graph: tracing with one trace for a run, and dagster-mlflow for assets of the user."""

import dagster as dg
import mlflow
import pytest
from trace_receiver import values

from e2i_assets.adapters.mlflow.client import mlflow_client
from e2i_assets.adapters.tracing.span_attributes import SEARCH, TRAINING, TRIAL
from e2i_assets.core.errors import E2iError
from e2i_assets.defs.namespace import Namespace
from e2i_assets.defs.resource_definitions import resources
from e2i_assets.defs.tracing_resource import LOST_TRACES, TracingResource

# With one bin every trial fails; the defaults have more bins and can be fitted.
ONE_BIN = "max_bin: {type: categorical, choices: [1]}, max_depth: {"


def test_a_failed_search_is_an_error_in_the_trace(project, receiver, monkeypatch):
    """The span of the search has the error, and is a child of that of the training, which succeeds."""
    monkeypatch.setenv("E2I_TRACING_ENDPOINT", receiver.url)
    result = project.run(project.experiment.replace("max_depth: {", ONE_BIN).replace("{trials: 6}", "{trials: 20}"))
    assert result.success, project.failure(result)
    training, search = receiver.called(TRAINING), receiver.called(SEARCH)
    assert (search.status.code, training.status.code) == (2, 1)
    assert (search.trace_id, search.parent_span_id) == (training.trace_id, training.span_id)
    assert training.start_time_unix_nano <= search.start_time_unix_nano
    assert training.end_time_unix_nano >= search.end_time_unix_nano
    attributes = values(training.attributes)
    assert (attributes["experiment_id"], attributes["algorithm_name"]) == ("cells", "XGBoost")
    assert attributes["training_run_id"] == str(project.all("SELECT id FROM ml_training_runs")[0][0])
    assert values(search.attributes)["error.type"] == "XGBoostError"
    assert "10 of 10 trials failed, the last with XGBoostError" in search.status.message


def test_the_trace_of_a_run_that_fails_before_its_search_names_the_step(project, receiver, monkeypatch):
    """A failure of any step is in the span of the training."""
    monkeypatch.setenv("E2I_TRACING_ENDPOINT", receiver.url)
    project.write_rows(project.rows().drop(columns="target"))
    assert not project.run().success
    training = receiver.called(TRAINING)
    assert training.status.code == 2
    assert training.status.message.count("dataset") >= 1
    assert "target" in training.status.message
    assert values(training.attributes)["experiment_id"] == "cells"


def test_a_run_of_the_search_alone_has_a_root_span_and_trials_have_theirs_if_enabled(project, receiver, monkeypatch):
    monkeypatch.setenv("E2I_TRACING_ENDPOINT", receiver.url)
    monkeypatch.setenv("E2I_TRACING_TRIALS", "1")
    result = project.run(selection=["dataset", "validation_splits", "warm_start", "hpo_study"])
    assert result.success, project.failure(result)
    training, search = receiver.called(TRAINING), receiver.called(SEARCH)
    assert (search.trace_id, search.parent_span_id) == (training.trace_id, training.span_id)
    assert training.status.code == search.status.code == 1
    assert values(search.attributes)["n_trials_completed"] >= 1
    assert result.dagster_run.tags.get(LOST_TRACES) is None
    trials = [span for span in receiver.spans if span.name == TRIAL]
    assert len(trials) == 6
    assert {span.parent_span_id for span in trials} == {search.span_id}
    for span in trials:
        attributes = values(span.attributes)
        assert search.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano
        assert span.end_time_unix_nano <= search.end_time_unix_nano
        assert attributes["state"] in ("COMPLETE", "PRUNED")
        assert 2 <= attributes["hp_max_depth"] <= 3


@pytest.mark.parametrize(
    ("asked", "named"),
    [({"receiver": "zipkin"}, "receiver"), ({"trials": "some"}, "trials"), ({"headers": "x"}, "headers")],
)
def test_an_invalid_tracing_setting_is_an_error_that_names_it(asked, named):
    resource = TracingResource(**asked)
    with (
        pytest.raises(E2iError, match=rf"{named}.*E2I_TRACING_RECEIVER=none"),
        resource.yield_for_execution(dg.build_init_resource_context()),
    ):
        pass


def test_a_dagster_run_is_tagged_with_its_lost_spans(project, monkeypatch):
    monkeypatch.setenv("E2I_TRACING_ENDPOINT", "http://127.0.0.1:9")
    result = project.run(selection=["dataset", "validation_splits", "warm_start", "hpo_study"])
    assert result.success, project.failure(result)
    assert "2 of 2 spans" in project.instance.get_run_by_id(result.run_id).tags[LOST_TRACES]


@pytest.mark.filterwarnings("ignore::dagster.BetaWarning")  # dagster-mlflow calls its own resource beta
@pytest.mark.filterwarnings("ignore:InitResourceContext.run_id is deprecated")  # dagster-mlflow uses it
def test_dagster_mlflow_works_for_an_asset_of_the_user(project):
    @dg.asset(required_resource_keys={"mlflow"})
    def own(context: dg.AssetExecutionContext) -> None:
        context.resources.mlflow.log_metric("answer", 42.0)

    given = {"mlflow": resources(Namespace())["mlflow"]}
    result = dg.materialize([own], resources=given, instance=project.instance)
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
