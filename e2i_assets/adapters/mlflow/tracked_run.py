"""What is tracked of a training, and what became of it: values, and the rules that they have to meet."""

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
# How many characters MLflow stores of each kind of text: it refuses longer ones, or cuts them without a mark.
LONGEST_PARAM, LONGEST_TAG, LONGEST_EXPERIMENT_TAG = 6000, 8000, 20_000
LONGEST_REGISTERED = 5000  # a description or a tag in the model registry
LONGEST_NAME = 250  # of a run
_LONGEST_FAILURE = 2000

TrackingStatus = Literal["logged", "refused", "unavailable", "disabled"]


class TrackingRefused(E2iError):
    """What was to be logged is not a legal value, or contradicts what the same run holds already."""


@dataclass(frozen=True, slots=True)
class TrackedRun:
    """One training, as MLflow is to show it.

    Attributes:
        experiment_name: MLflow experiment, found or created.
        run_key: Identity of the training: the same key is the same MLflow run, however often it is logged.
        run_name: Shown in MLflow; as is ``description``.
        dagster_run_id: By which `Tracker.close_stale` finds a run whose process died.
        params: By name, hyperparameters with their prefix (see `hyperparameters`). They cannot change afterwards.
        metrics: Finite numbers by name.
        documents: File name to a JSON document, logged under exactly that name at the artifact root.
        tables: File name, which ends in ``.json``, to rows; MLflow shows them as a table and compares them over runs.
        figures: File name to its bytes: PNGs, and whatever else a person opens, such as an HTML report.
        history: What the metrics of the trials were, one point a trial.
        data: Name and content hash of the rows, which MLflow shows as the dataset of the run.
        model_folder: An MLflow model folder, logged under ``model``.
        registered_model_name: The model that it becomes a version of, None to register nothing.
        stage: Stage of the contract; its lower-case name is the alias of the version.
        started_at: When the training began; None for the moment of logging.
        failure: Why it came to nothing: the run ends FAILED and says this. None for one that came to its end.
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
    """What became of it. Every id is one that MLflow gave; where there is none, ``reason`` says why."""

    status: TrackingStatus
    run_id: str | None = None
    experiment_id: str | None = None
    model_uri: str | None = None
    registered_model_name: str | None = None
    version: int | None = None
    stage: str | None = None
    reason: str | None = None


def hyperparameters(values: Mapping[str, object]) -> dict[str, object]:
    """Return the parameters under the names that MLflow shows: prefixed with ``hp_``, private ones left out."""
    return {f"hp_{name}": value for name, value in values.items() if not name.startswith("_")}


def cut(text: str, limit: int) -> str:
    """Return a text within a limit of MLflow; a longer one ends with a mark that says how long it was."""
    if len(text) <= limit:
        return text
    mark = f" [cut from {len(text):,} characters]"
    return text[: limit - len(mark)] + mark


def param_text(value: object) -> str:
    """Return the text that MLflow keeps of a parameter: JSON for lists and mappings, else as Python writes it."""
    item = getattr(value, "item", None)
    plain = item() if callable(item) else value
    text = json.dumps(plain, sort_keys=True) if isinstance(plain, list | tuple | dict) else str(plain)
    return cut(text, LONGEST_PARAM)


def all_tags(run: TrackedRun) -> dict[str, str]:
    """Return the tags of the MLflow run, those by which it is found again among them."""
    described = {"mlflow.note.content": run.description} if run.description else {}
    dagster = {DAGSTER_RUN_TAG: run.dagster_run_id} if run.dagster_run_id else {}
    # By which MLflow's own pages know which files are tables.
    tables = [{"path": name, "type": "table"} for name in run.tables]
    shown = {LOGGED_ARTIFACTS_TAG: json.dumps(tables)} if tables else {}
    failed = {FAILURE_TAG: cut(run.failure, _LONGEST_FAILURE)} if run.failure else {}
    every = {**run.tags, **described, **dagster, **shown, **failed, RUN_KEY_TAG: run.run_key}
    return {name: cut(value, LONGEST_TAG) for name, value in every.items()}


def experiment_tags(run: TrackedRun) -> dict[str, str]:
    """Return the tags of the MLflow experiment."""
    return {name: cut(value, LONGEST_EXPERIMENT_TAG) for name, value in run.experiment_tags.items()}


def require_legal(run: TrackedRun) -> None:
    """Check what MLflow would take without a word, or refuse only half way through.

    Raises:
        TrackingRefused: A metric is not finite; every one of them is named.
    """
    named = [*run.metrics.items(), *((f"{point.name} of trial {point.step}", point.value) for point in run.history)]
    endless = [f"{name} = {value}" for name, value in named if not _is_finite(value)]
    if endless:
        raise TrackingRefused(f"metrics that are not finite numbers are not logged: {', '.join(endless)}")


def _is_finite(value: object) -> bool:
    return isinstance(value, Real) and math.isfinite(value)
