"""The automation conditions, evaluated by Dagster: what is requested after `trained_model` is materialised alone."""

import dagster as dg

from e2i_assets.definitions import defs

DOWNSTREAM = ["champion_model", "hpo_pattern_memory"]
CHAIN = [
    *("dataset", "validation_splits", "warm_start", "hpo_study", "best_hyperparameters", "trained_model"),
    *DOWNSTREAM,
]


def requested(instance: dg.DagsterInstance, cursor) -> tuple[dict[str, int], object]:
    every = dg.AssetSelection.assets(*CHAIN)
    result = dg.evaluate_automation_conditions(defs(), instance, asset_selection=every, cursor=cursor)
    return {name: result.get_num_requested(dg.AssetKey(name)) for name in CHAIN}, result.cursor


def materialise(instance: dg.DagsterInstance, names: list[str], partition: str = "one") -> None:
    for name in names:
        instance.report_runless_asset_event(dg.AssetMaterialization(name, partition=partition))


def test_downstream_assets_are_requested_once_after_a_training_alone_and_never_after_a_full_run() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("experiment", ["one", "two"])
        nothing = dict.fromkeys(CHAIN, 0)
        counts, cursor = requested(instance, None)
        assert counts == nothing
        materialise(instance, CHAIN)
        counts, cursor = requested(instance, cursor)
        assert counts == nothing
        materialise(instance, ["trained_model"])
        counts, cursor = requested(instance, cursor)
        assert counts == nothing | dict.fromkeys(DOWNSTREAM, 1)
        # Requested once, whatever the outcome of the run.
        counts, cursor = requested(instance, cursor)
        assert counts == nothing
        materialise(instance, DOWNSTREAM)
        counts, cursor = requested(instance, cursor)
        assert counts == nothing
