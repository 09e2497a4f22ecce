"""The checks of the assets as Dagster asset checks: one step per asset, evaluated on the stored values."""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

from e2i_assets.defs.namespace import Namespace
from e2i_assets.defs.resources import ProjectResource
from e2i_assets.services.checks.catalogue import CHECKS, experiments_with
from e2i_assets.services.checks.check import Check, CheckResult, evaluated

_SEVERITIES = {"ERROR": dg.AssetCheckSeverity.ERROR, "WARN": dg.AssetCheckSeverity.WARN}


def asset_checks(namespace: Namespace) -> list[dg.AssetChecksDefinition]:
    """Return the checks of all assets, except for the check of the experiment files."""
    return [_checks_of(asset, namespace) for asset in dict.fromkeys(check_spec.asset for check_spec in CHECKS)]


def _checks_of(asset: str, namespace: Namespace) -> dg.AssetChecksDefinition:
    """Return the checks of an asset, for the experiment of the run, or for every experiment that has the asset."""
    check_specs = {check_spec.name: check_spec for check_spec in CHECKS if check_spec.asset == asset}

    @dg.multi_asset_check(
        name=namespace.op(f"checks_of_{asset}"),
        specs=[
            dg.AssetCheckSpec(one.name, asset=namespace.key(asset), description=one.description, blocking=one.blocking)
            for one in check_specs.values()
        ],
        can_subset=True,
        config_schema={},
    )
    def checks(context: dg.AssetCheckExecutionContext, e2i: ProjectResource) -> Iterator[dg.AssetCheckResult]:
        run, project = context.op_execution_context, e2i.open()
        names = [run.partition_key] if run.has_partition_key else experiments_with(project, asset)
        unseen: list[str] = []
        for key in sorted(context.selected_asset_check_keys, key=lambda key: list(check_specs).index(key.name)):
            check_spec = check_specs[key.name]
            verdicts = {name: evaluated(check_spec, project, name) for name in names}
            away = [f"{check_spec.name}: {one.why}" for one in verdicts.values() if one.outcome == "not evaluated"]
            unseen += away or [f"{check_spec.name}: no experiment has a stored {asset} yet"] * (not verdicts)
            if any(one.outcome == "failed" for one in verdicts.values()) or (verdicts and not away):
                yield _result(key, check_spec, verdicts)
        if unseen:
            # Neither passed nor failed: Dagster shows a check whose step raised as "execution failed".
            raise dg.Failure("not evaluated: " + "; ".join(unseen), allow_retries=False)

    return checks


def _result(key: dg.AssetCheckKey, check_spec: Check, verdicts: Mapping[str, CheckResult]) -> dg.AssetCheckResult:
    broken = {name: one for name, one in verdicts.items() if not one.passed}
    shown = broken or verdicts
    alone = len(verdicts) == 1
    return dg.AssetCheckResult(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=not broken,
        severity=_SEVERITIES[check_spec.severity],
        description="; ".join(one.why if alone else f"{name}: {one.why}" for name, one in shown.items()),
        metadata=_metadata(next(iter(verdicts.values())).facts if alone else {n: v.why for n, v in verdicts.items()}),
    )


def _metadata(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {key: dg.MetadataValue.null() if value is None else value for key, value in facts.items()}
