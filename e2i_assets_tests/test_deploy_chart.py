"""Checks of deploy/dagster-values.yaml without Helm: Dagster accepts the instance that the chart makes of them."""

from pathlib import Path

import pytest
import sqlalchemy as sa
import yaml
from chart_instance import OURS, VALUES, instance
from dagster._config import process_config
from dagster._core.errors import DagsterInvalidConfigError
from dagster._core.instance.config import dagster_instance_config
from dagster_k8s import K8sRunLauncher
from dagster_postgres.utils import pg_url_from_config

from e2i_assets.adapters.postgres.database import Database


def test_dagster_accepts_the_instance_of_the_chart_with_our_limits(tmp_path: Path) -> None:
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(instance()))
    read, _ = dagster_instance_config(str(tmp_path))
    for part in ("run_retries", "sensors", "telemetry", "freshness"):
        assert read[part] == OURS[part], part
    assert read["concurrency"]["pools"]["granularity"] == OURS["concurrency"]["pools"]["granularity"]
    limits = [one["concurrency"]["runs"]["tag_concurrency_limits"] for one in (read, OURS)]
    assert limits[0] == limits[1]
    assert read["retention"]["schedule"] == OURS["retention"]["schedule"]
    kept = [one["retention"]["sensor"]["purge_after_days"] for one in (read, OURS)]
    assert kept[0].items() >= kept[1].items()
    slots = "free_slots_after_run_end_seconds"
    assert read["run_monitoring"][slots] == OURS["run_monitoring"][slots]
    # The chart's own queue would have the limit of runs twice.
    queue = {**instance()["run_coordinator"], "config": {"max_concurrent_runs": -1}}
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump({**instance(), "run_coordinator": queue}))
    with pytest.raises(DagsterInvalidConfigError, match="max_concurrent_runs"):
        dagster_instance_config(str(tmp_path))


def test_a_run_is_a_pod_with_limits_that_keeps_nothing() -> None:
    config = instance()["run_launcher"]["config"]
    checked = process_config(K8sRunLauncher.config_type(), config)
    assert checked.success, checked.errors
    assert set(config["resources"]["limits"]) == {"cpu", "memory"}
    account = config["run_k8s_config"]["pod_spec_config"]["securityContext"]
    (deployment,) = VALUES["dagster-user-deployments"]["deployments"]
    assert account == deployment["podSecurityContext"] == {"runAsNonRoot": True, "runAsUser": 10001, "fsGroup": 10001}
    for one in (deployment, VALUES["runLauncher"]["config"]["k8sRunLauncher"]):
        assert one["securityContext"]["readOnlyRootFilesystem"] is True
        assert {mount["mountPath"] for mount in one["volumeMounts"]} == {"/tmp"}
    named = {one["name"]: one["value"] for one in deployment["env"]}
    assert named.keys() >= {"E2I_DAGSTER_URL", "E2I_MLFLOW_URL", "E2I_MLFLOW_TRACKING_URI"}
    assert named["E2I_SCRATCH"].startswith("/tmp/")
    logs = instance()["compute_logs"]["config"]
    assert f"s3://{logs['bucket']}/{logs['prefix']}" == f"{named['E2I_STATE']}/dagster-logs"


def test_the_storage_of_the_chart_opens_the_database_as_a_worker(database: Database) -> None:
    here = sa.make_url(database.url)
    given = instance()["run_storage"]["config"]["postgres_db"]
    config = {**given, "hostname": here.host, "port": here.port, "db_name": here.database}
    config |= {"username": here.username, "password": here.password}
    engine = sa.create_engine(pg_url_from_config({"postgres_db": config}))
    assert engine.driver == "psycopg2"
    with engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT current_schema(), current_user").one()
    engine.dispose()
    assert tuple(found) == ("dagster", "e2i_worker")
