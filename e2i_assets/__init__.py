"""Hyperparameter search as Dagster assets. In Python: ``e2i_assets.open("models").experiment("churn").run()``."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from e2i_assets.api.comparing import compare as compare
    from e2i_assets.api.projects import open as open
    from e2i_assets.defs.experiment_component import ExperimentComponent as ExperimentComponent

# Imported on demand: every command and every worker imports this package, and few of them need these.
# `dg` looks for components among these names.
_MODULES = {
    "ExperimentComponent": "e2i_assets.defs.experiment_component",
    "compare": "e2i_assets.api.comparing",
    "open": "e2i_assets.api.projects",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *_MODULES]
