"""What Dagster shows of a retired experiment: it is no partition any more, and an event says why.

Without its partition, no status, check or backfill of an asset counts it. Its events and runs stay, and belong to the
partition again when the experiment comes back.
"""

from collections.abc import Mapping

import dagster as dg

from e2i_assets.defs.namespace import Namespace

Event = dg.AssetObservation | dg.AssetMaterialization


def retirement_events(namespace: Namespace, retired: Mapping[str, str]) -> list[Event]:
    """Return the events of experiments that were just retired.

    Args:
        namespace: The namespace of the asset keys.
        retired: The reason by experiment.
    """
    if not retired:
        return []
    reasons = "; ".join(f"{name} ({why})" for name, why in sorted(retired.items()))
    return [
        *(
            dg.AssetObservation(
                namespace.key("champion_model"),
                partition=name,
                description=f"{name} is retired: no model of it is in use",
                metadata={"status": f"retired: {why}"},
            )
            for name, why in sorted(retired.items())
        ),
        dg.AssetMaterialization(
            namespace.key("experiment_files"),
            description=f"retired: {reasons}",
            metadata={"retired": reasons},
        ),
    ]


def withdraw(instance: dg.DagsterInstance, namespace: Namespace, name: str, why: str) -> None:
    """Remove the partition of a retired experiment, and report why."""
    instance.delete_dynamic_partition(namespace.partition_set, name)
    for event in retirement_events(namespace, {name: why}):
        instance.report_runless_asset_event(event)
