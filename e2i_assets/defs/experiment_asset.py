"""What every asset of the graph has in common: parted by experiment, owned, versioned, patient with what may heal."""

from collections.abc import Callable, Sequence
from typing import Any

import dagster as dg

from e2i_assets.defs.partitions import experiments
from e2i_assets.defs.retries import with_retries


def experiment_asset(
    group: str,
    *kinds: str,
    deps: Sequence[str] = (),
    pool: str | None = None,
    automation: dg.AutomationCondition[Any] | None = None,
    freshness: dg.FreshnessPolicy | None = None,
) -> Callable[[Callable[..., object]], dg.AssetsDefinition]:
    """Make an asset of the graph.

    Args:
        group: Stage of the graph that it belongs to.
        kinds: Shown beside it.
        deps: Assets that come before it without handing it their value.
        pool: Of which only so many run at a time, whatever experiment they belong to.
        automation: When it is made without being asked for.
        freshness: How old it may be.
    """
    made = dg.asset(
        partitions_def=experiments,
        group_name=group,
        kinds=set(kinds),
        tags={"e2i/stage": group},
        owners=["team:data-science"],
        code_version="1",
        deps=deps,
        pool=pool,
        automation_condition=automation,
        freshness_policy=freshness,
    )
    return lambda compute: made(with_retries(compute))
