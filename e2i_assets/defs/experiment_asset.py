"""What every asset of the graph has in common: parted by experiment, owned, versioned, patient with what may heal."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import dagster as dg

from e2i_assets.adapters.source_digest import source_digest
from e2i_assets.adapters.transient_errors import is_transient
from e2i_assets.defs.partitions import experiments

MOST_RETRIES = 4
_FIRST_WAIT_SECONDS = 5
# Both take seconds, and without them the model would stand beside an older champion and an older memory. In a run of
# the whole graph they are made anyway, and nothing is due. Nothing here asks again for what failed.
AFTER_TRAINING = dg.AutomationCondition.eager().with_label("after its model")


def experiment_asset(
    group: str,
    *kinds: str,
    code: Sequence[str],
    deps: Sequence[str] = (),
    pool: str | None = None,
    automation: dg.AutomationCondition[Any] | None = None,
    freshness: dg.FreshnessPolicy | None = None,
) -> Callable[[Callable[..., object]], dg.AssetsDefinition]:
    """Make an asset of the graph.

    Args:
        group: Stage of the graph that it belongs to.
        kinds: Shown beside it.
        code: Folders and files of the package that decide its value: its code version changes with them.
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
        code_version=source_digest(*code),
        deps=deps,
        pool=pool,
        automation_condition=automation,
        freshness_policy=freshness,
    )
    return lambda compute: made(with_retries(compute))


def wait_seconds(retry: int) -> int:
    """Return how long to wait before a retry, counted from 0: 5, 20, 80 and 320 seconds, seven minutes in all."""
    return int(_FIRST_WAIT_SECONDS * 4**retry)


def with_retries(compute: Callable[..., object]) -> Callable[..., object]:
    """Ask Dagster for another try of an asset when what failed may heal."""

    @wraps(compute)
    def tried(context: dg.AssetExecutionContext, *args: Any, **inputs: Any) -> object:
        try:
            return compute(context, *args, **inputs)
        except Exception as error:
            if not is_transient(error):
                raise
            wait = wait_seconds(min(context.op_execution_context.retry_number, MOST_RETRIES))
            context.log.warning(f"{type(error).__name__}, which may heal: tried again in {wait} s. {error}")
            raise dg.RetryRequested(max_retries=MOST_RETRIES, seconds_to_wait=wait) from error

    return tried
