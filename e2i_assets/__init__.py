"""Hyperparameter search as Dagster assets. The names here are those that Dagster's command `dg` looks for."""

from typing import Any

_COMPONENTS = ("ExperimentComponent",)


def __getattr__(name: str) -> Any:
    # Imported on demand: every command and every worker imports this package, and few of them need Dagster.
    if name in _COMPONENTS:
        from e2i_assets.defs import experiment_component

        return getattr(experiment_component, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *_COMPONENTS]
