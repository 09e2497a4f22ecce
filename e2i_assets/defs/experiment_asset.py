"""The decorator for all assets of the graph: partitions, owners, code version, retries of transient errors."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import dagster as dg

from e2i_assets.adapters.source_digest import source_digest
from e2i_assets.adapters.transient_errors import is_transient
from e2i_assets.defs.partitions import experiments

MOST_RETRIES = 4
_FIRST_WAIT_SECONDS = 5
# Both assets take seconds. Without this condition, a new model would have an outdated champion decision and memory.
# In a run of the whole graph nothing is requested, as both are materialized anyway. A failure is not requested again.
AFTER_TRAINING = dg.AutomationCondition.eager().with_label("after the model")


def experiment_asset(
    group: str,
    *kinds: str,
    code: Sequence[str],
    deps: Sequence[str] = (),
    pool: str | None = None,
    automation: dg.AutomationCondition[Any] | None = None,
    freshness: dg.FreshnessPolicy | None = None,
) -> Callable[[Callable[..., object]], dg.AssetsDefinition]:
    """Return a decorator that makes a function an asset of the graph.

    Args:
        group: Group (stage) of the asset.
        kinds: Kinds that the Dagster UI shows for the asset.
        code: Folders and files of the package that determine its value; the code version changes with them.
        deps: Upstream assets whose values are not inputs.
        pool: Concurrency pool, which limits the concurrent steps of all experiments.
        automation: Condition for automatic materialization.
        freshness: Freshness policy.
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
    """Return the delay before a retry (counted from 0): 5, 20, 80 and 320 seconds, about seven minutes in all."""
    return int(_FIRST_WAIT_SECONDS * 4**retry)


def with_retries(compute: Callable[..., object]) -> Callable[..., object]:
    """Wrap an asset function: a transient error requests a retry from Dagster."""

    @wraps(compute)
    def tried(context: dg.AssetExecutionContext, *args: Any, **inputs: Any) -> object:
        try:
            return compute(context, *args, **inputs)
        except Exception as error:
            if not is_transient(error):
                raise
            wait = wait_seconds(min(context.op_execution_context.retry_number, MOST_RETRIES))
            context.log.warning(f"{type(error).__name__} is transient: retry in {wait} s. {error}")
            raise dg.RetryRequested(max_retries=MOST_RETRIES, seconds_to_wait=wait) from error

    return tried
