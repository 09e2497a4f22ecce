"""The last results of the checks by experiment, from Dagster's event log. Nothing is evaluated."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

import dagster as dg

from e2i_assets.defs.dagster_internals import AssetCheckExecutionRecordStatus, PartitionKeyFilter
from e2i_assets.defs.namespace import Namespace, asset_name
from e2i_assets.services.checks.catalogue import CHECKS
from e2i_assets.services.checks.check import Outcome
from e2i_assets.services.overview import CheckOutcome

_OUTCOMES: dict[AssetCheckExecutionRecordStatus, Outcome] = {
    AssetCheckExecutionRecordStatus.SUCCEEDED: "passed",
    AssetCheckExecutionRecordStatus.FAILED: "failed",
    # Planned, and not evaluated: its step failed, or is running.
    AssetCheckExecutionRecordStatus.PLANNED: "not evaluated",
}


def check_results(
    instance: dg.DagsterInstance, namespace: Namespace, components: Collection[str] = ()
) -> dict[str, list[CheckOutcome]]:
    """Return the last result of each check of each experiment.

    With ``E2I_PARTITIONED_CHECKS=off``, only components have results.

    Args:
        instance: The Dagster instance.
        namespace: The namespace of the asset keys.
        components: The experiments of components, whose assets have keys of their own.
    """
    found: dict[str, list[CheckOutcome]] = defaultdict(list)
    failed: dict[str, list[dg.AssetCheckKey]] = defaultdict(list)
    keys = [dg.AssetCheckKey(namespace.key(one.asset), one.name) for one in CHECKS]
    for info in instance.event_log_storage.get_asset_check_partition_info(keys):
        outcome, name = _OUTCOMES.get(info.latest_execution_status), info.partition_key
        if name is None or outcome is None:
            continue
        if outcome == "failed":
            failed[name].append(info.check_key)
        else:
            found[name].append(_named(info.check_key, outcome))
    for name, of in failed.items():
        found[name] += _latest(instance, of, PartitionKeyFilter(key=name))
    return {**found, **_of_components(instance, components)}


def _of_components(instance: dg.DagsterInstance, names: Collection[str]) -> Mapping[str, list[CheckOutcome]]:
    """Return the results of experiments without partitions, whose assets are found by the end of their keys."""
    if not names:
        return {}
    paths = {
        key.path[-2]: key.path[:-1] for key in instance.get_asset_keys() if len(key.path) > 1 and key.path[-2] in names
    }
    return {
        name: _latest(instance, [dg.AssetCheckKey(dg.AssetKey([*path, one.asset]), one.name) for one in CHECKS])
        for name, path in paths.items()
    }


def _latest(
    instance: dg.DagsterInstance, keys: Sequence[dg.AssetCheckKey], partition: PartitionKeyFilter | None = None
) -> list[CheckOutcome]:
    """Return the last results of some checks, with the reason of each that failed."""
    records = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys, partition)
    return [
        _named(key, _OUTCOMES[one.status], (one.evaluation.description or "") if one.evaluation else "")
        for key, one in records.items()
        if one.status in _OUTCOMES
    ]


def _named(key: dg.AssetCheckKey, outcome: Outcome, why: str = "") -> CheckOutcome:
    return CheckOutcome(asset_name(key.asset_key), key.name, outcome, why if outcome == "failed" else "")
