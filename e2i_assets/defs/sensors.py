"""The sensors for new or changed experiments, changed or drifted rows, and MLflow runs of failed Dagster runs."""

from datetime import UTC, datetime
from functools import cache

import dagster as dg

from e2i_assets.adapters.settings import Settings
from e2i_assets.adapters.sources.fingerprints import Fingerprints
from e2i_assets.defs.check_jobs import DRIFT_OP, REPORT_DRIFT
from e2i_assets.defs.experiment_file_checks import files_evaluation
from e2i_assets.defs.failures import run_failures
from e2i_assets.defs.jobs import PREDICT, TUNE_AND_TRAIN
from e2i_assets.defs.launched_runs import CAUSE_TAG, PER_TICK, launched, run_requests, sync_launched_runs, under_way
from e2i_assets.defs.namespace import Namespace
from e2i_assets.defs.overview import OVERVIEW
from e2i_assets.defs.resources import ProjectResource
from e2i_assets.defs.retired_experiments import retirement_events
from e2i_assets.services import track_runs
from e2i_assets.services.automation import drift
from e2i_assets.services.automation import new_rows as scoring
from e2i_assets.services.automation.changed_data import DataScanner
from e2i_assets.services.automation.new_experiments import ExperimentScanner
from e2i_assets.services.project import Project


def sensors(namespace: Namespace, settings: Settings) -> list[dg.SensorDefinition]:
    """Return the sensors. Those that train are running unless the settings turn automation off."""
    on = dg.DefaultSensorStatus.RUNNING if settings.automation else dg.DefaultSensorStatus.STOPPED
    often, seldom = settings.scan_seconds, 10 * settings.scan_seconds
    return [
        dg.AutomationConditionSensorDefinition(
            "follow_ups",
            target=dg.AssetSelection.assets(*map(namespace.key, ("champion_model", "hpo_pattern_memory", OVERVIEW))),
            minimum_interval_seconds=often,
            default_status=on,
        ),
        *(
            dg.sensor(job_name=TUNE_AND_TRAIN, minimum_interval_seconds=seconds, default_status=on)(scan)
            for scan, seconds in ((new_experiments, often), (changed_data, often), (drifted_data, seldom))
        ),
        dg.sensor(job_name=REPORT_DRIFT, minimum_interval_seconds=often, default_status=on)(drift_reports),
        dg.sensor(job_name=PREDICT, minimum_interval_seconds=often, default_status=on)(new_rows),
        mlflow_runs_of_failed_runs,
        mlflow_runs_of_canceled_runs,
        run_failures,
    ]


def new_experiments(context: dg.SensorEvaluationContext, e2i: ProjectResource) -> dg.SensorResult:
    """Add a partition and start one run for each new or changed experiment; withdraw the partitions of removed ones."""
    project = e2i.open()
    sync_launched_runs(context.instance, project)
    scan = _experiment_scanner().scan(project, under_way=lambda: under_way(context.instance, project))
    partitions = set(context.instance.get_dynamic_partitions(e2i.namespace.partition_set))
    missing, withdrawn = sorted(set(scan.active) - partitions), sorted(partitions & set(scan.retired))
    requests: list[dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest] = [
        *([e2i.namespace.partitions.build_add_request(missing)] if missing else []),
        *([e2i.namespace.partitions.build_delete_request(withdrawn)] if withdrawn else []),
    ]
    reported = files_evaluation(e2i.namespace, scan.invalid)
    return dg.SensorResult(
        run_requests=run_requests(scan.requests),
        skip_reason=None if scan.requests else scan.why,
        dynamic_partitions_requests=requests,
        # Reported once, not at each tick.
        asset_events=[
            *([] if context.cursor == reported.description else [reported]),
            *retirement_events(e2i.namespace, scan.now_retired),
        ],
        cursor=reported.description,
    )


