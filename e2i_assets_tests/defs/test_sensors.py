"""The sensors on a real PostgreSQL and Dagster instance: the run requests and reports of their ticks."""

import os
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import dagster as dg
import pytest
from dagster._core.storage.tags import RUN_KEY_TAG

from e2i_assets.core.data.split_tables import SearchRows
from e2i_assets.core.experiments.file import parse_experiment
from e2i_assets.definitions import defs
from e2i_assets.defs import sensors
from e2i_assets.defs.namespace import EXPERIMENTS
from e2i_assets.defs.resources import ProjectResource
from e2i_assets.defs.schedules import old_models
from e2i_assets.services.automation import drift
from e2i_assets.services.automation.retuning import with_retune_budget
from e2i_assets.services.checks.catalogue import CHECKS
from e2i_assets.services.checks.check import evaluated
from e2i_assets.services.run_lock import run_lock

PLAIN = """\
name: {name}
owner: team:tests
source: {{csv: {name}.csv}}
target: {{name: kind, column: target, bins: [0], labels: [malignant, benign]}}
problem_type: binary_classification
columns: {{group: patient}}
algorithm: LogisticRegression
hpo: {{enabled: false}}
"""

# What a test of requests needs of a run.
ROWS = ("dataset", "validation_splits")


class Folder:
    """The experiments of a project, and the ticks of its sensors."""

    def __init__(self, project) -> None:
        self.project = project
        self.files = project.root / "experiments"
        self.cursors: dict[str, str | None] = {}
        sensors._experiment_scanner.cache_clear()
        sensors._data_scanner.cache_clear()

    def write(self, name: str, text: str | None = None) -> Path:
        path = self.files / f"{name}.yaml"
        path.write_text(text or PLAIN.format(name=name))
        return path

    def write_rows(self, name: str, rows: int | None = None) -> Path:
        path = self.project.root / f"{name}.csv"
        self.project.rows().head(rows or 10_000).to_csv(path, index=False)
        return path

    def tick(self, name: str = "new_experiments") -> dg.SensorResult:
        """Evaluate a tick as the daemon does, without launching the requested runs."""
        sensor = defs().resolve_sensor_def(name)
        given = dg.build_sensor_context(
            instance=self.project.instance,
            cursor=self.cursors.get(name),
            definitions=defs(),
            resources={"e2i": ProjectResource(database_url=self.project.project.database.url)},
        )
        with given as context:
            found = sensor(context)
        assert isinstance(found, dg.SensorResult)
        self.cursors[name] = found.cursor
        for request in found.dynamic_partitions_requests or []:
            if isinstance(request, dg.AddDynamicPartitionsRequest):
                self.project.instance.add_dynamic_partitions(EXPERIMENTS, request.partition_keys)
            else:
                for name in request.partition_keys:
                    self.project.instance.delete_dynamic_partition(EXPERIMENTS, name)
        for event in found.asset_events:
            self.project.instance.report_runless_asset_event(event)
        return found

    def drift_reports(self) -> list[dg.AssetCheckEvaluation]:
        """Run the job that a tick requests to report drift, if any, and return its evaluations."""
        found: list[dg.AssetCheckEvaluation] = []
        for request in self.tick("drift_reports").run_requests or []:
            job = defs().resolve_job_def("report_drift")
            result = job.execute_in_process(instance=self.project.instance, run_config=request.run_config)
            found += result.get_asset_check_evaluations()
        return found

    def old_models(self) -> list[dg.RunRequest] | str:
        """Return the run requests of the weekly schedule, or its skip message."""
        found = old_models(self.project.instance, self.project.project)
        return str(found.skip_message) if isinstance(found, dg.SkipReason) else found

    def run(self, request: dg.RunRequest, *assets: str) -> dg.ExecuteInProcessResult:
        """Run what was requested, or the first assets of it."""
        job = defs().resolve_job_def("tune_and_train")
        tags = {**request.tags, RUN_KEY_TAG: str(request.run_key)}
        return job.execute_in_process(
            instance=self.project.instance,
            partition_key=request.partition_key,
            raise_on_error=False,
            tags=tags,
            asset_selection=[dg.AssetKey(one) for one in assets] or None,
        )


