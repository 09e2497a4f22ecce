"""The checks of the assets as Dagster asset checks: one step per asset, evaluated on the stored values."""

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

from e2i_assets.defs.jobs import SCORED
from e2i_assets.defs.metadata import present
from e2i_assets.defs.namespace import Namespace
from e2i_assets.defs.resources import ProjectResource
from e2i_assets.services.checks.actions import action
from e2i_assets.services.checks.catalogue import CHECKS, experiments_with
from e2i_assets.services.checks.check import Check, CheckResult, evaluated

_SEVERITIES = {"ERROR": dg.AssetCheckSeverity.ERROR, "WARN": dg.AssetCheckSeverity.WARN}


def asset_checks(namespace: Namespace, partitioned: bool) -> list[dg.AssetChecksDefinition]:
    """Return the checks of all assets, except for the check of the experiment files.

    Args:
        namespace: The namespace of the asset keys.
        partitioned: Whether a check has a result for each experiment; otherwise it has one for all.
    """
    binding = namespace.binding
    absent = (SCORED,) if binding is not None and binding.experiment.predict is None else ()
    assets = dict.fromkeys(check_spec.asset for check_spec in CHECKS if check_spec.asset not in absent)
    return [_checks_of(asset, namespace, partitioned) for asset in assets]


def _checks_of(asset: str, namespace: Namespace, partitioned: bool) -> dg.AssetChecksDefinition:
    """Return the checks of an asset, for the experiment of the run, or for every experiment that has the asset."""
    check_specs = {check_spec.name: check_spec for check_spec in CHECKS if check_spec.asset == asset}
    own = [namespace.binding.experiment.name] if namespace.binding else []

    @dg.multi_asset_check(
        name=namespace.op(f"checks_of_{asset}"),
        specs=[_spec(one, namespace, partitioned) for one in check_specs.values()],
        can_subset=True,
        config_schema={},
    )
    def checks(context: dg.AssetCheckExecutionContext, e2i: ProjectResource) -> Iterator[dg.AssetCheckResult]:
        run, project = context.op_execution_context, e2i.open()
        names = [run.partition_key] if run.has_partition_key else own or experiments_with(project, asset)
        unseen: list[str] = []
        for key in sorted(context.selected_asset_check_keys, key=lambda key: list(check_specs).index(key.name)):
            check_spec = check_specs[key.name]
            verdicts = {name: evaluated(check_spec, project, name) for name in names}
            away = not_evaluated(check_spec, verdicts)
            unseen += away or [f"{check_spec.name}: no experiment has a stored {asset} yet"] * (not verdicts)
            if is_conclusive(verdicts):
                yield dg.AssetCheckResult(asset_key=key.asset_key, check_name=key.name, **shown(check_spec, verdicts))
        if unseen:
            # Neither passed nor failed: Dagster shows a check whose step raised as "execution failed".
            raise dg.Failure("not evaluated: " + "; ".join(unseen), allow_retries=False)

    return checks


def _spec(check_spec: Check, namespace: Namespace, partitioned: bool) -> dg.AssetCheckSpec:
    with warnings.catch_warnings():
        # Once for each of 40 checks, in every command. E2I_PARTITIONED_CHECKS=off is the way back.
        warnings.filterwarnings("ignore", "Specifying a partitions_def on an AssetCheckSpec is currently in preview")
        return dg.AssetCheckSpec(
            check_spec.name,
            asset=namespace.key(check_spec.asset),
            description=check_spec.description,
            blocking=check_spec.blocking,
            partitions_def=namespace.partitions if partitioned else None,
        )


def not_evaluated(check_spec: Check, verdicts: Mapping[str, CheckResult]) -> list[str]:
    """Return why a check was not evaluated, for each experiment to which that applies."""
    return [f"{check_spec.name}: {one.why}" for one in verdicts.values() if one.outcome == "not evaluated"]


def is_conclusive(verdicts: Mapping[str, CheckResult]) -> bool:
    """Return whether the results of a check give one result: one has failed, or all were evaluated."""
    outcomes = {one.outcome for one in verdicts.values()}
    return "failed" in outcomes or (bool(outcomes) and "not evaluated" not in outcomes)


def shown(check_spec: Check, verdicts: Mapping[str, CheckResult]) -> dict[str, Any]:
    """Return the result of a check for these experiments as Dagster's result and evaluation take it."""
    broken = {name: one for name, one in verdicts.items() if not one.passed}
    named = broken or verdicts
    alone = len(verdicts) == 1
    facts = next(iter(verdicts.values())).facts if alone else {name: one.why for name, one in verdicts.items()}
    todo = action(check_spec.asset, check_spec.name, next(iter(verdicts)) if alone else "NAME") if broken else None
    return {
        "passed": not broken,
        "severity": _SEVERITIES[check_spec.severity],
        "description": "; ".join(one.why if alone else f"{name}: {one.why}" for name, one in named.items()),
        "metadata": present({"what to do": todo, **facts}),
    }
