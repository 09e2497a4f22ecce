"""The decorator for all assets of the graph: partitions, owners, code version, retries of transient errors."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import wraps
from typing import Any

import dagster as dg

from e2i_assets.adapters.source_digest import source_digest
from e2i_assets.adapters.transient_errors import is_transient
from e2i_assets.defs.io_managers import IO_MANAGER
from e2i_assets.defs.launched_runs import CAUSE_TAG, LAUNCHER_TAG
from e2i_assets.defs.metadata import present
from e2i_assets.defs.namespace import Binding, Namespace

AssetInNamespace = Callable[[Namespace], dg.AssetsDefinition]
MOST_RETRIES = 4
_FIRST_WAIT_SECONDS = 5


def _after_training() -> dg.AutomationCondition[Any]:
    """Return the condition of the two assets that follow a model: it was trained alone.

    Both take seconds, and without them a new model would have an outdated champion decision and memory. A run of the
    whole graph materializes both anyway, so what it updates requests nothing. `eager` would, when a tick reads the
    events before the last assets and then finds the run ended: it counts a missing value as a change, and Dagster
    knows what a run is about to materialize only if the assets of the run were selected.
    """
    condition = dg.AutomationCondition
    full_run: Any = condition.executed_with_root_target()
    for tag in (CAUSE_TAG, LAUNCHER_TAG):
        full_run |= condition.executed_with_tags(tag_keys={tag})
    updated: Any = condition.any_deps_match((condition.newly_updated() & ~full_run) | condition.will_be_requested())
    idle = ~condition.any_deps_missing() & ~condition.any_deps_in_progress() & ~condition.in_progress()
    found: Any = updated.since_last_handled() & idle
    # A failure is not requested again.
    labelled: dg.AutomationCondition[Any] = found.with_label("after the model")
    return labelled


AFTER_TRAINING = _after_training()


def experiment_asset(
    group: str,
    *kinds: str,
    code: Sequence[str],
    deps: Sequence[str] = (),
    upstream: Sequence[dg.AssetKey] = (),
    pool: str | None = None,
    automation: dg.AutomationCondition[Any] | None = None,
    freshness: dg.FreshnessPolicy | None = None,
    optional: bool = False,
) -> Callable[[Callable[..., object]], AssetInNamespace]:
    """Return a decorator that makes a function an asset of the graph, whose key depends on the namespace.

    Args:
        group: Group (stage) of the asset.
        kinds: Kinds that the Dagster UI shows for the asset.
        code: Folders and files of the package that determine its value; the code version changes with them.
        deps: Upstream assets of the graph whose values are not inputs.
        upstream: Assets of others whose rows it reads.
        pool: Concurrency pool, which limits the concurrent steps of all experiments.
        automation: Condition for automatic materialization.
        freshness: Freshness policy.
        optional: Whether an experiment may have no value of the asset: its function yields one result or none.
    """

    def in_namespace(compute: Callable[..., object]) -> AssetInNamespace:
        return lambda namespace: dg.asset(
            key=namespace.key(compute.__name__),
            ins=_inputs(compute, namespace),
            partitions_def=namespace.partitions_of_assets,
            group_name=namespace.group(group),
            kinds=set(kinds),
            description=_description(compute, namespace),
            tags={"e2i/stage": group, **_tags(namespace)},
            owners=["team:data-science" if namespace.binding is None else namespace.binding.experiment.owner],
            code_version=source_digest(*code),
            deps=[*(namespace.key(name) for name in deps), *upstream],
            pool=pool,
            automation_condition=automation if namespace.binding is None else namespace.binding.automation,
            freshness_policy=freshness and (freshness if namespace.binding is None else _freshness(namespace.binding)),
            output_required=not optional,
            io_manager_key=IO_MANAGER,
            # Without a schema Dagster accepts any config, and nothing reads it.
            config_schema=None if _takes_config(compute) else {},
        )(yielded(compute) if optional else with_retries(compute))

    return in_namespace


def _inputs(compute: Callable[..., object], namespace: Namespace) -> Mapping[str, dg.AssetIn]:
    """Return the upstream assets of an asset function: its parameters except for context, config and resources."""
    parameters = [one for name, one in inspect.signature(compute).parameters.items() if name != "context"]
    # A resource is also a `dg.Config`.
    upstream = [one.name for one in parameters if not issubclass(one.annotation, dg.Config)]
    return {name: dg.AssetIn(key=namespace.key(name)) for name in upstream}


def _description(compute: Callable[..., object], namespace: Namespace) -> str:
    words = inspect.getdoc(compute) or ""
    own = namespace.binding.experiment.description if namespace.binding else ""
    return f"{own}\n\n{words}" if own else words


def _tags(namespace: Namespace) -> dict[str, str]:
    """Return the tags of a bound experiment, in the characters that Dagster allows in a key."""
    return dict(namespace.binding.experiment.tags) if namespace.binding else {}


def _freshness(binding: Binding) -> dg.FreshnessPolicy:
    days = timedelta(days=max(binding.experiment.watch.retune_after_days, 1.0))
    return dg.FreshnessPolicy.time_window(fail_window=2 * days, warn_window=days)


def _takes_config(compute: Callable[..., object]) -> bool:
    return "config" in inspect.signature(compute).parameters


def wait_seconds(retry: int) -> int:
    """Return the delay before a retry (counted from 0): 5, 20, 80 and 320 seconds, about seven minutes in all."""
    return int(_FIRST_WAIT_SECONDS * 4**retry)


def with_retries(compute: Callable[..., object]) -> Callable[..., object]:
    """Wrap an asset function: a transient error requests a retry from Dagster."""

    @wraps(compute)
    def tried(context: dg.AssetExecutionContext, *args: Any, **inputs: Any) -> object:
        try:
            return _shown(compute(context, *args, **inputs))
        except Exception as error:
            if not is_transient(error):
                raise
            wait = wait_seconds(min(context.op_execution_context.retry_number, MOST_RETRIES))
            context.log.warning(f"{type(error).__name__} is transient: retry in {wait} s. {error}")
            raise dg.RetryRequested(max_retries=MOST_RETRIES, seconds_to_wait=wait) from error

    return tried


def _shown(result: object) -> object:
    """Return the result of an asset with the metadata that the UI shows of it."""
    if not isinstance(result, dg.MaterializeResult):
        return result
    return result._replace(metadata=present(result.metadata or {}))


def yielded(compute: Callable[..., Any]) -> Callable[..., object]:
    """Wrap an asset function that yields its results like `with_retries`."""
    tried = with_retries(lambda *args, **inputs: [_shown(one) for one in compute(*args, **inputs)])

    @wraps(compute)
    def results(context: dg.AssetExecutionContext, *args: Any, **inputs: Any) -> object:
        found: Any = tried(context, *args, **inputs)
        yield from found

    return results
