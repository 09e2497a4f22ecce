"""One MLflow run, written to by explicit id: its values, its files, its model, and how it ends."""

import json
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

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
    """Return the run of this key; the first, should a person have copied one."""
    query = f"tags.`{RUN_KEY_TAG}` = '{run_key}'"
    found = client.search_runs(experiment_ids, query, max_results=1, order_by=["attributes.start_time ASC"])
    return found[0] if found else None


def opened_run(client: "MlflowClient", experiment_id: str, tracked: TrackedRun) -> "Run":
    """Find or create the run of this key, and have it say RUNNING.

    Raises:
        TrackingRefused: It is there, and its parameters are others. It stays as it is.
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
    """End the run FINISHED, or FAILED when its training was, or when anything interrupts what is done inside."""
    outcome = "FAILED"
    try:
        yield
        outcome = "FAILED" if tracked.failure else "FINISHED"
    finally:
        client.set_terminated(run_id, status=outcome)


def log_values(client: "MlflowClient", run: "Run", tracked: TrackedRun) -> None:
    """Log parameters, tags and metrics in one batch; a metric that is there already gets no second point."""
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
    """Name the rows as the dataset of the run, by as much of their hash as MLflow takes; twice is once."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    name, content_hash = data
    dataset = Dataset(name, content_hash[:_LONGEST_DIGEST], "e2i_assets", json.dumps({"data_hash": content_hash}))
    client.log_inputs(run.info.run_id, datasets=[DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])


def log_files(client: "MlflowClient", run: "Run", content: Mapping[str, bytes]) -> None:
    """Log files under exactly their names."""
    if not content:
        return
    with tempfile.TemporaryDirectory() as scratch:
        for name, written in content.items():
            path = Path(scratch, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(written)
        client.log_artifacts(run.info.run_id, scratch)


def log_model(client: "MlflowClient", run: "Run", folder: Path) -> str:
    """Log an MLflow model folder under ``model``, unless this very model is there; returns its hash.

    As artifacts of the run, and not as what MLflow 3 calls a logged model: its clients look those up at the address
    that the environment names, whichever address they were given.
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
        f"{name} is {kept}, not {given.get(name, 'given any more')}"
        for name, kept in sorted(run.data.params.items())
        if given.get(name) != kept
    ]
    if differing:
        raise TrackingRefused(
            f"MLflow run {run.info.run_id} has the same spec hash but other parameters: {'; '.join(differing)}. "
            "It was left as it is; delete it in MLflow to log this training in its place"
        )
