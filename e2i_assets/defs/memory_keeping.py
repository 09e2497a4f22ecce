"""The memory forgets what nobody starts from any more: once a month, when somebody wants it."""

import os

import dagster as dg

from e2i_assets.adapters.settings import time_zone
from e2i_assets.adapters.stores.pattern_upkeep import PatternUpkeep
from e2i_assets.defs.resources import ProjectResource


@dg.op(description="Forget patterns that are old and were never started from, and doubles of better ones.")
def forget_patterns(context: dg.OpExecutionContext, project: ProjectResource) -> None:
    """Forget, and say how many went for which reason."""
    gone = PatternUpkeep(project.workspace().database).forget(dry_run=False)
    context.log.info(f"{len(gone)} patterns are forgotten; ml_hpo_forgotten_patterns says which, and why")


@dg.job(executor_def=dg.in_process_executor, description="The memory without what nobody starts from any more.")
def keep_memory() -> None:
    """Forget what may go."""
    forget_patterns()


forget_every_month = dg.ScheduleDefinition(
    name="forget_every_month",
    job=keep_memory,
    cron_schedule="0 4 1 * *",
    execution_timezone=time_zone(os.environ),
    # What is forgotten does not come back by itself.
    default_status=dg.DefaultScheduleStatus.STOPPED,
)