@pytest.fixture
def folder(project) -> Folder:
    return Folder(project)


def keys(result: dg.SensorResult) -> list[str]:
    return [str(one.run_key) for one in result.run_requests or []]


def test_a_new_file_requests_a_partition_and_one_run_and_a_touched_file_nothing(folder: Folder) -> None:
    path = folder.write("cells")
    folder.write_rows("cells")
    first = folder.tick()
    (request,) = first.run_requests
    assert request.partition_key == "cells"
    assert request.tags["e2i/cause"] == "new_experiment"
    assert folder.project.instance.get_dynamic_partitions(EXPERIMENTS) == ["cells"]
    # The request keeps its run key until Dagster has a run of it, in case the daemon dies before the launch.
    assert keys(folder.tick()) == keys(first)
    assert folder.run(request, *ROWS).success
    assert not folder.tick().run_requests
    os.utime(path)
    path.write_text(path.read_text() + "# a remark\n")
    after = folder.tick()
    assert not after.run_requests
    assert "none of 1 experiments has changed" in str(after.skip_reason)


def test_each_change_of_a_file_requests_one_run_even_back_to_earlier_contents(folder: Folder) -> None:
    folder.write_rows("cells")
    seen = []
    for seed in (42, 43, 42):
        folder.write("cells", PLAIN.format(name="cells") + f"split: {{seed: {seed}}}\n")
        (request,) = folder.tick().run_requests
        seen.append(request.run_key)
        assert folder.run(request, *ROWS).success
        assert not folder.tick().run_requests
    assert len(set(seen)) == 3


def test_an_invalid_file_fails_the_check_and_blocks_no_other_experiment(folder: Folder) -> None:
    folder.write("good")
    folder.write("bad", PLAIN.format(name="bad").replace("LogisticRegression", "LogisticRegresion"))
    result = folder.tick()
    assert [one.partition_key for one in result.run_requests] == ["good"]
    (event,) = result.asset_events
    assert not event.passed
    assert "bad.yaml" in event.description
    assert "did you mean 'LogisticRegression'" in event.description
    assert folder.tick().asset_events == []
    folder.write("bad")
    fixed = folder.tick()
    assert {one.partition_key for one in fixed.run_requests} == {"bad", "good"}
    assert [one.passed for one in fixed.asset_events] == [True]


def test_a_registered_file_that_becomes_invalid_requests_no_run_and_stays_registered(folder: Folder) -> None:
    folder.write("cells")
    folder.write_rows("cells")
    assert folder.run(folder.tick().run_requests[0], *ROWS).success
    folder.write("cells", "name: [")
    result = folder.tick()
    assert not result.run_requests
    assert "cells.yaml" in str(result.skip_reason)
    row = folder.project.project.experiments.get("cells")
    assert row.is_active
    assert row.spec["algorithm"] == "LogisticRegression"


def test_a_removed_file_retires_its_experiment_and_keeps_its_records(folder: Folder) -> None:
    path = folder.write("cells")
    folder.write_rows("cells")
    assert folder.run(folder.tick().run_requests[0]).success
    path.unlink()
    project, instance = folder.project.project, folder.project.instance
    with project.database.advisory_lock(run_lock("cells")):
        folder.tick()
        assert project.experiments.get("cells").is_active  # a run of it is in progress

    found = folder.tick()
    assert "retired: cells" in str(found.skip_reason)
    assert {str(event.asset_key.path[-1]) for event in found.asset_events} == {"champion_model", "experiment_files"}
    assert not project.experiments.get("cells").is_active
    assert instance.get_dynamic_partitions(EXPERIMENTS) == []
    assert in_use(folder) == (False, None)
    # The history stays, in our tables and in Dagster.
    assert folder.project.all("SELECT status FROM e2i.ml_training_runs") == [("finished",)]
    events = instance.fetch_materializations(dg.AssetKey("trained_model"), limit=5).records
    assert [one.partition_key for one in events] == ["cells"]
    again = folder.tick()
    assert (again.dynamic_partitions_requests, again.asset_events) == ([], [])

    folder.write("cells")
    assert not folder.tick().run_requests
    assert project.experiments.get("cells").is_active
    assert instance.get_dynamic_partitions(EXPERIMENTS) == ["cells"]
    assert in_use(folder) == (True, "1")
    results = [evaluated(one, project, "cells") for one in CHECKS if one.asset == "champion_model"]
    assert [one.why for one in results if not one.passed] == []


