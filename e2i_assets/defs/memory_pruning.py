"""The memory forgets what nobody starts from any more: once a month, when somebody wants it."""

import os

import dagster as dg

from e2i_assets.adapters.repositories.pattern_maintenance import PatternMaintenance
from e2i_assets.adapters.settings import time_zone
from e2i_assets.defs.resources import ProjectResource


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
    execution_timezone=time_zone(os.environ),
    # What is forgotten does not come back by itself.
    default_status=dg.DefaultScheduleStatus.STOPPED,
)
