"""Run requests: which recorded requests Dagster has launched, and which to submit next."""

from collections.abc import Iterable, Sequence

import dagster as dg

from e2i_assets.adapters.repositories.run_requests import RunRequest
from e2i_assets.services.project import Project
from e2i_assets.services.run_lock import run_by_command

# Tags that Dagster documents without a public constant.
RUN_KEY_TAG = "dagster/run_key"
PARTITION_TAG = "dagster/partition"
# Each run of the whole graph has one of these tags: of a sensor or a schedule, or of `e2i run`.
CAUSE_TAG, LAUNCHER_TAG = "e2i/cause", "e2i/launcher"
# Dagster creates the runs of a tick sequentially, half a second each, because each asset and check adds an event.
# This limit covers what four concurrent runs consume between two scans; the next scan submits the rest.
PER_TICK = 3
_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def sync_launched_runs(instance: dg.DagsterInstance, project: Project) -> None:
    """Record which requests Dagster has launched a run for."""
    store = project.run_requests
    store.launched(launched(instance, store.waiting_keys()))


def launched(instance: dg.DagsterInstance, keys: Iterable[str]) -> dict[str, str]:
    """Return the run id of each of some run keys that Dagster has a run for."""
    runs = instance.get_runs(dg.RunsFilter(tags={RUN_KEY_TAG: found})) if (found := list(keys)) else []
    return {run.tags[RUN_KEY_TAG]: run.run_id for run in runs}


def run_requests(requests: Sequence[RunRequest]) -> list[dg.RunRequest]:
    """Return the run requests to submit now. Dagster ignores a request whose run key it has seen."""
    return [run_request(one) for one in requests[:PER_TICK]]


def run_request(one: RunRequest) -> dg.RunRequest:
    """Return a recorded request as Dagster's RunRequest."""
    return dg.RunRequest(run_key=one.run_key, partition_key=one.experiment, tags={CAUSE_TAG: one.cause})


def under_way(instance: dg.DagsterInstance, project: Project) -> set[str]:
    """Return the experiments that have a queued or running run, or that `e2i run` is about to run."""
    runs = instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED))
    launched = {run.tags[PARTITION_TAG] for run in runs if PARTITION_TAG in run.tags}
    return launched | run_by_command(project, [row.experiment_name for row in project.experiments.list()])
