"""The contents of a tracked training and the result of tracking it, with the rules for valid values."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from numbers import Real
from pathlib import Path
from typing import Literal

from e2i_assets.adapters.mlflow.trial_history import Point
from e2i_assets.core.errors import E2iError

RUN_KEY_TAG = "e2i.run_key"
FAILURE_TAG = "e2i.failure"
DAGSTER_RUN_TAG = "e2i.dagster_run_id"
MODEL_SHA256_TAG = "e2i.model_sha256"
LOGGED_ARTIFACTS_TAG = "mlflow.loggedArtifacts"
MODEL_FOLDER = "model"
# Maximum number of characters per kind of text in MLflow, which rejects longer texts or truncates them silently.
LONGEST_PARAM, LONGEST_TAG, LONGEST_EXPERIMENT_TAG = 6000, 8000, 20_000
LONGEST_REGISTERED = 5000  # a description or a tag in the model registry
LONGEST_NAME = 250  # of a run
_LONGEST_FAILURE = 2000

TrackingStatus = Literal["logged", "refused", "unavailable", "disabled"]


class TrackingRefused(E2iError):
    """A value is invalid, or contradicts what the same run already contains."""


@dataclass(frozen=True, slots=True)
class TrackedRun:
    """A training as it is shown in MLflow.

    Attributes:
        experiment_name: MLflow experiment, found or created.
        run_key: Identifies the training: the same key is always the same MLflow run.
        run_name: Shown in MLflow, like ``description``.
        dagster_run_id: Used by `Tracker.close_stale` to find a run whose process died.
        params: By name, hyperparameters with their prefix (see `hyperparameters`). They cannot change afterwards.
        metrics: Finite numbers by name.
        documents: File name to a JSON document, logged under exactly that name at the artifact root.
        tables: File name ending in ``.json`` to rows; MLflow shows them as a table and compares them across runs.
        figures: File name to its bytes: PNGs and other files for users, such as an HTML report.
        history: The metrics of the trials, one point per trial.
        data: Name and content hash of the rows, which MLflow shows as the dataset of the run.
        model_folder: An MLflow model folder, logged under ``model``.
        registered_model_name: The registered model to add a version to; None registers nothing.
        stage: The stage; its lower-case name is the alias of the version.
        started_at: Start of the training; None for the time of logging.
        failure: Reason of a failed training: the run ends FAILED with this reason. None after success.
    """

    experiment_name: str
    run_key: str
    run_name: str
    description: str = ""
    dagster_run_id: str | None = None
    experiment_tags: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, object] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    documents: Mapping[str, object] = field(default_factory=dict)
    tables: Mapping[str, Sequence[Mapping[str, object]]] = field(default_factory=dict)
    figures: Mapping[str, bytes] = field(default_factory=dict)
    history: Sequence[Point] = ()
    data: tuple[str, str] | None = None
    model_folder: Path | None = None
    registered_model_name: str | None = None
    stage: str = "Staging"
    started_at: datetime | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class TrackingResult:
    """The result of tracking. All ids come from MLflow; without a run id, ``reason`` says why."""

    status: TrackingStatus
    run_id: str | None = None
    experiment_id: str | None = None
    model_uri: str | None = None
    registered_model_name: str | None = None
    version: int | None = None
    stage: str | None = None
    reason: str | None = None


def hyperparameters(values: Mapping[str, object]) -> dict[str, object]:
    """Return the parameters under the names shown in MLflow: prefixed with ``hp_``, without private ones."""
    return {f"hp_{name}": value for name, value in values.items() if not name.startswith("_")}


def cut(text: str, limit: int) -> str:
    """Return a text cut to MLflow's limit; a text that was cut ends with its original length."""
    if len(text) <= limit:
        return text
    mark = f" [cut from {len(text):,} characters]"
    return text[: limit - len(mark)] + mark


def param_text(value: object) -> str:
    """Return the text of a parameter in MLflow: JSON for lists and mappings, otherwise Python's representation."""
    item = getattr(value, "item", None)
    plain = item() if callable(item) else value
    text = json.dumps(plain, sort_keys=True) if isinstance(plain, list | tuple | dict) else str(plain)
    return cut(text, LONGEST_PARAM)


def all_tags(run: TrackedRun) -> dict[str, str]:
    """Return the tags of the MLflow run, including those that identify it."""
    described = {"mlflow.note.content": run.description} if run.description else {}
    dagster = {DAGSTER_RUN_TAG: run.dagster_run_id} if run.dagster_run_id else {}
    # MLflow's pages use this tag to recognise table files.
    tables = [{"path": name, "type": "table"} for name in run.tables]
    shown = {LOGGED_ARTIFACTS_TAG: json.dumps(tables)} if tables else {}
    failed = {FAILURE_TAG: cut(run.failure, _LONGEST_FAILURE)} if run.failure else {}
    every = {**run.tags, **described, **dagster, **shown, **failed, RUN_KEY_TAG: run.run_key}
    return {name: cut(value, LONGEST_TAG) for name, value in every.items()}


def experiment_tags(run: TrackedRun) -> dict[str, str]:
    """Return the tags of the MLflow experiment."""
    return {name: cut(value, LONGEST_EXPERIMENT_TAG) for name, value in run.experiment_tags.items()}


def require_legal(run: TrackedRun) -> None:
    """Check for values that MLflow would accept silently, or reject only after part of the run is logged.

    Raises:
        TrackingRefused: Some metrics are not finite; the message lists them.
    """
    named = [*run.metrics.items(), *((f"{point.name} of trial {point.step}", point.value) for point in run.history)]
    invalid = [f"{name} = {value}" for name, value in named if not _is_finite(value)]
    if invalid:
        raise TrackingRefused(f"metrics that are not finite numbers are not logged: {', '.join(invalid)}")


def _is_finite(value: object) -> bool:
    return isinstance(value, Real) and math.isfinite(value)
