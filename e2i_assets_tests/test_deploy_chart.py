"""Checks of deploy/dagster-values.yaml without Helm: Dagster accepts the instance that the chart makes of them."""

import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml
from dagster._config import process_config
from dagster._core.errors import DagsterInvalidConfigError
from dagster._core.instance.config import dagster_instance_config
from dagster_k8s import K8sRunLauncher
from dagster_postgres.utils import pg_url_from_config

from e2i_assets.adapters.postgres.database import Database

ROOT = Path(__file__).resolve().parent.parent
VALUES: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "dagster-values.yaml").read_text())
OURS: dict[str, Any] = yaml.safe_load((ROOT / "dagster.yaml").read_text())


def snake(key: str) -> str:
    """Return a key of the values in the spelling of dagster.yaml."""
    return re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", key)


def snakes(found: Any) -> Any:
    """Return values with all their keys in the spelling of dagster.yaml."""
    return {snake(key): snakes(value) for key, value in found.items()} if isinstance(found, dict) else found


def storage(module: str, name: str) -> dict[str, Any]:
    """Return one of the three storages."""
    given = VALUES["postgresql"]
    database = {
        "username": given["postgresqlUsername"],
        "password": {"env": "DAGSTER_PG_PASSWORD"},
        "hostname": given["postgresqlHost"],
        "db_name": given["postgresqlDatabase"],
        "port": given["service"]["port"],
        "params": given["postgresqlParams"],
        "scheme": given["postgresqlScheme"],
    }
    return {"module": f"dagster_postgres.{module}", "class": name, "config": {"postgres_db": database}}


def launcher() -> dict[str, Any]:
    """Return the launcher of runs. Kubernetes' own settings in it keep their spelling."""
    given = VALUES["runLauncher"]["config"]["k8sRunLauncher"]
    config = {snake(key): value for key, value in given.items()}
    config["env_secrets"] = [one["name"] for one in given["envSecrets"]]
    config["run_k8s_config"] = {snake(key): value for key, value in given["runK8sConfig"].items()}
    config |= {"dagster_home": VALUES["global"]["dagsterHome"], "instance_config_map": "e2i-dagster-instance"}
    config |= {"service_account_name": "e2i", "postgres_password_secret": VALUES["global"]["postgresqlSecretName"]}
    return {"module": "dagster_k8s", "class": "K8sRunLauncher", "config": config}


def instance() -> dict[str, Any]:
    """Return what the template `configmap-instance.yaml` of Dagster's chart makes of our values."""
    daemon = VALUES["dagsterDaemon"]
    return {
        "run_storage": storage("run_storage", "PostgresRunStorage"),
        "event_log_storage": storage("event_log", "PostgresEventLogStorage"),
        "schedule_storage": storage("schedule_storage", "PostgresScheduleStorage"),
        "run_launcher": launcher(),
        "run_coordinator": daemon["runCoordinator"]["config"]["customRunCoordinator"],
        **{snake(key): snakes(daemon[key]) for key in ("runMonitoring", "runRetries", "sensors")},
        "retention": snakes({key: value for key, value in VALUES["retention"].items() if key != "enabled"}),
        "telemetry": VALUES["telemetry"],
        **VALUES["additionalInstanceConfig"],
    }


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


def test_a_run_is_a_pod_with_limits_that_may_write_to_the_volume() -> None:
    config = instance()["run_launcher"]["config"]
    checked = process_config(K8sRunLauncher.config_type(), config)
    assert checked.success, checked.errors
    assert set(config["resources"]["limits"]) == {"cpu", "memory"}
    account = config["run_k8s_config"]["pod_spec_config"]["securityContext"]
    (deployment,) = VALUES["dagster-user-deployments"]["deployments"]
    assert account == deployment["podSecurityContext"] == {"runAsNonRoot": True, "runAsUser": 10001, "fsGroup": 10001}
    for one in (deployment, VALUES["runLauncher"]["config"]["k8sRunLauncher"]):
        assert one["securityContext"]["readOnlyRootFilesystem"] is True
        assert {mount["mountPath"] for mount in one["volumeMounts"]} == {"/opt/e2i/.e2i", "/tmp"}
    named = {one["name"] for one in deployment["env"]}
    assert named >= {"E2I_DAGSTER_URL", "E2I_MLFLOW_URL", "E2I_MLFLOW_TRACKING_URI"}


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
