"""Logs values, files, the model and the final status to the MLflow run with a given id."""

import json
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from e2i_assets.adapters.mlflow.tracked_run import (
    LONGEST_NAME,
    MODEL_FOLDER,
    MODEL_SHA256_TAG,
    RUN_KEY_TAG,
    TrackedRun,
    TrackingRefused,
    all_tags,
    cut,
    param_text,
)

if TYPE_CHECKING:
    from mlflow.entities import Run

    from mlflow import MlflowClient

_LONGEST_DIGEST = 36


def found_run(client: "MlflowClient", experiment_ids: list[str], run_key: str) -> "Run | None":
    """Return the run with this key, or None; the oldest one if a user has copied it."""
    query = f"tags.`{RUN_KEY_TAG}` = '{run_key}'"
    found = client.search_runs(experiment_ids, query, max_results=1, order_by=["attributes.start_time ASC"])
    return found[0] if found else None


def opened_run(client: "MlflowClient", experiment_id: str, tracked: TrackedRun) -> "Run":
    """Find or create the run with this key and set its status to RUNNING.

    Raises:
        TrackingRefused: The run exists with other parameters; it stays unchanged.
    """
    run = found_run(client, [experiment_id], tracked.run_key)
    name = cut(tracked.run_name, LONGEST_NAME)
    if run is None:
        began = None if tracked.started_at is None else round(tracked.started_at.timestamp() * 1000)
        return client.create_run(experiment_id, began, all_tags(tracked), name)
    _require_same_params(run, tracked)
    client.update_run(run.info.run_id, status="RUNNING", name=name)
    return run


@contextmanager
def ended(client: "MlflowClient", run_id: str, tracked: TrackedRun) -> Iterator[None]:
    """Set the final status of the run: FINISHED, or FAILED after a failed training or an exception in the block."""
    outcome = "FAILED"
    try:
        yield
        outcome = "FAILED" if tracked.failure else "FINISHED"
    finally:
        client.set_terminated(run_id, status=outcome)


def log_values(client: "MlflowClient", run: "Run", tracked: TrackedRun) -> None:
    """Log parameters, tags and metrics in one batch; an unchanged metric gets no second point."""
    from mlflow.entities import Metric, Param, RunTag

    now = time.time_ns() // 1_000_000
    client.log_batch(
        run.info.run_id,
        metrics=[
            Metric(name, float(value), now, 0)
            for name, value in tracked.metrics.items()
            if run.data.metrics.get(name) != float(value)
        ],
        params=[Param(name, param_text(value)) for name, value in tracked.params.items()],
        tags=[RunTag(name, value) for name, value in all_tags(tracked).items()],
    )


def log_data(client: "MlflowClient", run: "Run", data: tuple[str, str]) -> None:
    """Log the rows as the dataset of the run, with their hash cut to MLflow's length; again it has no effect."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    name, content_hash = data
    dataset = Dataset(name, content_hash[:_LONGEST_DIGEST], "e2i_assets", json.dumps({"data_hash": content_hash}))
    client.log_inputs(run.info.run_id, datasets=[DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])


def log_files(client: "MlflowClient", run: "Run", content: Mapping[str, bytes]) -> None:
    """Log files under exactly these names."""
    if not content:
        return
    with tempfile.TemporaryDirectory() as scratch:
        for name, written in content.items():
            path = Path(scratch, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(written)
        client.log_artifacts(run.info.run_id, scratch)


def log_model(client: "MlflowClient", run: "Run", folder: Path) -> str:
    """Log an MLflow model folder under ``model``, unless this model is logged already; return its hash.

    It is logged as artifacts of the run and not as a "logged model" of MLflow 3, whose clients look it up at the
    address in the environment instead of their own address.
    """
    from mlflow.models import Model

    described = Model.load(str(folder))
    sha256 = str((described.metadata or {}).get(MODEL_SHA256_TAG, ""))
    if not sha256 or run.data.tags.get(MODEL_SHA256_TAG) != sha256:
        client.log_artifacts(run.info.run_id, str(folder), MODEL_FOLDER)
        client.set_tag(run.info.run_id, MODEL_SHA256_TAG, sha256)
    return sha256


def _require_same_params(run: "Run", tracked: TrackedRun) -> None:
    given = {name: param_text(value) for name, value in tracked.params.items()}
    differing = [
        f"{name} is {stored} in MLflow and {f'now {given[name]}' if name in given else 'no longer set'}"
        for name, stored in sorted(run.data.params.items())
        if given.get(name) != stored
    ]
    if differing:
        raise TrackingRefused(
            f"MLflow run {run.info.run_id} has the same run key but other parameters: {'; '.join(differing)}. "
            "It was left unchanged; delete it in MLflow to log this training in its place"
        )


def artifact_files(run: TrackedRun) -> dict[str, bytes]:
    """Return all files of a run as bytes, by name.

    Raises:
        TrackingRefused: A document is not valid JSON, or contains a number that is not finite.
    """
    documents = {**run.documents, **{name: _table(rows) for name, rows in run.tables.items()}}
    return {**{name: _json(name, document) for name, document in documents.items()}, **run.figures}


def require_file_names(names: Iterable[str]) -> None:
    """Check that each name is a path below the artifact root and outside the model folder.

    Raises:
        TrackingRefused: Some names are invalid; the message lists them.
    """
    paths = {name: PurePosixPath(name) for name in names}
    invalid = [
        name
        for name, path in paths.items()
        if path.is_absolute() or ".." in path.parts or path.parts[:1] in ((), (MODEL_FOLDER,))
    ]
    if invalid:
        raise TrackingRefused(
            f"not a name for an artifact: {', '.join(map(repr, invalid))}; give a relative path without .. and outside "
            f"{MODEL_FOLDER}/"
        )


def _table(rows: Sequence[Mapping[str, object]]) -> dict[str, Any]:
    """Return a table in MLflow's format: the column names, and a list of values per row."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return {"columns": columns, "data": [[row.get(name) for name in columns] for row in rows]}


def _json(name: str, document: Any) -> bytes:
    try:
        return json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError) as error:
        raise TrackingRefused(f"{name} cannot be written as JSON: {error}") from error
