"""The asset `experiment_overview`: a leaderboard over all experiments, with what needs attention."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import dagster as dg

from e2i_assets.adapters.settings import Settings
from e2i_assets.adapters.source_digest import source_digest
from e2i_assets.core.figures import figure, shortened, span
from e2i_assets.defs import metadata
from e2i_assets.defs.check_results import check_results
from e2i_assets.defs.experiment_file_checks import invalid_files
from e2i_assets.defs.namespace import Namespace
from e2i_assets.defs.resources import ProjectResource
from e2i_assets.services.checks.actions import action
from e2i_assets.services.overview import AS_A_WARNING, Attention, Best, Standing, best, overview

OVERVIEW = "experiment_overview"
# After the nightly checks, which change what it shows without a new champion.
_AFTER_THE_CHECKS = "15 4 * * *"
_LONGEST_REASON = 200


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
        """What needs attention, and all experiments: how good the model in use is on test, and its checks."""
        project = e2i.open()
        components = [row.experiment_name for row in project.experiments.list() if row.upstream is not None]
        found = overview(project, check_results(context.instance, e2i.namespace, components))
        return dg.MaterializeResult(metadata=overview_metadata(found, invalid_files(project)))

    return made


def _when_changed(time_zone: str) -> dg.AutomationCondition[Any]:
    """Return the condition: another champion or other files, and once a day."""
    condition = dg.AutomationCondition
    changed: Any = condition.any_deps_updated() | condition.cron_tick_passed(_AFTER_THE_CHECKS, time_zone)
    found: dg.AutomationCondition[Any] = changed.since_last_handled() & ~condition.in_progress()
    return found


def overview_metadata(found: Sequence[Standing], invalid: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the metadata of the asset for these experiments, and for files (name to error) that are not valid."""
    active = [one for one in found if one.retired_at is None]
    of_models = sorted((line for one in active for line in one.attention), key=lambda line: line.urgency)
    wrong = [*_of_files(invalid or {}), *of_models]
    first, at_best = metadata.table(_attention(line) for line in wrong), best(active)
    # Two columns or three: at 1,440 pixels Dagster shows 454 of them of a table and cuts the rest, and neither headers
    # nor names wrap.
    return metadata.present(
        {
            "needs_attention": first if wrong else "Nothing: no check failed, and each experiment has a model in use.",
            "summary": _summary(active, at_best),
            "leaderboard": metadata.table(_row(one, at_best.get(one.experiment)) for one in active),
            "experiments": metadata.table(_described(one) for one in active),
            "retired": metadata.table(
                {"experiment": one.experiment, "on test": _on_test(one), "retired": _day(one.retired_at)}
                for one in found
                if one.retired_at is not None
            ),
        }
    )


def _summary(active: Sequence[Standing], at_best: Mapping[str, Best]) -> str:
    in_use = sum(one.version is not None for one in active)
    experiments = "1 experiment" if len(active) == 1 else f"{len(active)} experiments"
    named = {word: _with_checks(active, word) for word in ("failed", "warning")}
    parts = [f"{experiments}, {in_use} with a model in use"]
    parts += [
        f"best on test: {one.experiment}, {one.metric} {figure(one.value)} (of {at_best[one.experiment].of} with the "
        f"same source and target{_doubt(one, at_best[one.experiment])})"
        for one in active
        if one.experiment in at_best
    ]
    said = {"failed": "checks failed", "warning": f"checks {AS_A_WARNING}, which blocks nothing"}
    parts += [f"{said[word]}: {', '.join(names)}" for word, names in named.items() if names] or ["no check failed"]
    if len(active) > metadata.MOST_ROWS:
        parts.append(f"the leaderboard shows the first {metadata.MOST_ROWS}")
    return "; ".join(parts)


def _doubt(one: Standing, at_best: Best) -> str:
    if not at_best.overlapping:
        return ""
    with_whom = ", ".join(at_best.overlapping)
    return (
        f"; its interval overlaps that of {with_whom}, so compare them on the same rows: `e2i compare {one.experiment} "
        f"{at_best.overlapping[0]}`"
    )


def _with_checks(active: Sequence[Standing], word: str) -> list[str]:
    return [one.experiment for one in active if any(check.word == word for check in one.checks)]


def _row(one: Standing, at_best: Best | None) -> dict[str, Any]:
    checks = f"checks: {one.checks_text}" if one.checks else ""
    return {
        "experiment": one.experiment,
        "on test (95 %)": _on_test(one) + (f", best of {at_best.of}" if at_best else ""),
        "model, checks": "; ".join(filter(None, [_in_use(one), checks])),
    }


def _described(one: Standing) -> dict[str, Any]:
    kind = one.problem_type.removesuffix("_classification")
    return {"experiment": one.experiment, "problem type, algorithm, owner": f"{kind}, {one.algorithm}, {one.owner}"}


def _in_use(one: Standing) -> str:
    return "no model" if one.since is None else f"version {one.version} since {_day(one.since)}"


def _on_test(one: Standing) -> str:
    if one.value is None:
        return "-"
    interval = span(one.low, one.high)
    return f"{one.metric} {figure(one.value)}" + (f" ({interval})" if interval else "")


def _of_files(invalid: Mapping[str, str]) -> list[Attention]:
    todo = action("experiment_files", "experiment_files_are_valid", "NAME")
    return [
        Attention(experiment=path, what=f"the file is not valid: {why}", since=None, action=todo)
        for path, why in sorted(invalid.items())
    ]


def _attention(one: Attention) -> dict[str, Any]:
    since = f" (since {_day(one.since)})" if one.since else ""
    # Headers do not wrap: shorter ones would make the columns, and so the page, half as wide and twice as long.
    return {
        "what is wrong, and since when": f"{one.experiment}{since}: {shortened(one.what, _LONGEST_REASON)}",
        "what to do: command or key": one.action,
    }


def _day(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment:%Y-%m-%d}"
