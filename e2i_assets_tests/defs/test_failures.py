"""The effects of a failed run: an alert is sent, a transient error is retried, invalid data is not."""

import dagster as dg
from webhook_receiver import webhook_receiver

from e2i_assets.adapters.postgres.database import DatabaseUnreachable
from e2i_assets.core.errors import E2iError
from e2i_assets.defs.experiment_asset import wait_seconds, with_retries
from e2i_assets.defs.failures import run_failures
from e2i_assets.defs.resources import ProjectResource


def alerted(project, result: dg.ExecuteInProcessResult, tags: dict[str, str] | None = None) -> str:
    (event,) = [one for one in result.all_events if one.is_failure and not one.is_step_event]
    if tags:
        project.instance.add_run_tags(result.run_id, tags)
    context = dg.build_run_status_sensor_context(
        sensor_name="run_failures",
        dagster_event=event,
        dagster_instance=project.instance,
        dagster_run=project.instance.get_run_by_id(result.run_id),
    ).for_run_failure()
    resource = ProjectResource(database_url=project.project.database.url)
    return str(run_failures(context, e2i=resource).skip_message)


def test_an_alert_names_the_experiment_asset_error_and_run(project, monkeypatch):
    project.write_rows(project.rows().drop(columns="target"))
    result = project.run()
    assert not result.success
    with webhook_receiver() as webhook:
        monkeypatch.setenv("E2I_ALERT_WEBHOOK", webhook.address)
        monkeypatch.setenv("E2I_DAGSTER_URL", "https://dagster.example.org/")
        assert alerted(project, result, {"dagster/will_retry": "true"}) == "the run is retried"
        assert webhook.messages == []
        assert alerted(project, result, {"dagster/will_retry": "false"}).startswith(
            "alert sent: cells failed in dataset"
        )
        (message,) = webhook.messages
        shown = str(message)
        assert message["text"] == "cells failed in dataset: DataInvalid"
        assert "target" in shown
        assert f"https://dagster.example.org/runs/{result.run_id}" in shown
        assert "less than an hour" in alerted(project, result)


def executed(error: Exception, failures: int) -> tuple[bool, int]:
    """Run an asset that fails `failures` times; return whether it succeeded and the number of attempts."""
    attempts: list[int] = []

    @dg.asset
    @with_retries
    def shaky(context: dg.AssetExecutionContext) -> None:
        attempts.append(1)
        if len(attempts) <= failures:
            raise error

    return dg.materialize([shaky], raise_on_error=False).success, len(attempts)


def test_a_transient_error_is_retried():
    assert executed(DatabaseUnreachable("no answer"), failures=1) == (True, 2)


def test_an_error_of_the_data_is_not_retried():
    assert executed(E2iError("7 rows are wrong"), failures=1) == (False, 1)


def test_the_waits_between_retries_increase():
    waits = [wait_seconds(retry) for retry in range(4)]
    assert waits == sorted(set(waits))
    assert sum(waits) < 600