def changed_data(context: dg.SensorEvaluationContext, e2i: ProjectResource) -> dg.SensorResult:
    """Start a run from `dataset` on when the content of an experiment's rows has changed."""
    project = e2i.open()
    sync_launched_runs(context.instance, project)
    scan = _data_scanner(project).scan(project, under_way(context.instance, project), context.cursor or "")
    return dg.SensorResult(
        run_requests=run_requests(scan.requests),
        skip_reason=None if scan.requests else scan.why,
        cursor=scan.last,
    )


def drifted_data(context: dg.SensorEvaluationContext, e2i: ProjectResource) -> dg.SensorResult:
    """Compare newer rows (watch.recent) with the train rows: drift is a warning and, after a cool-down, a re-tune."""
    project = e2i.open()
    sync_launched_runs(context.instance, project)
    fingerprints = _data_scanner(project).fingerprints
    found = drift.scan(project, fingerprints, under_way(context.instance, project), context.cursor or "")
    return dg.SensorResult(
        run_requests=run_requests(found.requests),
        skip_reason=None if found.requests else found.why,
        cursor=found.last,
    )


def drift_reports(context: dg.SensorEvaluationContext, e2i: ProjectResource) -> dg.SensorResult:
    """Start one run that reports the new results of `drifted_data` as a check."""
    project = e2i.open()
    reports = project.drift_reports.last()
    since = datetime.fromisoformat(context.cursor) if context.cursor else datetime.min.replace(tzinfo=UTC)
    rows = [row for row in project.experiments.list() if row.id in reports and reports[row.id].looked_at > since]
    if not rows:
        return dg.SensorResult(skip_reason="there is no new result of newer rows", cursor=context.cursor)
    last = max(reports[row.id].looked_at for row in rows).isoformat()
    config = {"ops": {e2i.namespace.op(DRIFT_OP): {"config": {"experiments": [row.experiment_name for row in rows]}}}}
    return dg.SensorResult(run_requests=[dg.RunRequest(run_key=f"drift:{last}", run_config=config)], cursor=last)


def new_rows(context: dg.SensorEvaluationContext, e2i: ProjectResource) -> dg.SensorResult:
    """Start a run of `predictions` when the content of an experiment's new rows (predict), or its champion, changes."""
    project = e2i.open()
    fingerprints = _data_scanner(project).fingerprints
    found = scoring.scan(project, fingerprints, under_way(context.instance, project), context.cursor or "")
    known = launched(context.instance, found.due.values())
    waiting = {name: key for name, key in found.due.items() if key not in known}
    requests = [
        dg.RunRequest(run_key=key, partition_key=name, tags={CAUSE_TAG: "new_rows"})
        for name, key in list(waiting.items())[:PER_TICK]
    ]
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=None if requests else found.why,
        cursor=found.last if len(waiting) <= PER_TICK else context.cursor,
    )


@cache
def _experiment_scanner() -> ExperimentScanner:
    """Return the one instance of this process, which caches the files it has read."""
    return ExperimentScanner()


@cache
def _data_scanner(project: Project) -> DataScanner:
    return DataScanner(Fingerprints(project.settings.root, project.settings.environment))


def _close(context: dg.RunStatusSensorContext, e2i: ProjectResource) -> None:
    run_id = context.dagster_run.run_id
    for closed in track_runs.close_stale(e2i.open(), {run_id}.__contains__):
        context.log.info(f"MLflow run {closed} was RUNNING after its Dagster run {run_id} had ended: set to FAILED")


@dg.run_status_sensor(run_status=dg.DagsterRunStatus.FAILURE, default_status=dg.DefaultSensorStatus.RUNNING)
def mlflow_runs_of_failed_runs(context: dg.RunStatusSensorContext, e2i: ProjectResource) -> None:
    """Close the MLflow runs that a failed Dagster run left open. A retry reopens them."""
    _close(context, e2i)


@dg.run_status_sensor(run_status=dg.DagsterRunStatus.CANCELED, default_status=dg.DefaultSensorStatus.RUNNING)
def mlflow_runs_of_canceled_runs(context: dg.RunStatusSensorContext, e2i: ProjectResource) -> None:
    """Close the MLflow runs that a canceled Dagster run left open."""
    _close(context, e2i)
