"""MLflow's model registry: one version per run, found or created, with the stage as its alias."""

from datetime import UTC
from typing import TYPE_CHECKING

from e2i_assets.adapters.mlflow.tracked_run import (
    LONGEST_REGISTERED,
    MODEL_FOLDER,
    MODEL_SHA256_TAG,
    RUN_KEY_TAG,
    TrackedRun,
    TrackingRefused,
    cut,
)

CHAMPION, CHALLENGER = "champion", "challenger"
STARTED_TAG = "e2i.started_at"

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

    from mlflow import MlflowClient


def registered_version(client: "MlflowClient", name: str, tracked: TrackedRun, run: "Run", sha256: str) -> int:
    """Register the model of a run as a version, once, set the alias of its stage, and return the version number."""
    version = _version_of(client, name, run.info.run_id)
    if version is None:
        _create_model(client, name, tracked)
        version = client.create_model_version(
            name,
            source=f"{run.info.artifact_uri}/{MODEL_FOLDER}",
            run_id=run.info.run_id,
            tags={RUN_KEY_TAG: tracked.run_key, MODEL_SHA256_TAG: sha256},
            description=cut(tracked.description, LONGEST_REGISTERED) or None,
            await_creation_for=0,
        )
    elif version.tags.get(MODEL_SHA256_TAG) != sha256:
        client.set_model_version_tag(name, version.version, MODEL_SHA256_TAG, sha256)
    began = "" if tracked.started_at is None else tracked.started_at.astimezone(UTC).isoformat()
    client.set_model_version_tag(name, version.version, STARTED_TAG, began)
    if not _is_superseded(client, name, tracked, began):
        client.set_registered_model_alias(name, tracked.stage.lower(), version.version)
    return int(version.version)


def _is_superseded(client: "MlflowClient", name: str, tracked: TrackedRun, began: str) -> bool:
    """Return whether the alias names a model that was trained later; a model that is logged late does not take it."""
    alias = client.get_registered_model(name).aliases.get(tracked.stage.lower())
    if alias is None or not began:
        return False
    return str(client.get_model_version(name, alias).tags.get(STARTED_TAG, "")) > began


def _version_of(client: "MlflowClient", name: str, run_id: str) -> "ModelVersion | None":
    found = client.search_model_versions(f"run_id = '{run_id}'")
    return min((one for one in found if one.name == name), key=lambda one: int(one.version), default=None)


def _create_model(client: "MlflowClient", name: str, tracked: TrackedRun) -> None:
    """Create the registered model if it does not exist; another experiment may create it concurrently."""
    from mlflow.exceptions import MlflowException

    shown = ("algorithm", "problem_type")
    tags = {name: cut(value, LONGEST_REGISTERED) for name, value in tracked.tags.items() if name in shown}
    try:
        client.create_registered_model(name, tags=tags)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        if "already taken by a prompt" in error.message:
            raise TrackingRefused(
                f"MLflow has a prompt with the name {name}, so it accepts no model of that name: delete the prompt, "
                "then run `e2i track --catch-up`"
            ) from None


def promote(client: "MlflowClient", name: str, version: int, champion: int | None) -> None:
    """Set the champion alias, and set the challenger alias to this version unless it is the champion."""
    aliases = dict(client.get_registered_model(name).aliases)
    wanted = {CHAMPION: champion, CHALLENGER: None if version == champion else version}
    for alias, number in wanted.items():
        if number is not None and str(aliases.get(alias)) != str(number):
            client.set_registered_model_alias(name, alias, str(number))
        elif number is None and alias == CHALLENGER and alias in aliases:
            client.delete_registered_model_alias(name, alias)


def set_champion(client: "MlflowClient", name: str, version: int | None) -> None:
    """Set the champion alias of a registered model, or remove it. Its versions and the challenger alias stay."""
    if version is not None:
        client.set_registered_model_alias(name, CHAMPION, str(version))
    elif CHAMPION in dict(client.get_registered_model(name).aliases):
        client.delete_registered_model_alias(name, CHAMPION)


def champion_version(client: "MlflowClient", name: str) -> str | None:
    """Return the version with the champion alias, or None."""
    found = dict(client.get_registered_model(name).aliases).get(CHAMPION)
    return None if found is None else str(found)