def in_use(folder: Folder) -> tuple[bool, str | None]:
    """Return whether our table has a champion, and the version of MLflow's alias."""
    ((champion,),) = folder.project.all("SELECT bool_or(is_champion) FROM ml_model_registry")
    return champion, folder.project.project.tracker().champion("e2i_cells")


def test_a_request_of_a_retired_experiment_waits_for_its_return(folder: Folder) -> None:
    path = folder.write("cells")
    rows = folder.write_rows("cells", 400)
    assert folder.run(folder.tick().run_requests[0], *ROWS).success
    folder.write_rows("cells")
    (request,) = folder.tick("changed_data").run_requests
    path.unlink()
    folder.tick()
    assert not folder.tick("changed_data").run_requests
    folder.write("cells")
    folder.tick()
    assert keys(folder.tick("changed_data")) == [request.run_key]
    assert rows.is_file()


def test_a_run_of_a_retired_experiment_fails_with_the_reason(folder: Folder) -> None:
    path = folder.write("cells")
    folder.write_rows("cells")
    request = folder.tick().run_requests[0]
    path.unlink()
    folder.tick()
    # Dagster refuses a run of a partition that it does not have. This one was queued before.
    folder.project.instance.add_dynamic_partitions(EXPERIMENTS, ["cells"])
    result = folder.run(request)
    assert not result.success
    assert "is retired since" in folder.project.failure(result)


def test_an_experiment_registered_without_a_file_is_run_and_not_retired(folder: Folder) -> None:
    spec = parse_experiment(PLAIN.format(name="rowed"), "test").model_dump(mode="json")
    folder.project.project.experiments.register("rowed", spec)
    (request,) = folder.tick().run_requests
    assert request.partition_key == "rowed"
    folder.tick()
    assert folder.project.project.experiments.get("rowed").is_active


def test_an_experiment_that_a_user_has_trained_is_not_requested(folder: Folder) -> None:
    folder.write("cells")
    folder.write_rows("cells")
    assert folder.project.run(PLAIN.format(name="cells")).success
    result = folder.tick()
    assert not result.run_requests
    assert folder.project.project.run_requests.last("new_experiment")["cells"].status == "not_needed"


def test_an_experiment_that_the_command_runs_is_not_requested(folder: Folder) -> None:
    folder.write("cells")
    folder.write_rows("cells")
    project = folder.project.project
    with project.database.advisory_lock(run_lock("cells")):
        assert not folder.tick().run_requests
        assert folder.project.run(PLAIN.format(name="cells")).success
    assert not folder.tick().run_requests
    assert project.run_requests.last("new_experiment")["cells"].status == "not_needed"


def test_changed_rows_request_one_run_and_a_touched_file_none(folder: Folder) -> None:
    folder.write("cells")
    path = folder.write_rows("cells", 400)
    assert folder.run(folder.tick().run_requests[0], *ROWS).success
    os.utime(path)
    assert "its rows have not changed since they were last read: cells" in str(folder.tick("changed_data").skip_reason)
    folder.write_rows("cells")
    first = folder.tick("changed_data")
    (request,) = first.run_requests
    assert request.tags["e2i/cause"] == "changed_data"
    assert keys(folder.tick("changed_data")) == keys(first)
    result = folder.run(request, *ROWS)
    assert result.success
    assert result.output_for_node("dataset") is not None
    assert not folder.tick("changed_data").run_requests
    assert not folder.tick().run_requests


