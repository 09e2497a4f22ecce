"""Splits the rows of a dataset. The split of each entity is stored in the database and never changes."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import pandas as pd

from e2i_assets.adapters.repositories.splits import SplitRepository, SplitRow
from e2i_assets.core.content_hash import content_hash, frame_hash
from e2i_assets.core.data.dataset import Dataset
from e2i_assets.core.data.split_rules import violations
from e2i_assets.core.data.split_tables import SearchRows, SplitFacts, SplitTables
from e2i_assets.core.data.split_targets import target_violations
from e2i_assets.core.data.splits import (
    LEFT_OUT,
    ROLES,
    SEARCHED,
    SHARES,
    Assignment,
    Role,
    Strategy,
    assign,
    entity_keys,
    strategy,
)
from e2i_assets.core.data.time_windows import kept
from e2i_assets.core.data.weight_column import without_weightless
from e2i_assets.core.errors import DataInvalid
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.leakage.audit import findings
from e2i_assets.core.search.final_model_choice import is_foldable
from e2i_assets.core.search.objective_choice import used_objective
from e2i_assets.services.project import Project


def split(project: Project, experiment: Experiment, dataset: Dataset) -> SplitTables:
    """Split the rows, audit them for leakage, store the assignments and the findings, and return the tables by split.

    Raises:
        DataInvalid: The policy cannot split the rows. The findings are stored, the split is not.
    """
    store = project.splits
    experiment_id = project.experiments.id_of(experiment.name)
    times = dataset.frame[dataset.time] if dataset.time else None
    config = _config(experiment)
    assignment = _assignment(store, experiment, dataset, (experiment_id, config))
    # The grouping columns are kept, because folds must keep groups together too; they are not features.
    kept_beside = [*_entity(dataset), *dataset.segments, *filter(None, [dataset.weight])]
    columns_kept = list(dict.fromkeys([*dataset.features, dataset.target, *kept_beside]))
    tables = {role: dataset.frame.loc[assignment.roles == role, columns_kept] for role in ROLES}
    facts = _facts(experiment, dataset, assignment, tables)
    target = dataset.frame[dataset.target]
    broken = [*violations(assignment, times)]
    counted = assignment
    if dataset.weight:
        roles, weightless = without_weightless(assignment, dataset.frame[dataset.weight])
        counted, broken = replace(assignment, roles=roles), [*broken, *weightless]
    broken += target_violations(counted, target, dataset.classes, _optimised(experiment, facts))
    found = findings(dataset, assignment, experiment.leakage)
    project.leakage_audit.save(experiment_id, facts.data_hash, facts.split_hash, found)
    if broken:
        raise DataInvalid(f"split of {experiment.name}", broken)
    store.save(_row(experiment_id, config, facts, experiment, assignment), assignment.by_entity())
    foldable = is_foldable(experiment, facts, partial(_search_rows, facts, tables))
    return SplitTables(facts.model_copy(update={"foldable": foldable}), tables)


def _search_rows(facts: SplitFacts, tables: Mapping[Role, pd.DataFrame]) -> SearchRows:
    train, validation = (
        replace(facts.rows(tables[role]), weights=tables[role][facts.weight].to_numpy() if facts.weight else None)
        for role in SEARCHED
    )
    return SearchRows(facts, train, validation, facts.groups([tables[role] for role in SEARCHED]))


def _optimised(experiment: Experiment, facts: SplitFacts) -> list[str]:
    """Return the metrics that each trial computes on the validation rows; folds have their own rules."""
    if used_objective(experiment, facts) != "validation":
        return []
    hpo = experiment.hpo
    return [experiment.metric, *(one.name for one in hpo.objectives), *hpo.constraints]


def _config(experiment: Experiment) -> str:
    """Return the hash of the splitting method: another method splits all rows anew."""
    columns, how = experiment.columns, experiment.split
    way = {
        "strategy": _strategy(experiment),
        "seed": how.seed,
        "group": columns.group,
        "time": columns.time,
        "id": columns.id,
    }
    return content_hash(way | ({"gap": how.gap} if how.gap else {}) | ({"column": how.column} if how.column else {}))


def _strategy(experiment: Experiment) -> Strategy:
    columns, given = experiment.columns, experiment.split.column is not None
    return strategy(experiment.problem_type, columns.group is not None, columns.time is not None, given)


def _assignment(store: SplitRepository, experiment: Experiment, dataset: Dataset, way: tuple[str, str]) -> Assignment:
    how, boundaries = _strategy(experiment), store.boundaries(*way)
    # Rows without an id are identified by position; with a time split, the stored periods are more reliable.
    unnamed = how == "time" and not dataset.ids
    entities = entity_keys(dataset.frame, dataset.group, dataset.ids)
    previous = None if unnamed else store.previous(*way)
    return assign(
        entities,
        how,
        experiment.split.seed,
        strata=dataset.frame[dataset.target].map(dataset.classes.index) if dataset.classes else None,
        times=dataset.frame[dataset.time] if dataset.time else None,
        previous=previous,
        periods=kept(boundaries, experiment.split.gap) if boundaries else None,
        given=dataset.frame[dataset.split] if dataset.split else None,
        gap_days=experiment.split.gap,
    )


def _entity(dataset: Dataset) -> tuple[str, ...]:
    return (dataset.group,) if dataset.group else dataset.ids


def role_rows(tables: SplitTables) -> list[dict[str, Any]]:
    """Return a table row for each split. Of the holdout, only the number of rows is read."""
    total = sum(tables.facts.counts.values())
    found = []
    for role, count in tables.facts.counts.items():
        row: dict[str, Any] = {"role": role, "rows": count, "share": count / total}
        if role != "holdout":
            row |= _target_summary(tables.tables[role][tables.facts.target], tables.facts.classes)
        found.append(row)
    columns = {column: None for row in found for column in row}
    return [{**columns, **row} for row in found]


def _target_summary(target: pd.Series, classes: tuple[Any, ...]) -> dict[str, Any]:
    if not classes:
        return {"mean": float(target.mean()), "standard deviation": float(target.std())}
    shares = target.astype(object).value_counts(normalize=True)
    return {f"share of {label}": float(shares.get(label, 0.0)) for label in classes}


def _facts(
    experiment: Experiment, dataset: Dataset, assignment: Assignment, tables: Mapping[Role, pd.DataFrame]
) -> SplitFacts:
    roles = [str(role) for role in assignment.roles]
    searched = [*dataset.features, dataset.target, *filter(None, [dataset.weight])]
    return SplitFacts(
        experiment=experiment.name,
        problem_type=dataset.problem_type,
        target=dataset.target,
        features=dataset.features,
        classes=dataset.classes,
        ordered=experiment.target.is_ordered,
        data_hash=dataset.data_hash,
        search_hash=content_hash([frame_hash(tables[role][searched]) for role in SEARCHED]),
        split_hash=content_hash({"data": dataset.data_hash, "roles": content_hash(roles)}),
        strategy=assignment.strategy,
        seed=experiment.split.seed,
        counts=assignment.counts(),
        searched_classes=_searched_classes(dataset, tables),
        searched_groups=_searched_groups(dataset, tables),
        left_out=int((assignment.roles == LEFT_OUT).sum()),
        why_left_out=dict(assignment.why_left_out),
        entity=_entity(dataset),
        weight=dataset.weight,
        segments=dataset.segments,
        rows_without_target=dataset.rows_without_target,
        notes=dataset.notes,
    )


def _searched_classes(dataset: Dataset, tables: Mapping[Role, pd.DataFrame]) -> tuple[int, ...]:
    counts = pd.concat([tables[role][dataset.target] for role in SEARCHED]).value_counts()
    return tuple(int(counts.get(label, 0)) for label in dataset.classes)


def _searched_groups(dataset: Dataset, tables: Mapping[Role, pd.DataFrame]) -> tuple[int, ...]:
    entity = _entity(dataset)
    if not entity:
        return ()
    searched = pd.concat([tables[role] for role in SEARCHED])
    keys = entity_keys(searched, None, entity)
    if not dataset.classes:
        return (keys.nunique(),)
    return tuple(keys[(searched[dataset.target] == label).to_numpy()].nunique() for label in dataset.classes)


def _row(
    experiment_id: str, config: str, facts: SplitFacts, experiment: Experiment, assignment: Assignment
) -> SplitRow:
    return SplitRow(
        experiment_id=experiment_id,
        split_hash=facts.split_hash,
        config_hash=config,
        data_hash=facts.data_hash,
        strategy=facts.strategy,
        ratios=dict(SHARES),
        seed=facts.seed,
        group_column=experiment.columns.group,
        time_column=experiment.columns.time,
        counts=facts.counts,
        row_count=sum(facts.counts.values()) + facts.left_out,
        gap_days=experiment.split.gap,
        boundaries=assignment.windows.as_document() if assignment.windows else (),
    )
