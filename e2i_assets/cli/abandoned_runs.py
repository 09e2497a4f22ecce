"""Abandoned Dagster runs, whose process died: they are marked as failed and their pool slots are freed.

Dagster's daemon does the same about a minute later, but `e2i run` works without a daemon.
"""

from typing import TYPE_CHECKING

from e2i_assets.services.project import Project

if TYPE_CHECKING:
    import dagster as dg

LAUNCHER = {"e2i/launcher": "e2i run"}
_PARTITION = "dagster/partition"


def run_lock(name: str) -> str:
    """Return the name of the lock that `e2i run` holds while it runs an experiment."""
    return f"run {name}"


def close_abandoned(project: Project, instance: "dg.DagsterInstance", name: str) -> set[str]:
    """Mark the runs whose process died as failed, and free the pool slots that finished runs still hold.

    The caller holds the lock of this experiment, so none of its runs is alive. Runs of other experiments are considered
    only if they hold or wait for a pool slot; the others block nothing.

    Returns:
        The ids of the runs that were marked as failed.
    """
    import dagster as dg

    unfinished = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.NOT_STARTED]
    mine = instance.get_runs(dg.RunsFilter(tags={**LAUNCHER, _PARTITION: name}, statuses=unfinished))
    storage = instance.event_log_storage
    holders = list(storage.get_concurrency_run_ids())
    others = instance.get_runs(dg.RunsFilter(run_ids=holders, statuses=unfinished)) if holders else []
    known = {run.run_id for run in mine}
    abandoned = [*mine, *(run for run in others if run.run_id not in known and _is_dead(project, instance, run))]
    for run in abandoned:
        instance.report_run_failed(run, "the process of the run ended early; the next run of the experiment resumes")
    for holder in holders:
        run_now = instance.get_run_by_id(holder)
        if run_now is None or run_now.is_finished:
            storage.free_concurrency_slots_for_run(holder)
    return {run.run_id for run in abandoned}


def _is_dead(project: Project, instance: "dg.DagsterInstance", run: "dg.DagsterRun") -> bool:
    from e2i_assets.defs.dagster_internals import WorkerStatus

    if LAUNCHER.items() <= run.tags.items():
        lock = run_lock(run.tags.get(_PARTITION, ""))
        return lock not in project.database.held_locks([lock])
    launcher = instance.run_launcher
    if not launcher.supports_check_run_worker_health:
        return False
    return launcher.check_run_worker_health(run).status is WorkerStatus.NOT_FOUND
