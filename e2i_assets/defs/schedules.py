"""What is done by the clock."""

import dagster as dg

from e2i_assets.adapters.repositories.pattern_maintenance import PatternMaintenance
from e2i_assets.adapters.settings import current_settings
from e2i_assets.defs.jobs import check_everything, tune_and_train
from e2i_assets.defs.launched_runs import run_request, sync_launched_runs, under_way
from e2i_assets.defs.resources import ProjectResource
from e2i_assets.services.automation.retuning import due
from e2i_assets.services.checks.catalogue import experiments_with
from e2i_assets.services.project import Project


@dg.schedule(
    job=check_everything,
    cron_schedule="0 3 * * *",
    execution_timezone=current_settings().time_zone,
    # It trains nothing and changes nothing, so that it is on unless somebody turns it off.
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
def nightly_checks(e2i: ProjectResource) -> dg.RunRequest | dg.SkipReason:
    """Judge every promise at night, as soon as there is something to judge."""
    if not experiments_with(e2i.open(), "dataset"):
        return dg.SkipReason("no experiment has a dataset yet, so there is nothing to check")
    return dg.RunRequest()


@dg.schedule(
    job=tune_and_train,
    cron_schedule="0 1 * * 0",
    execution_timezone=current_settings().time_zone,
    # It trains, so somebody has to want it.
    default_status=dg.DefaultScheduleStatus.STOPPED,
)
def retune_old_models(
    context: dg.ScheduleEvaluationContext, e2i: ProjectResource
) -> list[dg.RunRequest] | dg.SkipReason:
    """Tune once a week, for a short while, what was trained longer ago than its experiment allows."""
    return old_models(context.instance, e2i.open())


def old_models(instance: dg.DagsterInstance, project: Project) -> list[dg.RunRequest] | dg.SkipReason:
    """Return a run for each old model, or why there is none."""
    sync_launched_runs(instance, project)
    requests, whys = due(project, under_way(instance))
    if requests:
        return [run_request(one) for one in requests]
    return dg.SkipReason("; ".join(f"{name}: {why}" for name, why in whys.items()) or "there is no experiment")


@dg.op(description="Forget patterns that are old and were never started from, and doubles of better ones.")
def forget_patterns(context: dg.OpExecutionContext, e2i: ProjectResource) -> None:
    """Forget, and say how many went for which reason."""
    gone = PatternMaintenance(e2i.open().database).forget(dry_run=False)
    context.log.info(f"{len(gone)} patterns are forgotten; ml_hpo_forgotten_patterns says which, and why")


@dg.job(executor_def=dg.in_process_executor, description="The memory without what nobody starts from any more.")
def prune_memory() -> None:
    """Forget what may go."""
    forget_patterns()


monthly_memory_pruning = dg.ScheduleDefinition(
    name="monthly_memory_pruning",
    job=prune_memory,
    cron_schedule="0 4 1 * *",
    execution_timezone=current_settings().time_zone,
    # What is forgotten does not come back by itself.
    default_status=dg.DefaultScheduleStatus.STOPPED,
)
