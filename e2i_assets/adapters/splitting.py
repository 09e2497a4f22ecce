"""Places the rows of a dataset, remembering in the database where each entity went: it never moves again."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from e2i_assets.adapters.stores.experiment_store import ExperimentStore
from e2i_assets.adapters.stores.split_store import SplitRow, SplitStore
from e2i_assets.adapters.workspace import Workspace
from e2i_assets.core.data.dataset import Dataset
from e2i_assets.core.data.split_tables import SplitFacts, SplitTables
from e2i_assets.core.data.splits import (
    LEFT_OUT,
    ROLES,
    SEARCHED,
    SHARES,
    Assignment,
    Role,
    assign,
    entity_keys,
    strategy,
    violations,
)
from e2i_assets.core.errors import DataInvalid
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.identity import content_hash, frame_hash


def split(workspace: Workspace, experiment: Experiment, dataset: Dataset) -> SplitTables:
    """Place every row, store who went where, and return the tables by role.

    Raises:
        DataInvalid: The rows cannot be split by the policy; nothing is stored.
    """
    columns, seed = experiment.columns, experiment.split.seed
    how = strategy(experiment.problem_type, columns.group is not None, columns.time is not None)
    config = content_hash(
        {"strategy": how, "seed": seed, "group": columns.group, "time": columns.time, "id": columns.id}
    )
    store = SplitStore(workspace.database)
    experiment_id = ExperimentStore(workspace.database).id_of(experiment.name)
    times = dataset.frame[columns.time] if columns.time else None
    assignment = assign(
        entity_keys(dataset.frame, columns.group, columns.id),
        how,
        seed,
        strata=dataset.frame[dataset.target].map(dataset.classes.index) if dataset.classes else None,
        times=times,
        previous=store.previous(experiment_id, config),
    )
    if broken := violations(assignment, times):
        raise DataInvalid(f"split of {experiment.name}", broken)
    # What keeps rows together goes with them, because folds must not tear them apart either; it is no feature.
    columns_kept = [*dataset.features, dataset.target, *_entity(dataset)]
    tables = {role: dataset.frame.loc[assignment.roles == role, columns_kept] for role in ROLES}
    facts = _facts(experiment, dataset, assignment, tables)
    store.save(_row(experiment_id, config, facts, experiment), assignment.by_entity())
    return SplitTables(facts, tables)


def _entity(dataset: Dataset) -> tuple[str, ...]:
    return (dataset.group,) if dataset.group else dataset.ids


def role_rows(tables: SplitTables) -> list[dict[str, Any]]:
    """Return a row for each role but the holdout, whose rows are counted and not looked at."""
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
    searched = [*dataset.features, dataset.target]
    return SplitFacts(
        experiment=experiment.name,
        problem_type=dataset.problem_type,
        target=dataset.target,
        features=dataset.features,
        classes=dataset.classes,
        data_hash=dataset.data_hash,
        search_hash=content_hash([frame_hash(tables[role][searched]) for role in SEARCHED]),
        split_hash=content_hash({"data": dataset.data_hash, "roles": content_hash(roles)}),
        strategy=assignment.strategy,
        seed=experiment.split.seed,
        counts=assignment.counts(),
        left_out=int((assignment.roles == LEFT_OUT).sum()),
        entity=_entity(dataset),
    )


def _row(experiment_id: str, config: str, facts: SplitFacts, experiment: Experiment) -> SplitRow:
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
    )
