"""Abandoned Dagster runs, whose process died: they are marked as failed and their pool slots are freed.

Dagster's daemon does so for a run that a code server started. Three others do it for every run: the daemon through
`run_launcher`, the next `e2i run`, and a run that waits for the slot.
"""

from collections.abc import Collection, Iterable

import dagster as dg

from e2i_assets.defs.dagster_internals import EventLogStorage, WorkerStatus
from e2i_assets.defs.launched_runs import LAUNCHER_TAG, PARTITION_TAG
from e2i_assets.services.project import Project
from e2i_assets.services.run_lock import run_by_command

LAUNCHER = {LAUNCHER_TAG: "e2i run"}
# A run that its user has ended is not started again by the daemon: the user runs the command again.
COMMAND_TAGS = {**LAUNCHER, "dagster/max_retries": "0"}
UNFINISHED = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.NOT_STARTED]
_WHY = "the process of the run ended early; the next run of the experiment resumes"


def is_of_command(run: dg.DagsterRun) -> bool:
    """Return whether `e2i run` executes the run, and not a process of a code server."""
    return LAUNCHER.items() <= run.tags.items()


def is_abandoned_command(project: Project, run: dg.DagsterRun) -> bool:
    """Return whether the `e2i run` that executes the run has ended: its lock is free."""
    return not run_by_command(project, [run.tags.get(PARTITION_TAG, "")])


def close_abandoned(project: Project, instance: dg.DagsterInstance, name: str) -> set[str]:
    """Close the abandoned runs of an experiment, and those that hold or wait for a pool slot.

    The caller holds the lock of this experiment, so none of its runs is alive. Other abandoned runs block nothing.

    Returns:
        The ids of the runs that were marked as failed.
    """
    tags = {**LAUNCHER, PARTITION_TAG: name}
    mine = instance.get_runs(dg.RunsFilter(tags=tags, statuses=UNFINISHED))
    for run in mine:
        instance.report_run_failed(run, _WHY)
    return {run.run_id for run in mine} | free_slots(project, instance, instance.event_log_storage)


def free_slots(
    project: Project, instance: dg.DagsterInstance, storage: EventLogStorage, but: Collection[str] = ()
) -> set[str]:
    """Free the pool slots of abandoned and of finished runs.

    Args:
        project: The project.
        instance: The Dagster instance.
        storage: Its event log.
        but: Runs that are known to be alive, such as the caller's.

    Returns:
        The ids of the runs that were abandoned, and are now marked as failed.
    """
    holders = storage.get_concurrency_run_ids() - set(but)
    runs = {run.run_id: run for run in instance.get_runs(dg.RunsFilter(run_ids=list(holders)))} if holders else {}
    abandoned = {run.run_id for run in dead_runs(project, instance, runs.values())}
    for run_id in abandoned:
        instance.report_run_failed(runs[run_id], _WHY)
    for run_id in holders:
        if run_id in abandoned or run_id not in runs or runs[run_id].is_finished:
            storage.free_concurrency_slots_for_run(run_id)
    return abandoned


def dead_runs(project: Project, instance: dg.DagsterInstance, runs: Iterable[dg.DagsterRun]) -> list[dg.DagsterRun]:
    """Return those of the runs that are recorded as running, and whose process has died."""
    return [run for run in runs if run.status in UNFINISHED and _is_dead(project, instance, run)]


def _is_dead(project: Project, instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    if is_of_command(run):
        return is_abandoned_command(project, run)
    launcher = instance.run_launcher
    if not launcher.supports_check_run_worker_health:
        return False
    return launcher.check_run_worker_health(run).status is WorkerStatus.NOT_FOUND
