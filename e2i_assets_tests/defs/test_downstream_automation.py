"""The automation conditions, evaluated by Dagster: what is requested after `trained_model` is materialised alone."""

import dagster as dg
import pytest
from dagster._core.events import StepMaterializationData

from e2i_assets.definitions import defs
from e2i_assets.defs.abandoned_runs import COMMAND_TAGS
from e2i_assets.defs.launched_runs import CAUSE_TAG

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


@pytest.mark.parametrize("tags", [{CAUSE_TAG: "new_experiment"}, COMMAND_TAGS], ids=["of a sensor", "of e2i run"])
def test_a_tick_that_sees_only_a_part_of_a_full_run_requests_nothing(tags: dict[str, str]) -> None:
    """Under load, a tick reads the events before the last assets, and then finds the run ended."""
    job = defs().resolve_job_def("tune_and_train")
    with dg.DagsterInstance.ephemeral() as instance:
        _, cursor = requested(instance, None)
        instance.add_dynamic_partitions("experiment", ["one"])
        _, cursor = requested(instance, cursor)
        for _ in range(2):
            run = instance.create_run_for_job(
                job, tags={**tags, "dagster/partition": "one"}, status=dg.DagsterRunStatus.SUCCESS
            )
            for name in CHAIN[: -len(DOWNSTREAM)]:
                made = StepMaterializationData(dg.AssetMaterialization(name, partition="one"))
                event = dg.DagsterEvent(
                    dg.DagsterEventType.ASSET_MATERIALIZATION.value, job.name, event_specific_data=made
                )
                instance.report_dagster_event(event, run.run_id)
            counts, cursor = requested(instance, cursor)
            assert counts == dict.fromkeys(CHAIN, 0)
            materialise(instance, DOWNSTREAM)
            counts, cursor = requested(instance, cursor)
            assert counts == dict.fromkeys(CHAIN, 0)
