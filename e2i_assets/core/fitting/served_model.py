"""What a stored model loads as: its archive, and the interface that MLflow calls.

Like `fitted_model`, this file is copied into every stored model and imports no other module of `e2i_assets`.
"""

from pathlib import Path
from typing import Any

import pandas as pd

from . import trusted_types  # noqa: TID252
from .averaged_model import AveragedModel, Model  # noqa: TID252
from .fitted_model import Array, FittedModel  # noqa: TID252

ARCHIVE = "model.skops"
METHODS = ("predict", "predict_proba")


def restored(parts: Any) -> Model:
    """Return the model of its stored parts.

    Raises:
        TypeError: They are not the parts of a model.
    """
    if not isinstance(parts, dict) or "models" not in parts:
        return FittedModel(**parts)
    of, rest = parts["models"], {name: part for name, part in parts.items() if name != "models"}
    if not isinstance(of, list) or not of or not all(isinstance(one, dict) for one in of):
        raise TypeError("models are no list of models")
    return AveragedModel([FittedModel(**one) for one in of], **rest)


class Served:
    """The interface that MLflow calls."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def predict(self, frame: pd.DataFrame, params: dict[str, Any] | None = None) -> Array | pd.DataFrame:
        """Return labels or values; with ``method`` ``predict_proba``, a column of probabilities for each class."""
        method = (params or {}).get("method", METHODS[0])
        if method not in METHODS:
            raise ValueError(f"method: {method!r} is not known, give {' or '.join(map(repr, METHODS))}")
        if method == "predict":
            return self.model.predict(frame)
        scores = self.model.predict_proba(frame)
        return pd.DataFrame(scores, columns=list(self.model.classes_), index=frame.index)  # type: ignore[arg-type]


def _load_pyfunc(path: str) -> Served:
    """Load the model; MLflow requires this function name."""
    import skops.io

    return Served(restored(skops.io.load(Path(path) / ARCHIVE, trusted=list(trusted_types.TRUSTED_TYPES))))
