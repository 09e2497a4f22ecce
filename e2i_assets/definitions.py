"""Where Dagster comes in: the definitions of a code location, for this project or as a part of another one."""

import os
from collections.abc import Sequence

import dagster as dg

from e2i_assets.adapters.settings import current_settings
from e2i_assets.defs.assets import ASSETS
from e2i_assets.defs.champion import champion_model
from e2i_assets.defs.check_jobs import check_everything, report_drift
from e2i_assets.defs.checks import asset_checks
from e2i_assets.defs.experiment_file_checks import experiment_files, files_check
from e2i_assets.defs.instance_settings import report_missing_settings
from e2i_assets.defs.jobs import SCORED, predict_new_rows, tune_and_train
from e2i_assets.defs.namespace import Namespace
from e2i_assets.defs.overview import experiment_overview
from e2i_assets.defs.predictions import predictions
from e2i_assets.defs.resource_definitions import resources
from e2i_assets.defs.schedules import schedules
from e2i_assets.defs.sensors import sensors


def build(key_prefix: Sequence[str] | None = None, group_prefix: str = "") -> dg.Definitions:
    """Return the graph, its checks, resources, jobs, sensors and schedules.

    Args:
        key_prefix: The first parts of each asset key, which are also folders above the stored values; by default those
            of ``E2I_KEY_PREFIX``. Dynamic partitions have the prefix too; jobs, sensors and schedules keep their names.
        group_prefix: The beginning of each group name.

    Raises:
        E2iError: There is no project folder, or a setting is invalid.
    """
    settings = current_settings()
    report_missing_settings(os.environ.get("DAGSTER_HOME"))
    namespace = Namespace(settings.key_prefix if key_prefix is None else tuple(key_prefix), group_prefix)
    assets = [asset(namespace) for asset in (*ASSETS, champion_model, predictions)]
    partitioned = settings.partitioned_checks
    return dg.Definitions(
        assets=[experiment_files(namespace), *assets, experiment_overview(namespace, settings)],
        asset_checks=[*asset_checks(namespace, partitioned), files_check(namespace)],
        jobs=[
            tune_and_train([asset.key for asset in assets if asset.key != namespace.key(SCORED)]),
            predict_new_rows(namespace.key(SCORED)),
            check_everything(namespace, partitioned),
            report_drift(namespace, partitioned),
        ],
        sensors=sensors(namespace, settings),
        schedules=schedules(settings),
        resources=resources(namespace),
        # Also for runs without a job, such as a backfill.
        executor=dg.in_process_executor,
    )


@dg.definitions
def defs() -> dg.Definitions:
    """Return the definitions of this project. Dagster's commands take them from here."""
    return build()
