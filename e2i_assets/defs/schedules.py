"""The schedules, and the job that prunes the memory."""

import dagster as dg

from e2i_assets.adapters.repositories.pattern_maintenance import PatternMaintenance
from e2i_assets.adapters.settings import Settings
from e2i_assets.defs.check_jobs import CHECK_EVERYTHING
from e2i_assets.defs.jobs import TUNE_AND_TRAIN
from e2i_assets.defs.launched_runs import run_request, sync_launched_runs, under_way
from e2i_assets.defs.resources import ProjectResource
from e2i_assets.services.automation.retuning import due
from e2i_assets.services.checks.catalogue import experiments_with
from e2i_assets.services.project import Project


def schedules(settings: Settings) -> list[dg.ScheduleDefinition]:
    """Return the schedules. Those that train a model or delete a pattern are stopped by default."""
    zone, on, off = settings.time_zone, dg.DefaultScheduleStatus.RUNNING, dg.DefaultScheduleStatus.STOPPED
    return [
        dg.schedule("0 3 * * *", job_name=CHECK_EVERYTHING, execution_timezone=zone, default_status=on)(nightly_checks),
        dg.schedule("0 1 * * 0", job_name=TUNE_AND_TRAIN, execution_timezone=zone, default_status=off)(
            retune_old_models
        ),
        dg.ScheduleDefinition(
            name="monthly_memory_pruning",
            job=prune_memory,
            cron_schedule="0 4 1 * *",
            execution_timezone=zone,
            default_status=off,
        ),
    ]


def nightly_checks(e2i: ProjectResource) -> dg.RunRequest | dg.SkipReason:
    """Evaluate all checks every night, once an experiment has a dataset."""
    if not experiments_with(e2i.open(), "dataset"):
        return dg.SkipReason("no experiment has a dataset yet, so there is nothing to check")
    return dg.RunRequest()


def retune_old_models(
    context: dg.ScheduleEvaluationContext, e2i: ProjectResource
) -> list[dg.RunRequest] | dg.SkipReason:
    """Start a short weekly study for models that are older than their experiment allows."""
    return old_models(context.instance, e2i.open())


def old_models(instance: dg.DagsterInstance, project: Project) -> list[dg.RunRequest] | dg.SkipReason:
    """Return a run request for each outdated model, or the reason why there is none."""
    sync_launched_runs(instance, project)
    requests, whys = due(project, under_way(instance, project))
    if requests:
        return [run_request(one) for one in requests]
    return dg.SkipReason("; ".join(f"{name}: {why}" for name, why in whys.items()) or "there are no experiments")


@dg.op(
    description="Delete patterns that are old and unused, and patterns that duplicate a better one.", config_schema={}
)
def forget_patterns(context: dg.OpExecutionContext, e2i: ProjectResource) -> None:
    """Delete patterns and log how many."""
    forgotten = PatternMaintenance(e2i.open().database).forget(dry_run=False)
    context.log.info(f"{len(forgotten)} patterns deleted; ml_hpo_forgotten_patterns lists them with the reasons")


@dg.job(executor_def=dg.in_process_executor, description="Delete old, unused and duplicate patterns from the memory.")
def prune_memory() -> None:
    """Delete old, unused and duplicate patterns."""
    forget_patterns()
