"""A small problem that is searched and trained in memory, and the facts of its report; tests choose its names."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np
import optuna
import pandas as pd

from e2i_assets.core.data.column_profile import column_profiles, uses
from e2i_assets.core.data.split_tables import SearchRows, SplitFacts, TrainingRows
from e2i_assets.core.data.splits import Role
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.file import parse_experiment
from e2i_assets.core.fitting.fit_context import Rows
from e2i_assets.core.learning_curve import learning_curve
from e2i_assets.core.plots import search_history
from e2i_assets.core.plots.learning import learning_pictures
from e2i_assets.core.plots.study import study_pictures
from e2i_assets.core.plots.training import model_pictures, validation_importance
from e2i_assets.core.report.facts import Place, ReportFacts
from e2i_assets.core.search import tuning
from e2i_assets.core.search.study import search
from e2i_assets.core.search.study_output import hpo_output
from e2i_assets.core.search.study_result import StudyResult
from e2i_assets.core.training import trained
from e2i_assets.core.training_record import TrainingRecord, TrainingStart

COUNTS: dict[Role, int] = {"train": 240, "validation": 80, "test": 60, "holdout": 20}
PROBLEM = """
name: small
owner: team:tests
description: "{description}"
source: {{csv: rows.csv}}
target: "{target}"
problem_type: {problem_type}
algorithm: {algorithm}
columns: {{drop: ["{dropped}"]}}
hpo: {{trials: 12, workers: 1{hpo}}}
segments: ["{segment}"]
success_criteria: {{{criterion}}}
"""


@dataclass(frozen=True, slots=True)
class Names:
    """The names that a user chooses."""

    feature: str = "age"
    segment: str = "region"
    target: str = "left"
    dropped: str = "cost"
    description: str = "Who will leave?"
    classes: tuple[str, str] = ("no", "yes")
    values: tuple[str, str] = ("north", "south")


def problem(names: Names, problem_type: str, algorithm: str, hpo: str, more: str = "") -> Experiment:
    """Return the experiment file with these names, and with more lines."""
    texts = {field: getattr(names, field) for field in ("feature", "segment", "target", "dropped", "description")}
    escaped = {field: text.replace("\\", "\\\\").replace('"', '\\"') for field, text in texts.items()}
    criterion = "r2: 0.1" if problem_type == "regression" else "roc_auc: 0.6, maximum_fpr: 0.0001"
    text = PROBLEM.format(**escaped, problem_type=problem_type, algorithm=algorithm, hpo=hpo, criterion=criterion)
    return parse_experiment(text + more, "test")


def rows_of(names: Names, problem_type: str) -> TrainingRows:
    """Return rows whose first feature is informative about the target, and whose third is text."""
    random = np.random.default_rng(0)
    n = sum(COUNTS.values())
    frame = pd.DataFrame({names.feature: random.normal(size=n), "noise": random.normal(size=n)})
    frame[names.segment] = pd.Categorical(random.choice(names.values, n))
    signal = frame[names.feature] + random.normal(0, 0.7, n)
    classes = names.classes if problem_type != "regression" else ()
    frame[names.target] = np.where(signal > 0, names.classes[1], names.classes[0]) if classes else signal
    starts = np.cumsum([0, *COUNTS.values()])
    parts = {role: frame.iloc[starts[k] : starts[k + 1]] for k, role in enumerate(COUNTS)}
    features = (names.feature, "noise", names.segment)
    facts = SplitFacts(
        experiment="small", problem_type=problem_type, target=names.target, features=features, classes=classes,
        data_hash="d" * 64, split_hash="e" * 64, search_hash="f" * 64, strategy="stratified", seed=42,
        counts=COUNTS, left_out=3, segments=(names.segment,), why_left_out={"no target": 3},
    )  # fmt: skip
    given = {role: Rows(part[list(features)], part[names.target]) for role, part in parts.items()}
    return TrainingRows(facts, given["train"], given["validation"], given["test"], parts["test"][[names.segment]])


def searched(experiment: Experiment, rows: TrainingRows) -> StudyResult:
    """Return the study of the experiment, in memory."""
    found = SearchRows(rows.facts, rows.train, rows.validation)
    plan = tuning.plan(experiment, "a" * 64)
    return search(tuning.objective(experiment, found), plan, optuna.storages.InMemoryStorage())


@cache
def report_facts(
    names: Names = Names(),
    problem_type: str = "binary_classification",
    algorithm: str = "LightGBM",
    hpo: str = "",
    more: str = "",
) -> ReportFacts:
    """Return the facts from which the report of this problem is written."""
    experiment, rows = problem(names, problem_type, algorithm, hpo, more), rows_of(names, problem_type)
    study = searched(experiment, rows)
    output = hpo_output(experiment, "a" * 64, study)
    training = trained(experiment, rows, output)
    lost = validation_importance(experiment, rows, training)
    importances = {name: 1.0 for name in experiment.search_space()}
    drawn = {
        **study_pictures(study, experiment.search_space(), importances, experiment.metric),
        "optimisation_history.png": search_history.optimisation_history(study, experiment.metric, 10),
        "parameter_importances.png": search_history.parameter_importances(importances),
    }
    if len(study.objectives.greater_is_better) > 1:
        drawn["pareto_front.png"] = search_history.pareto_front(study)
    curve = learning_curve(experiment, rows, training)
    drawn_model = model_pictures(experiment, rows, output, training, lost) | learning_pictures(experiment, curve)
    start = TrainingStart(experiment, rows.facts, output, "1", "", datetime(2026, 1, 2, 3, 3, tzinfo=UTC))
    used = dict(rows.train.features.items())
    profile = column_profiles(rows.train.features, used, uses(used, {}, experiment), group=None)
    stored = (Path("model"), "model")
    record = TrainingRecord(start, training, study, lost, drawn_model, drawn, {}, *stored, profile, curve)
    places = [
        Place("Study", study.study_name),
        Place("MLflow run", "abc", "http://127.0.0.1:5000/#/experiments/1/runs/abc"),
    ]
    return ReportFacts(record, places, missing=[], made_at=datetime(2026, 1, 2, 3, 4, tzinfo=UTC))
