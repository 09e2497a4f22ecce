"""A fitted model as a self-contained MLflow model folder: it loads without `e2i_assets` and without pickle.

The folder contains the code that loads the model: a copy of some files of `core/fitting` (`_LOADER`).
"""

import importlib
import inspect
import json
import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from e2i_assets.adapters.files.atomic_directory import replacing
from e2i_assets.adapters.library_versions import library_version
from e2i_assets.adapters.mlflow.client import bounded_environment
from e2i_assets.adapters.mlflow.models import save_model
from e2i_assets.adapters.mlflow.tracked_run import MODEL_SHA256_TAG
from e2i_assets.core.content_hash import content_hash
from e2i_assets.core.fitting import averaged_model, date_parts, fitted_model, served_cells, served_model, trusted_types
from e2i_assets.core.fitting.averaged_model import Model
from e2i_assets.core.fitting.served_model import METHODS

if TYPE_CHECKING:
    import pandas as pd

    from mlflow.models import ModelSignature

_MLFLOW_TYPES = {"b": "boolean", "i": "long", "u": "long", "f": "double"}
_ALWAYS_NEEDED = ("mlflow", "numpy", "pandas", "scikit-learn", "skops")
_LOADER = (served_model, averaged_model, fitted_model, date_parts, served_cells, trusted_types)
_BOOSTERS = ("catboost", "lightgbm", "xgboost")
COLUMNS_KEY, THRESHOLD_KEY = "e2i.columns", "e2i.decision_threshold"


def save_mlflow_model(
    model: Model, folder: Path, input_example: "pd.DataFrame", metadata: Mapping[str, str] | None = None
) -> str:
    """Write a folder that ``mlflow.pyfunc.load_model`` opens without this package.

    Its ``predict`` has the parameter ``method``: ``predict`` (decisions at the model's threshold, or values) or
    ``predict_proba`` (a column of probabilities for each class).

    Args:
        model: A fitted model.
        folder: The target, written in one step; an existing folder is replaced.
        input_example: A few rows of features, in the column types that the model was fitted on.
        metadata: Metadata that MLflow shows with the model.

    Returns:
        The SHA-256 of the model's archive.

    Raises:
        ModelInvalid: The model cannot be stored.
    """
    pyfunc = _pyfunc()
    example = input_example[model.feature_names_in_].reset_index(drop=True)
    example = example.astype({name: object for name in example.select_dtypes("category").columns})
    with tempfile.TemporaryDirectory() as scratch, replacing(folder, 0o755) as fresh, _quiet():
        data, loader = Path(scratch, "model"), _written_loader(Path(scratch))
        digest = save_model(model, data)
        pyfunc.save_model(
            path=str(fresh),
            loader_module=f"{loader.name}.served_model",
            data_path=str(data),
            code_paths=[str(loader)],
            signature=_signature(model, example),
            input_example=example,
            pip_requirements=_requirements(model),
            metadata={**(metadata or {}), **_facts(model), MODEL_SHA256_TAG: digest},
            # Otherwise MLflow searches the current folder for a lock file and copies it into the model.
            uv_project_path=scratch,
        )
    return digest


def _pyfunc() -> ModuleType:
    bounded_environment()
    with warnings.catch_warnings():
        # MLflow's first import warns about one of its own type hints, which cannot be fixed here.
        warnings.filterwarnings("ignore", message=".*Any type hint is inferred as AnyType", category=UserWarning)
        return importlib.import_module("mlflow.pyfunc")


@contextmanager
def _quiet() -> Iterator[None]:
    """Suppress MLflow's messages that it validates the example, and that an environment made by uv has no pip.

    The requirements are not compared with the installed versions, which they are: MLflow would read the list of files
    of every installed package, which takes half a CPU second.
    """
    environment: Any = importlib.import_module("mlflow.utils.environment")
    compared = environment.warn_dependency_requirement_mismatches
    loggers = [logging.getLogger(name) for name in ("mlflow.pyfunc", "mlflow.utils.environment")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    environment.warn_dependency_requirement_mismatches = lambda _: None
    try:
        yield
    finally:
        environment.warn_dependency_requirement_mismatches = compared
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _written_loader(folder: Path) -> Path:
    """Write the package that loads the model, under a name that contains a hash of the code.

    Python imports a module name once per process, so models with different code need different names.
    """
    code = {f"{module.__name__.rpartition('.')[2]}.py": inspect.getsource(module) for module in _LOADER}
    path = folder / f"e2i_model_{content_hash(code)[:12]}"
    path.mkdir()
    for name, text in {"__init__.py": "", **code}.items():
        (path / name).write_text(text, encoding="utf-8")
    return path


def _requirements(model: Model) -> list[str]:
    """Return exact versions. MLflow would infer them in a process that loads the model, which takes seconds."""
    package = type(model.models[0].estimator).__module__.partition(".")[0]
    needed = [*_ALWAYS_NEEDED, *(name for name in _BOOSTERS if name == package)]
    return [f"{name}=={library_version(name)}" for name in needed]


def _facts(model: Model) -> dict[str, str]:
    """Return what the signature does not contain: the kind of each column, and the threshold."""
    threshold = {} if model.threshold is None else {THRESHOLD_KEY: repr(model.threshold)}
    return {COLUMNS_KEY: json.dumps(model.column_kinds), **threshold}


def _signature(model: Model, example: "pd.DataFrame") -> "ModelSignature":
    """Return a signature with the column names, without types, and with the type of a decision.

    MLflow rejects a missing integer for ``long``, whole numbers for ``double`` and categories for ``string``. The model
    itself accepts all of these, and rejects text in a column of numbers.
    """
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema
    from mlflow.types.schema import AnyType

    from mlflow.models import ModelSignature

    decisions = model.predict(example)
    return ModelSignature(
        inputs=Schema([ColSpec(AnyType(), name) for name in model.feature_names_in_]),  # type: ignore[no-untyped-call]
        outputs=Schema([ColSpec(_MLFLOW_TYPES.get(decisions.dtype.kind, "string"))]),
        params=ParamSchema([ParamSpec("method", DataType.string, METHODS[0])]),
    )
