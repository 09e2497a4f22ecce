"""Checks of deploy/ without Docker and Helm: no test starts a container."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import sqlalchemy as sa
import yaml

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "docker-compose.yaml").read_text())
VALUES: dict[str, Any] = yaml.safe_load((DEPLOY / "dagster-values.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "e2i_assets"}
# Variables of other programs.
THEIRS = {
    "POSTGRES_PASSWORD",
    "POSTGRES_USER",
    "POSTGRES_DB",
    "MLFLOW_BACKEND_STORE_URI",
    "MLFLOW_SERVER_ALLOWED_HOSTS",
}


def test_the_compose_file_is_valid_by_the_compose_specification() -> None:
    vendored = resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    jsonschema.validate(COMPOSE, json.loads(vendored.read_text()))
    broken = {**COMPOSE, "services": {"a": {"image": "a", "ports": {"3000": "3000"}}}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, json.loads(vendored.read_text()))


def test_our_services_share_one_image_and_wait_for_the_migration() -> None:
    assert set(OURS) == {"migrate", "code", "webserver", "daemon", "mlflow", "dask-scheduler", "dask-worker"}
    assert set(SERVICES) - set(OURS) == {"postgres"}
    for name in OURS:
        waits, seen = {name}, {name}
        while waits:
            seen |= waits
            waits = {other for one in waits for other in SERVICES[one].get("depends_on", {})} - seen
        assert name == "migrate" or "migrate" in seen or name == "dask-worker"
    named = {
        mount.partition(":")[0] for one in SERVICES.values() for mount in one.get("volumes", []) if mount[0] != "."
    }
    assert named == set(COMPOSE["volumes"])


def test_ports_are_published_only_on_loopback_and_dask_not_at_all() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(published) == {"webserver", "mlflow"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    assert VALUES["dagsterWebserver"]["service"]["type"] == "ClusterIP"


def strings(found: Any) -> Iterator[str]:
    if isinstance(found, dict):
        for key, value in found.items():
            yield str(key)
            yield from strings(value)
    elif isinstance(found, list):
        for value in found:
            yield from strings(value)
    elif isinstance(found, str):
        yield found


def test_no_file_contains_a_secret_and_the_secrets_file_is_ignored() -> None:
    for text in [*strings(COMPOSE), *strings(VALUES), (DEPLOY / "Dockerfile").read_text()]:
        assert not re.search(r"://[^/\s]*:[^/\s@]+@", text), text
    assert all("PASSWORD" not in key for one in SERVICES.values() for key in one.get("environment", {}))
    assert "postgresqlPassword" not in VALUES["postgresql"]
    assert "deploy/secrets.env" in (ROOT / ".gitignore").read_text().splitlines()
    assert all(service["env_file"] == "secrets.env" for service in SERVICES.values())
    example = (DEPLOY / "secrets.env.example").read_text()
    assert set(re.findall(r"^\w+", example, re.MULTILINE)) == {
        "POSTGRES_PASSWORD", "E2I_DATABASE_URL", "MLFLOW_BACKEND_STORE_URI"
    }  # fmt: skip
    assert re.findall(r":(\w+)@", example) == ["PASSWORD", "PASSWORD"]


def test_long_running_services_have_the_worker_role() -> None:
    """`E2I_DATABASE_URL` is that of the owner: `e2i` migrates with it, and then drops to the worker role."""
    addresses = (DEPLOY / "secrets.env.example").read_text().splitlines()
    (mlflow,) = [line.partition("=")[2] for line in addresses if line.startswith("MLFLOW_")]
    for options in (sa.make_url(mlflow).query["options"], VALUES["postgresql"]["postgresqlParams"]["options"]):
        assert "-crole=e2i_worker" in options.split()
    # The password of the account stays on the server.
    assert "--env-file secrets.env" not in (DEPLOY / "README.md").read_text()


def test_every_variable_that_is_set_is_read_by_a_program() -> None:
    texts = "".join(path.read_text() for path in DEPLOY.iterdir())
    documented = set(re.findall(r"\bE2I_\w+", (ROOT / ".env.example").read_text()))
    assert set(re.findall(r"\bE2I_[A-Z_]+\b", texts)) <= documented
    others = {key for one in SERVICES.values() for key in one.get("environment", {}) if not key.startswith("E2I_")}
    assert others <= THEIRS


def test_files_that_the_image_copies_exist_and_are_not_ignored() -> None:
    lines = (DEPLOY / "Dockerfile").read_text().splitlines()
    copied = [word for line in lines if re.match("COPY (?!--from)", line) for word in line.split()[1:-1]]
    assert "deploy/requirements.lock" in copied
    assert copied.count("dist/*.whl") == 1  # `make wheel` writes it
    kept = {line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line.startswith("!")}
    assert {word.partition("/*")[0] for word in copied} == kept
    assert all((ROOT / name).exists() for name in copied if name != "dist/*.whl")
    assert [line for line in lines if line.startswith("USER ")] == ["USER 10001"]


def locked(name: str) -> dict[str, str]:
    """Return the version of each package of a lock."""
    found = re.findall(r"^([\w.-]+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE)
    return dict(found)


def test_the_image_installs_what_is_tested_and_no_development_package() -> None:
    image, tested = locked("deploy/requirements.lock"), locked("requirements.lock")
    # XGBoost without CUDA: the same module and version.
    assert image.pop("xgboost-cpu") == tested["xgboost"]
    assert image.items() <= tested.items()
    assert {"dagster", "mlflow", "optuna", "lightgbm", "distributed", "dagster-k8s"} <= image.keys()
    assert not {"pytest", "ruff", "mypy", "sphinx", "playwright", "uv"} & image.keys()
    assert {"pytest", "ruff"} <= tested.keys()


def test_the_workspace_has_the_address_of_the_code_location() -> None:
    (server,) = yaml.safe_load((DEPLOY / "workspace.yaml").read_text())["load_from"]
    command = SERVICES["code"]["command"]
    assert server["grpc_server"]["host"] == "code"
    assert str(server["grpc_server"]["port"]) == command[command.index("-p") + 1]
    modules = [
        command[command.index("-m") + 1],
        VALUES["dagster-user-deployments"]["deployments"][0]["dagsterApiGrpcArgs"][1],
    ]
    assert modules == ["e2i_assets.definitions"] * 2
    assert find_spec(modules[0]) is not None


def test_the_chart_runs_the_same_image_with_the_limits_of_dagster_yaml() -> None:
    images = [VALUES["dagsterWebserver"]["image"], VALUES["dagsterDaemon"]["image"]]
    images += [one["image"] for one in VALUES["dagster-user-deployments"]["deployments"]]
    assert {image["repository"] for image in images} == {"REGISTRY/e2i_assets"}
    ours = yaml.safe_load((ROOT / "dagster.yaml").read_text())
    assert VALUES["dagsterDaemon"]["runRetries"]["maxRetries"] == ours["run_retries"]["max_retries"]
    assert VALUES["telemetry"] == ours["telemetry"] == {"enabled": False}


@pytest.mark.drill
@pytest.mark.processes
@pytest.mark.timeout(300)
def test_every_command_and_option_exists_in_the_installation() -> None:
    installed = Path(sys.executable).parent
    commands = [service["command"] for service in OURS.values()]
    commands += [SERVICES["code"]["healthcheck"]["test"][1:]]

    def checked(command: list[str]) -> str:
        program = shutil.which(command[0], path=str(installed))
        assert program is not None, command[0]
        words = [word for word in command[1:] if re.fullmatch(r"[a-z][a-z-]+", word)]
        path = command[1:3] if command[1] == "-m" else words[: 2 if command[0] in ("dagster", "e2i") else 1]
        help_text = subprocess.run([program, *path, "--help"], capture_output=True, text=True, check=True).stdout
        missing = [
            word for word in command if re.match(r"--?[a-z]", word) and not re.search(rf"(?<![\w-]){word}\b", help_text)
        ]
        assert missing == [], command
        return command[0]

    with ThreadPoolExecutor(2) as pool:
        assert len(list(pool.map(checked, commands))) == len(OURS) + 1
