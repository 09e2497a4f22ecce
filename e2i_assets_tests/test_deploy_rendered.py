"""Checks of what helm makes of deploy/dagster-values.yaml with Dagster's chart; `make helm` renders and runs them."""

import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa
import yaml
from chart_instance import OURS, instance
from dagster_aws.s3 import S3ComputeLogManager
from dagster_k8s import K8sRunLauncher

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.settings import Settings
from e2i_assets.cli.dagster_home import dagster_instance
from e2i_assets.defs.search_assets import STUDIES

pytestmark = pytest.mark.helm

KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "none",
    "clusters": [{"name": "none", "cluster": {"server": "http://127.0.0.1:1"}}],
    "contexts": [{"name": "none", "context": {"cluster": "none", "user": "none"}}],
    "users": [{"name": "none", "user": {}}],
}


@pytest.fixture(scope="module")
def rendered() -> dict[str, dict[str, Any]]:
    """The rendered objects by kind and name."""
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for one in yaml.safe_load_all(Path(os.environ["E2I_RENDERED_CHART"]).read_text()):
        if one:
            found[one["kind"]][one["metadata"]["name"]] = one
    return found


@pytest.fixture(scope="module")
def configuration(rendered: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The rendered `dagster.yaml`."""
    read: dict[str, Any] = yaml.safe_load(rendered["ConfigMap"]["e2i-dagster-instance"]["data"]["dagster.yaml"])
    return read


def differences(expected: Any, found: Any, path: str = "") -> list[str]:
    """Return the paths at which a part is missing or different; the chart may add parts."""
    if isinstance(expected, dict) and isinstance(found, dict):
        return [line for key in expected for line in differences(expected[key], found.get(key), f"{path}/{key}")]
    return [] if expected == found else [f"{path}: {found!r} instead of {expected!r}"]


def test_the_chart_passes_on_what_the_tests_without_helm_assume(configuration: dict[str, Any]) -> None:
    assumed = instance()
    # These two names are those of the release.
    assumed["run_launcher"]["config"]["service_account_name"] = "e2i-dagster"
    assert differences(assumed, configuration) == []


def test_the_rendered_instance_opens_a_postgresql_with_our_limits(
    configuration: dict[str, Any], database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = sa.make_url(database.url)
    address = {"hostname": here.host, "port": here.port, "db_name": here.database, "username": here.username}
    for part in ("run_storage", "event_log_storage", "schedule_storage"):
        configuration[part]["config"]["postgres_db"] |= address
    monkeypatch.setenv("DAGSTER_PG_PASSWORD", str(here.password))
    # What only a pod has: an account of the cluster.
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(KUBECONFIG))
    away = {"load_incluster_config": False, "kubeconfig_file": str(tmp_path / "kubeconfig")}
    configuration["run_launcher"]["config"] |= away
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(configuration))

    with dg.DagsterInstance.from_config(str(tmp_path)) as opened:
        opened.add_dynamic_partitions("experiments", ["churn"])
        opened.event_log_storage.initialize_concurrency_limit_to_default(STUDIES)
        (pool,) = opened.event_log_storage.get_pool_limits()
        assert (pool.name, pool.limit) == (STUDIES, 4)
        assert opened.get_runs() == []
        limits = opened.get_concurrency_config()
        assert limits.run_queue_config is not None
        assert limits.run_queue_config.max_concurrent_runs == 10
        assert limits.run_queue_config.tag_concurrency_limits == OURS["concurrency"]["runs"]["tag_concurrency_limits"]
        assert limits.pool_config.pool_granularity is not None
        assert limits.pool_config.pool_granularity.value == "op"
        assert opened.run_retries_enabled
        assert opened.run_retries_max_retries == OURS["run_retries"]["max_retries"]
        assert opened.run_monitoring_enabled
        assert opened.freshness_enabled
        assert not opened.telemetry_enabled
        assert isinstance(opened.run_launcher, K8sRunLauncher)
        assert isinstance(opened.compute_log_manager, S3ComputeLogManager)
    # It is the instance of the project: one schema in one database.
    with dagster_instance(Settings(tmp_path, tmp_path / "state", database.url)) as ours:
        assert ours.get_dynamic_partitions("experiments") == ["churn"]


def test_no_pod_is_root_or_keeps_a_file(rendered: dict[str, dict[str, Any]]) -> None:
    deployments = rendered["Deployment"]
    assert len(deployments) == 3
    for name, one in deployments.items():
        pod = one["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert {"name": "scratch", "emptyDir": {}} in pod["volumes"], name
        (container,) = pod["containers"]
        assert container["image"] == "REGISTRY/e2i_assets:VERSION"
        assert container["securityContext"]["readOnlyRootFilesystem"] is True, name
        secrets = {source["secretRef"]["name"] for source in container["envFrom"] if "secretRef" in source}
        assert "e2i-object-storage" in secrets, name


def test_the_webserver_is_ready_on_the_port_that_it_listens_on(rendered: dict[str, dict[str, Any]]) -> None:
    (container,) = rendered["Deployment"]["e2i-dagster-webserver"]["spec"]["template"]["spec"]["containers"]
    (port,) = container["ports"]
    # An account that is not root may not listen on lower ports everywhere.
    assert port["containerPort"] >= 1024
    assert container["readinessProbe"]["httpGet"]["port"] == port["containerPort"]
    assert f"-p {port['containerPort']} " in container["command"][-1]
    (served,) = yaml.safe_load(rendered["ConfigMap"]["e2i-dagster-workspace-yaml"]["data"]["workspace.yaml"])[
        "load_from"
    ]
    service = rendered["Service"][served["grpc_server"]["host"]]
    assert service["spec"]["ports"][0]["port"] == served["grpc_server"]["port"]
