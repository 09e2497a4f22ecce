"""What is made of its own accord when somebody trains a model alone, decided by Dagster itself."""

import dagster as dg

from e2i_assets.definitions import defs

FOLLOWERS = ["champion_model", "hpo_pattern_memory"]
CHAIN = ["dataset", "validation_splits", "warm_start", "hpo_study", "best_hyperparameters", "trained_model", *FOLLOWERS]


def requested(instance: dg.DagsterInstance, cursor) -> tuple[dict[str, int], object]:
    every = dg.AssetSelection.assets(*CHAIN)
    result = dg.evaluate_automation_conditions(defs(), instance, asset_selection=every, cursor=cursor)
    return {name: result.get_num_requested(dg.AssetKey(name)) for name in CHAIN}, result.cursor


def made(instance: dg.DagsterInstance, names: list[str], partition: str = "one") -> None:
    for name in names:
        instance.report_runless_asset_event(dg.AssetMaterialization(name, partition=partition))


def test_a_model_that_is_trained_alone_is_followed_once_and_a_whole_run_by_nothing() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("experiment", ["one", "two"])
        nothing = dict.fromkeys(CHAIN, 0)
        counts, cursor = requested(instance, None)
        assert counts == nothing
        made(instance, CHAIN)
        counts, cursor = requested(instance, cursor)
        assert counts == nothing
        made(instance, ["trained_model"])
        counts, cursor = requested(instance, cursor)
        assert counts == nothing | dict.fromkeys(FOLLOWERS, 1)
        # Asked for, and not again, whatever became of it.
        counts, cursor = requested(instance, cursor)
        assert counts == nothing
        made(instance, FOLLOWERS)
        counts, cursor = requested(instance, cursor)
        assert counts == nothing