def test_unusable_rows_request_one_run(folder: Folder) -> None:
    folder.write("cells")
    path = folder.write_rows("cells")
    assert folder.run(folder.tick().run_requests[0], *ROWS).success
    path.write_text("a,b\n1,2\n")
    (request,) = folder.tick("changed_data").run_requests
    assert not folder.run(request, *ROWS).success
    assert not folder.tick("changed_data").run_requests
    path.unlink()
    assert "not evaluated at cells" in str(folder.tick("changed_data").skip_reason)


SEARCHED = (
    PLAIN.replace("hpo: {{enabled: false}}", "hpo: {{trials: 6}}").replace("LogisticRegression", "XGBoost")
    + "search_space: {{n_estimators: {{low: 20, high: 60, step: 20}}, max_depth: {{low: 2, high: 3}}}}\n"
)


def trials(folder: Folder) -> list[tuple[int]]:
    return folder.project.all("SELECT n_completed + n_pruned + n_failed FROM ml_hpo_studies")


def test_drifted_rows_warn_and_request_a_short_retuning_with_a_cool_down(folder: Folder) -> None:
    path = folder.project.root / "newer.csv"
    folder.write("cells", SEARCHED.format(name="cells") + "watch: {recent: {csv: newer.csv}}\n")
    folder.write_rows("cells")
    rows = folder.project.rows()
    rows.to_csv(path, index=False)
    request = folder.tick().run_requests[0]
    assert "no model yet" in str(folder.tick("drifted_data").skip_reason)
    assert folder.run(request).success
    quiet = folder.tick("drifted_data")
    assert not quiet.run_requests
    assert "do not differ from the train rows in any of 30 features, and roc_auc is" in str(quiet.skip_reason)
    assert [one.passed for one in folder.drift_reports()] == [True]
    assert "no newer rows since the last scan" in str(folder.tick("drifted_data").skip_reason)
    assert folder.drift_reports() == []

    # Two features shift, and these rows have no labels yet.
    shifted = rows.drop(columns="target")
    shifted[["mean radius", "mean texture"]] *= 1.6
    shifted.to_csv(path, index=False)
    drifted = folder.tick("drifted_data")
    (event,) = folder.drift_reports()
    assert (event.passed, event.partition) == (False, "cells")
    assert event.severity == dg.AssetCheckSeverity.WARN
    assert "mean radius (PSI" in event.description
    assert "mean texture (PSI" in event.description
    (request,) = drifted.run_requests
    assert request.tags["e2i/cause"] == "drifted_data"
    result = folder.run(request)
    assert result.success, folder.project.failure(result)
    warned = [one.check_name for one in result.get_asset_check_evaluations() if not one.passed]
    assert "newer_rows_have_not_drifted" in warned
    assert trials(folder) == [(11,)]

    # The rows still drift, and the last retuning was just now.
    shifted.head(300).to_csv(path, index=False)
    again = folder.tick("drifted_data")
    assert [one.passed for one in folder.drift_reports()] == [False]
    assert not again.run_requests
    # The drift is remembered: after the cool-down, and with no run in progress, one run is requested.
    project = folder.project.project
    with project.database.begin() as connection:
        connection.exec_driver_sql("UPDATE ml_run_requests SET requested_at = requested_at - interval '60 days'")
    fingerprints = sensors._data_scanner(project).fingerprints
    assert not drift.scan(project, fingerprints, under_way={"cells"}).requests
    later = folder.tick("drifted_data")
    assert (len(later.run_requests), folder.drift_reports()) == (1, [])
    project.run_requests.launched({str(later.run_requests[0].run_key): str(uuid4())})
    with project.database.begin() as connection:
        connection.exec_driver_sql("UPDATE ml_run_requests SET requested_at = requested_at - interval '60 days'")
    assert not folder.tick("drifted_data").run_requests


