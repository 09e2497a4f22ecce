"""A fitted model as an MLflow model folder: signature, example, requirements, and our own loader in place of pickle.

The name of this module is written into every folder, so it has to stay.
"""

import importlib
import importlib.metadata
import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from e2i_assets.adapters.files.atomic_directory import replacing
from e2i_assets.adapters.mlflow.client import bounded_environment
from e2i_assets.adapters.mlflow.models import library_versions, load_model, save_model
from e2i_assets.adapters.mlflow.tracked_run import MODEL_SHA256_TAG
from e2i_assets.core.errors import E2iError
from e2i_assets.core.metrics import Array

if TYPE_CHECKING:
    import pandas as pd
    from mlflow.types import Schema

    from e2i_assets.core.fitting.fitted_model import FittedModel
    from mlflow.models import ModelSignature

_MLFLOW_TYPES = {"b": "boolean", "i": "long", "u": "long", "f": "double", "M": "datetime"}


def save_mlflow_model(
    model: "FittedModel", folder: Path, input_example: "pd.DataFrame", metadata: Mapping[str, str] | None = None
) -> str:
    """Write a folder that ``mlflow.pyfunc.load_model`` opens and that predicts what the model predicts.

    Its ``predict`` takes the parameter ``method``: ``predict`` (labels or values) or ``predict_proba``.

    Args:
        model: A fitted model.
        folder: Where it is put, in one step; what is there is replaced.
        input_example: A few rows of features, in the column types that the model was fitted on.
        metadata: What MLflow shows beside the model.

    Returns:
        The SHA-256 of the model's archive.

    Raises:
        ModelInvalid: The model cannot be stored.
    """
    pyfunc = _pyfunc()
    example = input_example[model.feature_names_in_].reset_index(drop=True)
    example = example.astype({name: object for name in example.select_dtypes("category").columns})
    with tempfile.TemporaryDirectory() as scratch, replacing(folder, 0o755) as fresh, _quiet():
        data = Path(scratch, "model")
        digest = save_model(model, data)
        pyfunc.save_model(
            path=str(fresh),
            loader_module=__name__,
            data_path=str(data),
            signature=_signature(model, example),
            input_example=example,
            pip_requirements=_requirements(),
            metadata={**(metadata or {}), MODEL_SHA256_TAG: digest},
            # Otherwise MLflow looks for a lock file in whatever the current folder is, and copies it along.
            uv_project_path=scratch,
        )
    return digest


def _pyfunc() -> ModuleType:
    bounded_environment()
    with warnings.catch_warnings():
        # MLflow says this about a type hint of its own when it is first imported; nobody here can mend it.
        warnings.filterwarnings("ignore", message=".*Any type hint is inferred as AnyType", category=UserWarning)
        return importlib.import_module("mlflow.pyfunc")


@contextmanager
def _quiet() -> Iterator[None]:
    """Without MLflow's remarks that it checks the example, and that an environment made by uv has no pip."""
    loggers = [logging.getLogger(name) for name in ("mlflow.pyfunc", "mlflow.utils.environment")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _requirements() -> list[str]:
    """Exact versions, given and not inferred: to infer them MLflow would start a process that loads the model."""
    ours = f"e2i_assets=={importlib.metadata.version('e2i_assets')}"
    return [ours, *(f"{name}=={version}" for name, version in library_versions().items())]


def _signature(model: "FittedModel", example: "pd.DataFrame") -> "ModelSignature":
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

    from mlflow.models import ModelSignature

    labels = model.predict(example)
    return ModelSignature(
        inputs=_schema(example),
        outputs=Schema([ColSpec(_MLFLOW_TYPES.get(labels.dtype.kind, "string"))]),
        params=ParamSchema([ParamSpec("method", DataType.string, "predict")]),
    )


def _schema(frame: "pd.DataFrame") -> "Schema":
    """Column names and types. Not MLflow's own inference: that warns about every integer column."""
    from mlflow.types import ColSpec, Schema

    return Schema([ColSpec(_MLFLOW_TYPES.get(dtype.kind, "string"), str(name)) for name, dtype in frame.dtypes.items()])


class _Predictor:
    """What MLflow calls."""

    def __init__(self, model: "FittedModel") -> None:
        self._model = model

    def predict(self, frame: "pd.DataFrame", params: dict[str, Any] | None = None) -> Array:
        method = (params or {}).get("method", "predict")
        if method not in ("predict", "predict_proba"):
            raise E2iError(f"method: {method!r} is not known, give 'predict' or 'predict_proba'")
        return self._model.predict_proba(frame) if method == "predict_proba" else self._model.predict(frame)


def _load_pyfunc(path: str) -> _Predictor:
    """Called by MLflow, by this name."""
    return _Predictor(load_model(Path(path)))
