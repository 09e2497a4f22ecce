"""A process that sends the alert for the last failed run, as Dagster's daemon does; configured by the environment."""

import os

import dagster as dg

from e2i_assets.adapters.settings import from_environment
from e2i_assets.cli.dagster_home import dagster_instance
from e2i_assets.defs.failures import run_failures
from e2i_assets.defs.resources import ProjectResource


def main() -> None:
    """Run the sensor."""
    settings = from_environment(os.environ)
    with dagster_instance(settings) as instance:
        failed = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE])
        run = instance.get_runs(filters=failed, limit=1)[0]
        (record,) = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE).records
        event = record.event_log_entry.dagster_event
        assert event is not None
        context = dg.build_run_status_sensor_context("run_failures", event, instance, run).for_run_failure()
        run_failures(context, e2i=ProjectResource(database_url=settings.database_url))


if __name__ == "__main__":
    main()
