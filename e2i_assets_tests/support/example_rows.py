"""Rows with valid default values; a test names only the values that it tests."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from databases import temporary
from direct_rows import record_trials
from originals import Original

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.experiments import ExperimentRepository
from e2i_assets.adapters.repositories.pattern_rows import PatternRow
from e2i_assets.adapters.repositories.splits import SplitRepository, SplitRow
from e2i_assets.adapters.repositories.studies import StudyRepository
from e2i_assets.adapters.repositories.study_rows import StudyRow, TrialRow
from e2i_assets.adapters.repositories.training_runs import TrainingRunRow
from e2i_assets.adapters.settings import Settings
from e2i_assets.services.project import Project

BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@dataclass
class Examples:
    """Creates rows of one registered experiment; every call uses a new key unless one is passed."""

    database: Database
    experiment_id: str
    numbers: Iterator[int] = field(default_factory=count)

    def split(self, **changes: Any) -> SplitRow:
        values: dict[str, Any] = {
            "experiment_id": self.experiment_id,
            "split_hash": f"split-{next(self.numbers)}",
            "config_hash": "config",
            "data_hash": "data",
            "strategy": "group",
            "ratios": {"train": 0.6, "validation": 0.2, "test": 0.15, "holdout": 0.05},
            "counts": {"train": 60, "validation": 20, "test": 15, "holdout": 5},
            "row_count": 100,
            "seed": 42,
            "group_column": "person",
        }
        return SplitRow(**values | changes)

    def study(self, **changes: Any) -> StudyRow:
        name = f"study-{next(self.numbers)}"
        values: dict[str, Any] = {
            "study_name": name,
            "spec_hash": f"spec of {name}",
            "experiment_id": self.experiment_id,
            "split_id": None,
            "data_hash": "data",
            "algorithm_name": "XGBoost",
            "problem_type": "binary_classification",
            "sampler_name": "tpe",
            "pruner_name": "median",
            "metric": "roc_auc",
            "seed": 42,
            "search_space": {"max_depth": {"type": "int", "low": 2, "high": 9}},
            "fixed_params": {"n_jobs": 1},
            "n_trials": 10,
        }
        return StudyRow(**values | changes)

    def trial(self, number: int = 0, **changes: Any) -> TrialRow:
        values: dict[str, Any] = {
            "trial_number": number,
            "state": "COMPLETE",
            "origin": "sampler",
            "params": {"max_depth": 3, "learning_rate": 0.1},
            "value": 0.75,
            "datetime_start": BEGAN,
            "datetime_complete": BEGAN,
            "duration_seconds": 0.5,
        }
        return TrialRow(**values | changes)

    def outcome(self, **changes: Any) -> dict[str, Any]:
        values: dict[str, Any] = {
            "status": "completed",
            "best_trial_number": 0,
            "best_value": 0.75,
            "best_params": {"max_depth": 3, "learning_rate": 0.1},
            "default_value": 0.7,
            "duration_seconds": 1.5,
            "stop_reason": "budget spent",
            "error_message": None,
        }
        return values | changes

    def finished_study(self, **changes: Any) -> tuple[str, StudyRow]:
        """Store a study with one completed trial, and return its id."""
        store, study = StudyRepository(self.database), self.study(**changes)
        study_id = store.start(study)
        record_trials(store.database, study_id, [self.trial()])
        store.finish(study_id, **self.outcome())
        return study_id, study

    def training(self, **changes: Any) -> TrainingRunRow:
        values: dict[str, Any] = {
            "spec_hash": f"spec-{next(self.numbers)}",
            "experiment_id": self.experiment_id,
            "run_name": "XGBoost_20260102_030405",
            "algorithm": "XGBoost",
            "hyperparameters": {"max_depth": 3, "learning_rate": 0.1},
            "data_hash": "data",
            "training_samples": 60,
            "feature_names": ["age", "visits"],
            "started_at": BEGAN,
            "dagster_run_id": "dagster-run",
        }
        return TrainingRunRow(**values | changes)

    def trained(self, **changes: Any) -> dict[str, Any]:
        values: dict[str, Any] = {
            "hyperparameters": {"max_depth": 3, "learning_rate": 0.1, "n_jobs": 1},
            "mlflow_run_id": "mlflow-run",
            "model_uri": "runs:/mlflow-run/model",
            "train_metrics": {"roc_auc": 0.9},
            "validation_metrics": {"roc_auc": 0.8},
            "test_metrics": {"roc_auc": 0.77},
            "default_test_metrics": {"roc_auc": 0.7},
            "decision_threshold": 0.4,
            "success_criteria_met": True,
            "success_criteria_results": {"minimum_auc": True},
            "duration_seconds": 2.5,
            "model_key": "model-key",
            "test_intervals": {},
            "baseline_test_metrics": None,
            "test_confusion": {"labels": ["no", "yes"], "counts": [[20, 4], [3, 9]]},
            "expected_costs": None,
        }
        return values | changes

    def pattern(self, **changes: Any) -> PatternRow:
        values: dict[str, Any] = {
            "spec_hash": f"spec-{next(self.numbers)}",
            "data_hash": f"data-{next(self.numbers)}",
            "algorithm_name": "XGBoost",
            "problem_type": "binary_classification",
            "search_space": {"max_depth": {"type": "int", "low": 2, "high": 9}},
            "best_hyperparameters": {"max_depth": 3},
            "top_configurations": [{"values": {"max_depth": 3}, "value": 0.75}],
            "best_value": 0.75,
            "optimization_metric": "roc_auc",
            "n_samples": 1000,
            "n_features": 10,
            "n_trials": 10,
            "n_completed": 8,
            "n_pruned": 2,
            "class_balance": 0.3,
            "study_name": "study",
        }
        return PatternRow(**values | changes)


@pytest.fixture
def finished(plain: Original, server: Database, tmp_path: Path) -> Iterator[Project]:
    """A project with the finished experiment `plain`."""
    with temporary(server, plain.database) as database:
        project = Project(Settings(tmp_path, tmp_path / "state", database.url, pictures=False), database)
        plain.copy_files(project)
        yield project


@pytest.fixture
def execute(tables: Database) -> Callable[..., object]:
    """Run one statement in our tables and return its first value."""

    def run(statement: str, **values: object) -> object:
        with tables.begin() as connection:
            result = connection.execute(sa.text(statement), values)
            return result.scalar() if result.returns_rows else None

    return run


@pytest.fixture
def examples(tables: Database) -> Examples:
    """Rows of the registered experiment ``visits``."""
    return Examples(tables, ExperimentRepository(tables).register("visits", {"target": "mdvis"}))


@pytest.fixture
def examples_of() -> Callable[[Database], Examples]:
    """Rows of an experiment in a separate database of the test."""
    return lambda database: Examples(database, ExperimentRepository(database).register("visits", {"target": "mdvis"}))


@pytest.fixture
def split_id(examples: Examples) -> str:
    """A stored split of that experiment."""
    return SplitRepository(examples.database).save(examples.split(), {"p1": "train", "p2": "validation"})
