"""Every promise of every asset, in the order of the graph, and which experiments they can be judged for."""

from e2i_assets.adapters.promises import (
    best_hyperparameters,
    champion_model,
    dataset,
    hpo_pattern_memory,
    hpo_study,
    judgement,
    leakage,
    trained_model,
    validation_splits,
    warm_start,
)
from e2i_assets.adapters.promises.promise import Promise
from e2i_assets.adapters.stores.experiment_store import ExperimentStore
from e2i_assets.adapters.workspace import Workspace

PROMISES: tuple[Promise, ...] = (
    *dataset.PROMISES,
    *validation_splits.PROMISES,
    *leakage.PROMISES,
    *warm_start.PROMISES,
    *hpo_study.PROMISES,
    *best_hyperparameters.PROMISES,
    *trained_model.PROMISES,
    *judgement.PROMISES,
    *champion_model.PROMISES,
    *hpo_pattern_memory.PROMISES,
)


def experiments_with(workspace: Workspace, asset: str) -> list[str]:
    """Return the active experiments for which a value of the asset is stored."""
    names = [row.experiment_name for row in ExperimentStore(workspace.database).list()]
    return [name for name in names if workspace.asset_folder(asset, name).is_dir()]
