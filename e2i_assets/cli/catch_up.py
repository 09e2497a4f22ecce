"""Sends MLflow the trainings that it missed, and reports them to Dagster, so that its asset page links to them."""

from e2i_assets.cli.dagster_home import dagster_instance
from e2i_assets.services import track_runs
from e2i_assets.services.project import Project
from e2i_assets.services.track_runs import CaughtUp


def caught_up(project: Project, name: str | None = None) -> list[CaughtUp]:
    """Send what MLflow missed for one or all experiments. Dagster is imported only if something was sent."""
    tried = list(track_runs.catch_up(project, name))
    if sent := [one for one in tried if one.result.status == "logged"]:
        _report_to_dagster(project, sent)
    return tried


def _report_to_dagster(project: Project, sent: list[CaughtUp]) -> None:
    import dagster as dg

    with dagster_instance(project.settings) as instance:
        for one in sent:
            where = dg.MetadataValue.url(str(track_runs.mlflow_url(project, one.result)))
            metadata = {"mlflow": dg.MetadataValue.text(str(one.result.run_id)), "mlflow_run": where}
            instance.report_runless_asset_event(
                dg.AssetObservation("trained_model", partition=one.experiment, metadata=metadata)
            )
