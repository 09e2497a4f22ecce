"""What is done by the clock."""

import dagster as dg

from e2i_assets.adapters.promises.catalogue import experiments_with
from e2i_assets.defs.jobs import check_everything
from e2i_assets.defs.resources import ProjectResource


@dg.schedule(
    job=check_everything,
    cron_schedule="0 3 * * *",
    execution_timezone="UTC",
    # It trains nothing and changes nothing, so that it is on unless somebody turns it off.
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
def promises_hold_every_night(project: ProjectResource) -> dg.RunRequest | dg.SkipReason:
    """Judge every promise at night, as soon as there is something to judge."""
    if not experiments_with(project.workspace(), "dataset"):
        return dg.SkipReason("no experiment has a dataset yet, so there is nothing to check")
    return dg.RunRequest()