def test_slow_scans_take_turns_over_all_experiments_with_recent_rows(folder: Folder) -> None:
    for name in ("cells", "more", "others"):
        folder.write(name, PLAIN.format(name=name) + "watch: {recent: {csv: newer.csv}}\n")
    folder.tick()
    project = folder.project.project
    fingerprints = sensors._data_scanner(project).fingerprints
    scanned, after = [], ""
    for _ in range(4):
        found = drift.scan(project, fingerprints, (), after, seconds=0)
        scanned.append(found.why.partition(":")[0])
        after = found.last
    assert scanned == ["cells", "more", "others", "cells"]


def test_rows_requested_before_and_never_read_are_requested_again(folder: Folder) -> None:
    folder.write("cells")
    folder.write_rows("cells")
    assert folder.run(folder.tick().run_requests[0], *ROWS).success
    folder.write_rows("cells", 300)
    (request,) = folder.tick("changed_data").run_requests
    folder.write_rows("cells")
    assert folder.run(request, *ROWS).success  # it reads the rows of the first run again
    folder.write_rows("cells", 300)
    assert len(folder.tick("changed_data").run_requests) == 1


def test_a_metric_that_decays_on_recent_rows_requests_a_retuning(folder: Folder) -> None:
    folder.write("cells", SEARCHED.format(name="cells") + "watch: {recent: {csv: newer.csv}}\n")
    folder.write_rows("cells")
    rows = folder.project.rows()
    rows.assign(target=1 - rows["target"]).to_csv(folder.project.root / "newer.csv", index=False)
    assert folder.run(folder.tick().run_requests[0]).success
    drifted = folder.tick("drifted_data")
    assert "roc_auc was" in str(folder.drift_reports()[0].description)
    assert [one.tags["e2i/cause"] for one in drifted.run_requests] == ["drifted_data"]


def test_an_old_model_requests_one_short_retuning(folder: Folder) -> None:
    folder.write("cells", SEARCHED.format(name="cells"))
    folder.write_rows("cells")
    assert folder.run(folder.tick().run_requests[0]).success
    assert folder.old_models() == "cells: its model is not old enough"
    with folder.project.project.database.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE ml_training_runs SET started_at = started_at - interval '31 days', "
            "completed_at = completed_at - interval '31 days'"
        )
    (request,) = folder.old_models()
    assert request.tags["e2i/cause"] == "age"
    began = datetime.now(UTC)
    result = folder.run(request)
    assert result.success
    assert trials(folder) == [(11,)]
    assert folder.old_models() == "cells: its model is not old enough"
    # A retry of the interrupted run has the same budget: what run has spent already is no reason for more.
    project = folder.project.project
    rows: SearchRows = project.read(SearchRows, "validation_splits", "cells")
    again = with_retune_budget(project, project.experiment("cells"), rows.facts, "age", began)
    assert again.hpo.trials == 11
    assert with_retune_budget(project, again, rows.facts, "age", datetime.now(UTC)).hpo.trials == 16


def test_schedules_that_train_are_stopped_and_the_one_that_checks_runs() -> None:
    states = {one.name: one.default_status.value for one in defs().get_repository_def().schedule_defs}
    assert states == {
        "nightly_checks": "RUNNING",
        "retune_old_models": "STOPPED",
        "monthly_memory_pruning": "STOPPED",
    }
    zones = {one.execution_timezone for one in defs().get_repository_def().schedule_defs}
    assert zones == {"UTC"}


def test_pruning_removes_old_unused_patterns(folder: Folder) -> None:
    assert folder.project.run().success
    with folder.project.project.database.begin() as connection:
        connection.exec_driver_sql("UPDATE ml_hpo_patterns SET created_at = created_at - interval '91 days'")
    result = defs().resolve_job_def("prune_memory").execute_in_process(instance=folder.project.instance)
    assert result.success
    own = "SELECT count(*) FROM ml_hpo_patterns WHERE source <> 'starter'"
    assert folder.project.all(own) == [(0,)]
    assert folder.project.all("SELECT count(*) FROM ml_hpo_forgotten_patterns") == [(1,)]
