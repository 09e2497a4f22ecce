"""Experiments of components, and the assets of a platform whose rows they read."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.definitions.asset_selection import AssetSelection
from dagster.components.testing import create_defs_folder_sandbox
from sklearn.datasets import load_breast_cancer

from e2i_assets import ExperimentComponent

ASSETS = {
    *("best_hyperparameters", "champion_model", "dataset", "hpo_pattern_memory", "hpo_study", "trained_model"),
    *("validation_splits", "warm_start"),
}


def experiment(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "owner": "team:marketing",
        "description": f"Predicts {name}.",
        "target": "target",
        "problem_type": "binary_classification",
        "algorithm": "LogisticRegression",
        "columns": {"id": ["patient"]},
        "hpo": {"enabled": False},
        "tags": {"domain": "oncology"},
    }


def attributes(name: str, **changes: Any) -> dict[str, Any]:
    rows = {"asset": f"marts/{name}_rows", "read": "uri"}
    return {"experiment": experiment(name), "rows": rows, "key_prefix": ["ml"], **changes}


def mart(name: str, root: Path) -> dg.AssetsDefinition:
    """An asset of the platform that writes rows and says where they are."""

    @dg.asset(key=["marts", f"{name}_rows"])
    def rows() -> dg.MaterializeResult[None]:
        frame = load_breast_cancer(as_frame=True).frame
        frame = frame.assign(patient=[f"p{row}" for row in range(len(frame))])
        path = root / f"{name}.parquet"
        frame.to_parquet(path)
        return dg.MaterializeResult(metadata={"dagster/uri": path.as_uri()})

    return rows


@contextmanager
def loaded(*given: dict[str, Any]) -> Iterator[dg.Definitions]:
    """Load a folder of components as `dg` does."""
    with create_defs_folder_sandbox() as sandbox:
        for number, one in enumerate(given):
            sandbox.scaffold_component(
                component_cls=ExperimentComponent,
                defs_path=f"one_{number}",
                defs_yaml_contents={"type": "e2i_assets.ExperimentComponent", "attributes": one},
            )
        with sandbox.build_all_defs() as definitions:
            yield definitions


def tick(
    platform: dg.Definitions, instance: dg.DagsterInstance, cursor: Any, at: datetime | None = None
) -> tuple[set[dg.AssetKey], Any]:
    """Evaluate the automation of our assets at a moment; return what is requested, and the cursor of the next tick."""
    ours = AssetSelection.all() - AssetSelection.key_prefixes("marts")
    found = dg.evaluate_automation_conditions(platform, instance, ours, cursor=cursor, evaluation_time=at)
    return {one.key for one in found.results if isinstance(one.key, dg.AssetKey) and one.true_subset.size}, found.cursor


def materialize(
    platform: dg.Definitions, instance: dg.DagsterInstance, *keys: dg.AssetKey
) -> dg.ExecuteInProcessResult:
    """Materialize assets with their checks."""
    job = platform.resolve_implicit_global_asset_job_def()
    return job.execute_in_process(instance=instance, asset_selection=list(keys), raise_on_error=False)


def keys_of(name: str) -> set[dg.AssetKey]:
    return {dg.AssetKey(["ml", name, asset]) for asset in ASSETS}
