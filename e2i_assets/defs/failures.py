"""The sensor that sends an alert for a failed run."""

from urllib.parse import quote

import dagster as dg

from e2i_assets.adapters.alerts.delivery import alert_settings, send_alert
from e2i_assets.adapters.repositories.monitoring import AlertRepository
from e2i_assets.core.automation.alerts import Failure
from e2i_assets.defs.launched_runs import PARTITION_TAG
from e2i_assets.defs.resources import ProjectResource

_WILL_RETRY_TAG = "dagster/will_retry"


@dg.run_failure_sensor(name="run_failures", default_status=dg.DefaultSensorStatus.RUNNING)
def run_failures(context: dg.RunFailureSensorContext, e2i: ProjectResource) -> dg.SkipReason:
    """Send an alert for a failed run, at most once an hour for each cause. Runs that are retried are skipped."""
    if context.dagster_run.tags.get(_WILL_RETRY_TAG) == "true":
        return dg.SkipReason("the run is retried")
    project = e2i.open()
    settings = alert_settings(project.settings.environment)
    message = send_alert(settings, AlertRepository(project.database), failure_of(context, settings.ui))
    context.log.info(message)
    return dg.SkipReason(message)


def failure_of(context: dg.RunFailureSensorContext, ui: str) -> Failure:
    """Return the facts of a failed run: the innermost error of its first failed step."""
    run, steps = context.dagster_run, context.get_step_failure_events()
    asset, kind, message = None, "the run failed", context.failure_event.message
    if steps:
        asset = steps[0].step_key
        error = steps[0].step_failure_data.error
        while error is not None and error.cause is not None:
            error = error.cause
        if error is not None:
            kind, message = error.cls_name or kind, error.message.strip()
    return Failure(
        job=run.job_name,
        experiment=run.tags.get(PARTITION_TAG),
        asset=asset,
        kind=kind,
        message=message or "",
        run_id=run.run_id,
        link=f"{ui}/runs/{quote(run.run_id)}",
    )
