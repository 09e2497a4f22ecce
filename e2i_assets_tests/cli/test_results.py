"""The table at the end of a run: metric values in their orientation, missing values, and narrow terminals."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from direct_rows import record_trials
from rich.console import Console

from e2i_assets.adapters.files import asset_values
from e2i_assets.adapters.repositories.pattern_rows import PatternRow
from e2i_assets.adapters.repositories.study_rows import StudyRow, TrialRow
from e2i_assets.adapters.repositories.training_runs import TrainingRunRow
from e2i_assets.cli.results import next_commands, results_table
from e2i_assets.core.data.split_tables import SplitFacts
from e2i_assets.core.search import tuning
from e2i_assets.services.project import Project
from e2i_assets.services.register import registered

Written = Callable[..., Path]
BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MLFLOW_RUN = "0123456789abcdef0123456789abcdef"


def shown(project: Project, *names: str, width: int = 100) -> str:
    console = Console(width=width)
    with console.capture() as capture:
        console.print(results_table(project, names))
    return capture.get()


def study_key(project: Project, name: str) -> str:
    """Store a split of the experiment and return its study key."""
    experiment = project.experiment(name)
    facts = SplitFacts(
        experiment=name,
        problem_type=experiment.problem_type,
        target="left",
        features=("age",),
        classes=(),
        data_hash="data",
        split_hash="split",
        search_hash="search",
        strategy="stratified",
        seed=42,
        counts={"train": 60},
        left_out=0,
    )
    asset_values.write(facts, project.asset_folder("validation_splits", name))
    return tuning.spec_hash(experiment, facts)


def studied(project: Project, name: str, spec_hash: str, default: float | None, best: float) -> str:
    experiment = project.experiment(name)
    store = project.studies
    study = StudyRow(
        study_name=tuning.study_name(experiment, spec_hash),
        spec_hash=spec_hash,
        experiment_id=project.experiments.id_of(name),
        split_id=None,
        data_hash="data",
        algorithm_name=experiment.algorithm,
        problem_type=experiment.problem_type,
        sampler_name="tpe",
        pruner_name="median",
        metric=experiment.metric,
        seed=42,
        search_space={},
        fixed_params={},
        n_trials=10,
    )
    study_id = store.start(study)
    trial = TrialRow(
        trial_number=0, state="COMPLETE", origin="warm_start", value=best, params={"max_depth": 3}, datetime_start=BEGAN
    )
    ends = ["COMPLETE"] * 6 + ["PRUNED"] * 2 + ["FAIL"]
    others = [
        replace(
            trial, trial_number=number, state=state, value=0.0 if state == "COMPLETE" else None, error_message="why"
        )
        for number, state in enumerate(ends, start=1)
    ]
    record_trials(store.database, study_id, [trial, *others])
    store.finish(
        study_id,
        status="completed",
        best_trial_number=0,
        best_value=best,
        best_params={"max_depth": 3},
        default_value=default,
        duration_seconds=1.0,
        stop_reason="budget spent",
        error_message=None,
    )
    return study_id


def trained(project: Project, name: str, spec_hash: str, study_id: str | None, **metrics: dict[str, Any]) -> None:
    experiment = project.experiment(name)
    store = project.training_runs
    run = TrainingRunRow(
        spec_hash=spec_hash,
        experiment_id=project.experiments.id_of(name),
        run_name="run",
        algorithm=experiment.algorithm,
        hyperparameters={"max_depth": 3},
        data_hash="data",
        training_samples=60,
        feature_names=["age"],
        started_at=BEGAN,
        study_id=study_id,
        optuna_study_name=tuning.study_name(experiment, spec_hash) if study_id else None,
        optuna_trial_number=0 if study_id else None,
    )
    store.finish(
        store.start(run),
        hyperparameters={"max_depth": 3},
        mlflow_run_id=MLFLOW_RUN,
        model_uri="runs:/x/model",
        train_metrics={},
        validation_metrics=metrics.get("validation", {}),
        test_metrics=metrics.get("test", {}),
        default_test_metrics=None,
        decision_threshold=None,
        success_criteria_met=None,
        success_criteria_results=None,
        duration_seconds=1.0,
        model_key="model",
        test_intervals={},
        baseline_test_metrics=None,
        test_confusion=None,
        expected_costs=None,
    )


def changed(path: Path, **replaced: str) -> None:
    for old, new in replaced.items():
        path.write_text(path.read_text().replace(old, new))


def test_a_loss_is_shown_as_a_positive_number(project: Project, written: Written) -> None:
    changed(written("visits"), binary_classification="regression")
    registered(project, [])
    spec_hash = study_key(project, "visits")
    trained(project, "visits", spec_hash, studied(project, "visits", spec_hash, -2.5, -2.25), test={"rmse": 2.375})
    row = next(line for line in shown(project, "visits").splitlines() if "XGBoost" in line and "rmse" in line)
    assert row.split() == ["XGBoost", "rmse", "2.5", "2.25", "2.375", "7", "/", "2", "/", "1"]


def test_the_test_value_has_the_metric_name_of_the_evaluation(project: Project, written: Written) -> None:
    changed(written("churn"), XGBoost="XGBoost\nmetric: f1")
    registered(project, [])
    spec_hash = study_key(project, "churn")
    trained(project, "churn", spec_hash, studied(project, "churn", spec_hash, None, 0.5), test={"f1_score": 0.4375})
    assert "XGBoost f1 - 0.5 0.4375 7 / 2 / 1" in " ".join(shown(project, "churn").split())


def test_links_are_not_truncated_and_a_cold_start_is_a_dash(project: Project, written: Written) -> None:
    written("churn")
    registered(project, [])
    spec_hash = study_key(project, "churn")
    trained(project, "churn", spec_hash, studied(project, "churn", spec_hash, 0.5, 0.75))
    lines = [line.strip() for line in shown(project, "churn", width=80).splitlines()]
    assert "warm-started from -" in lines
    assert f"study {tuning.study_name(project.experiment('churn'), spec_hash)}" in lines
    assert f"MLflow run {MLFLOW_RUN}" in lines


def test_a_warm_start_shows_the_number_of_patterns_and_the_most_similar_study(
    project: Project, written: Written
) -> None:
    written("churn")
    registered(project, [])
    spec_hash = study_key(project, "churn")
    study_id = studied(project, "churn", spec_hash, 0.5, 0.75)
    patterns = project.patterns
    for study, similarity in (("far", 0.65), ("near", 0.95)):
        pattern = PatternRow(
            spec_hash=study,
            data_hash=study,
            algorithm_name="XGBoost",
            problem_type="binary_classification",
            search_space={},
            best_hyperparameters={"max_depth": 3},
            top_configurations=[{"values": {"max_depth": 3}, "value": 0.7}],
            best_value=0.7,
            optimization_metric="roc_auc",
            n_samples=100,
            n_features=3,
            n_trials=5,
            n_completed=5,
            n_pruned=0,
            study_name=study,
        )
        patterns.record_use(str(patterns.store(pattern)), study_id, 0, similarity, 0.1)
    trained(project, "churn", spec_hash, study_id)
    assert "warm-started from 2 patterns, the most similar of near" in shown(project, "churn")


def test_training_without_a_search_shows_the_defaults_alone(project: Project, written: Written) -> None:
    path = written("churn")
    path.write_text(path.read_text() + "hpo: {enabled: false}\n")
    registered(project, [])
    metrics: dict[str, dict[str, Any]] = {"validation": {"roc_auc": 0.625}, "test": {"roc_auc": 0.5}}
    trained(project, "churn", study_key(project, "churn"), None, **metrics)
    text = " ".join(shown(project, "churn").split())
    assert "roc_auc 0.625 - 0.5 0 / 0 / 0" in text
    assert "study -" in text


@pytest.mark.parametrize("split", [False, True])
def test_an_experiment_without_a_training_says_how_to_get_one(project: Project, written: Written, split: bool) -> None:
    written("churn")
    registered(project, [])
    if split:
        study_key(project, "churn")
    assert "no finished training yet: e2i run churn" in shown(project, "churn")


def test_results_are_of_the_current_experiment_file(project: Project, written: Written) -> None:
    path = written("churn")
    registered(project, [])
    old = study_key(project, "churn")
    trained(project, "churn", old, studied(project, "churn", old, 0.5, 0.75))
    changed(path, XGBoost="LightGBM")
    registered(project, [])
    assert "no finished training yet" in shown(project, "churn")


def test_the_table_fits_eighty_columns(project: Project, written: Written) -> None:
    changed(written("a_rather_long_name_of_an_experiment"), XGBoost="LogisticRegression")
    registered(project, [])
    spec_hash = study_key(project, "a_rather_long_name_of_an_experiment")
    study_id = studied(project, "a_rather_long_name_of_an_experiment", spec_hash, 0.512345678, 0.7512345678)
    trained(project, "a_rather_long_name_of_an_experiment", spec_hash, study_id, test={"roc_auc": 0.123456789})
    text = shown(project, "a_rather_long_name_of_an_experiment", width=80)
    assert "LogisticRegression roc_auc 0.51235 0.75123 0.12346 7 / 2 / 1" in " ".join(text.split())
    folded = text.replace("\n", "").replace(" ", "")
    assert tuning.study_name(project.experiment("a_rather_long_name_of_an_experiment"), spec_hash) in folded


def test_next_commands_open_the_three_programs() -> None:
    for word in ("make dev", "e2i up", "http://127.0.0.1:3000", "http://127.0.0.1:5000", "http://127.0.0.1:8080"):
        assert word in next_commands()
