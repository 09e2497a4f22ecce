"""The asset `experiment_overview`: a leaderboard over all experiments, with what needs attention."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import dagster as dg

from e2i_assets.adapters.settings import Settings
from e2i_assets.adapters.source_digest import source_digest
from e2i_assets.core.figures import figure
from e2i_assets.defs import metadata
from e2i_assets.defs.check_results import check_results
from e2i_assets.defs.namespace import Namespace
from e2i_assets.defs.resources import ProjectResource
from e2i_assets.services.overview import Standing, overview

OVERVIEW = "experiment_overview"
# After the nightly checks, which change what it shows without a new champion.
_AFTER_THE_CHECKS = "15 4 * * *"
_LONGEST_REASON = 160


def experiment_overview(namespace: Namespace, settings: Settings) -> dg.AssetsDefinition:
    """Return the asset, which has no partitions and no value: its metadata is the overview."""

    @dg.asset(
        key=namespace.key(OVERVIEW),
        deps=[namespace.key("champion_model"), namespace.key("experiment_files")],
        group_name=namespace.group("model"),
        kinds={"postgres"},
        owners=["team:data-science"],
        tags={"e2i/stage": "model"},
        code_version=source_digest("services/overview.py"),
        automation_condition=_when_changed(settings.time_zone),
        config_schema={},
    )
    def made(context: dg.AssetExecutionContext, e2i: ProjectResource) -> dg.MaterializeResult[None]:
        """All experiments: how good the model in use is on test, whether its checks passed, and since when."""
        project = e2i.open()
        components = [row.experiment_name for row in project.experiments.list() if row.upstream is not None]
        found = overview(project, check_results(context.instance, e2i.namespace, components))
        return dg.MaterializeResult(metadata=overview_metadata(found))

    return made


def _when_changed(time_zone: str) -> dg.AutomationCondition[Any]:
    """Return the condition: another champion or other files, and once a day."""
    condition = dg.AutomationCondition
    changed: Any = condition.any_deps_updated() | condition.cron_tick_passed(_AFTER_THE_CHECKS, time_zone)
    found: dg.AutomationCondition[Any] = changed.since_last_handled() & ~condition.in_progress()
    return found


def overview_metadata(found: Sequence[Standing]) -> dict[str, Any]:
    """Return the metadata of the asset for these experiments."""
    active = [one for one in found if one.retired_at is None]
    return metadata.present(
        {
            "summary": _summary(active),
            # Two columns or three: at 1,440 pixels Dagster shows 454 of them of a table and cuts the rest, and neither
            # headers nor names wrap.
            "leaderboard": metadata.table(_row(one) for one in active),
            "problems": metadata.table(_problem(one) for one in active),
            "needs_attention": metadata.table(_attention(active)),
            "retired": metadata.table(
                {"experiment": one.experiment, "on test": _on_test(one), "retired": _day(one.retired_at)}
                for one in found
                if one.retired_at is not None
            ),
        }
    )


def _summary(active: Sequence[Standing]) -> str:
    in_use = sum(one.version is not None for one in active)
    named = {word: _with_checks(active, word) for word in ("failed", "warning")}
    checks = f"checks failed: {', '.join(named['failed'])}" if named["failed"] else "no check failed"
    checks += f"; warnings: {', '.join(named['warning'])}" if named["warning"] else ""
    shown = f"; the leaderboard shows the first {metadata.MOST_ROWS}" if len(active) > metadata.MOST_ROWS else ""
    experiments = "1 experiment" if len(active) == 1 else f"{len(active)} experiments"
    return f"{experiments}, {in_use} with a model in use; {checks}{shown}"


def _with_checks(active: Sequence[Standing], word: str) -> list[str]:
    return [one.experiment for one in active if any(check.word == word for check in one.checks)]


def _row(one: Standing) -> dict[str, Any]:
    return {
        "experiment": one.experiment,
        "on test (95 %)": _on_test(one),
        "model, checks": "; ".join(filter(None, [_in_use(one), one.checks_text])),
    }


def _problem(one: Standing) -> dict[str, Any]:
    kind = one.problem_type.removesuffix("_classification")
    return {"experiment": one.experiment, "problem, owner": f"{kind}, {one.algorithm}, {one.owner}"}


def _in_use(one: Standing) -> str:
    return "no model" if one.since is None else f"version {one.version} since {_day(one.since)}"


def _on_test(one: Standing) -> str:
    if one.value is None:
        return "-"
    interval = "" if one.low is None else f" ({figure(one.low)} to {figure(one.high)})"
    return f"{one.metric} {figure(one.value)}{interval}"


def _attention(active: Iterable[Standing]) -> Iterable[dict[str, Any]]:
    """Yield a row for each check that did not pass, and for each experiment without a model in use."""
    for one in active:
        for check in one.not_passed:
            why = check.why if len(check.why) <= _LONGEST_REASON else f"{check.why[: _LONGEST_REASON - 1]}…"
            reason = why or f"see the run, or `e2i check {one.experiment}`"
            yield {
                "experiment": one.experiment,
                "what and why": f"{check.word}: {check.name.replace('_', ' ')}: {reason}",
            }
        if one.version is None:
            why = "no model was trained yet" if one.trained_at is None else "no model has passed its checks"
            yield {"experiment": one.experiment, "what and why": f"no model in use: {why}"}


def _day(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment:%Y-%m-%d}"
