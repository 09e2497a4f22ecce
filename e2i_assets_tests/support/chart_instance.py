"""The `dagster.yaml` that Dagster's chart makes of deploy/dagster-values.yaml; `make helm` compares the two."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
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
    logs = VALUES["computeLogManager"]
    return {
        "run_storage": storage("run_storage", "PostgresRunStorage"),
        "event_log_storage": storage("event_log", "PostgresEventLogStorage"),
        "schedule_storage": storage("schedule_storage", "PostgresScheduleStorage"),
        "run_launcher": launcher(),
        "run_coordinator": daemon["runCoordinator"]["config"]["customRunCoordinator"],
        "compute_logs": {
            "module": "dagster_aws.s3.compute_log_manager",
            "class": logs["type"],
            "config": snakes(logs["config"]["s3ComputeLogManager"]),
        },
        **{snake(key): snakes(daemon[key]) for key in ("runMonitoring", "runRetries", "sensors")},
        "retention": snakes({key: value for key, value in VALUES["retention"].items() if key != "enabled"}),
        "telemetry": VALUES["telemetry"],
        **VALUES["additionalInstanceConfig"],
    }
