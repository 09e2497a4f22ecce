"""Between the requests on record and Dagster: what it is asked for, and what it has taken."""

from collections.abc import Sequence

import dagster as dg

from e2i_assets.adapters.repositories.run_requests import RunRequest
from e2i_assets.services.project import Project

# Tags that Dagster documents and gives no public name.
RUN_KEY_TAG = "dagster/run_key"
PARTITION_TAG = "dagster/partition"
CAUSE_TAG = "e2i/cause"
# Dagster makes the runs of a tick one after the other, half a second each, since each asset and check is an event:
# so many, which is what four runs at a time use up, and the next look goes on with the rest.
PER_TICK = 3
_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def sync_launched_runs(instance: dg.DagsterInstance, project: Project) -> None:
    """Put on record which of the requests Dagster has a run of."""
    store = project.run_requests
    keys = store.waiting_keys()
    if keys:
        runs = instance.get_runs(dg.RunsFilter(tags={RUN_KEY_TAG: keys}))
        store.launched({run.tags[RUN_KEY_TAG]: run.run_id for run in runs})


def run_requests(requests: Sequence[RunRequest]) -> list[dg.RunRequest]:
    """Return what to ask Dagster for now: a request that it has taken already is one that it takes no second time."""
    return [run_request(one) for one in requests[:PER_TICK]]


def run_request(one: RunRequest) -> dg.RunRequest:
    """Return a request as Dagster takes it."""
    return dg.RunRequest(run_key=one.run_key, partition_key=one.experiment, tags={CAUSE_TAG: one.cause})


def under_way(instance: dg.DagsterInstance) -> set[str]:
    """Return the experiments of which a run waits or goes on."""
    runs = instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED))
    return {run.tags[PARTITION_TAG] for run in runs if PARTITION_TAG in run.tags}
