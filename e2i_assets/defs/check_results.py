"""The last results of the checks by experiment, from Dagster's event log. Nothing is evaluated."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from itertools import takewhile

import dagster as dg

from e2i_assets.defs.dagster_internals import AssetCheckExecutionRecordStatus, PartitionKeyFilter
from e2i_assets.defs.namespace import Namespace, asset_name
from e2i_assets.services.checks.catalogue import CHECKS
from e2i_assets.services.checks.check import Outcome
from e2i_assets.services.overview import CheckOutcome

# Of a check that fails, the nightly ones of about three months.
_MOST_EXECUTIONS = 100
_OUTCOMES: dict[AssetCheckExecutionRecordStatus, Outcome] = {
    AssetCheckExecutionRecordStatus.SUCCEEDED: "passed",
    AssetCheckExecutionRecordStatus.FAILED: "failed",
    # Planned, and not evaluated: its step failed, or is running.
    AssetCheckExecutionRecordStatus.PLANNED: "not evaluated",
}
_EVALUATED = {status for status, outcome in _OUTCOMES.items() if outcome != "not evaluated"}


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
    keys = [dg.AssetCheckKey(namespace.key(one.asset), one.name) for one in CHECKS]
    for info in instance.event_log_storage.get_asset_check_partition_info(keys):
        outcome, name = _OUTCOMES.get(info.latest_execution_status), info.partition_key
        if name is None or outcome is None:
            continue
        failed = outcome == "failed"
        key = info.check_key
        found[name].append(_failed(instance, key, PartitionKeyFilter(key=name)) if failed else _named(key, outcome))
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


def _latest(instance: dg.DagsterInstance, keys: Sequence[dg.AssetCheckKey]) -> list[CheckOutcome]:
    """Return the last results of some checks without partitions."""
    records = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    outcomes = {key: _OUTCOMES[one.status] for key, one in records.items() if one.status in _OUTCOMES}
    return [
        _failed(instance, key) if outcome == "failed" else _named(key, outcome) for key, outcome in outcomes.items()
    ]


def _failed(
    instance: dg.DagsterInstance, key: dg.AssetCheckKey, partition: PartitionKeyFilter | None = None
) -> CheckOutcome:
    """Return the result of a check that failed last: its reason, and the first failure since it passed.

    If it failed in all of the last executions that are read, that is the first one of them.
    """
    history = instance.event_log_storage.get_asset_check_execution_history(
        key, _MOST_EXECUTIONS, status=_EVALUATED, partition_filter=partition
    )
    failures = list(takewhile(lambda one: _OUTCOMES[one.status] == "failed", history))
    # The column `create_timestamp` has whole seconds on SQLite, and is when the check was planned.
    events = [one.event for one in failures if one.event]
    evaluation = failures[0].evaluation if failures else None
    return CheckOutcome(
        asset=asset_name(key.asset_key),
        name=key.name,
        outcome="failed",
        why=(evaluation.description or "") if evaluation else "",
        since=datetime.fromtimestamp(events[-1].timestamp, UTC) if events else None,
    )


def _named(key: dg.AssetCheckKey, outcome: Outcome) -> CheckOutcome:
    return CheckOutcome(asset_name(key.asset_key), key.name, outcome)
