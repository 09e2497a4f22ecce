"""One training as a single value. Its row in the database, its MLflow run and its report are rendered from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from e2i_assets.core.content_hash import content_hash
from e2i_assets.core.contracts.contract import HpoOutput
from e2i_assets.core.data.column_profile import ColumnProfile
from e2i_assets.core.data.split_tables import SplitFacts
from e2i_assets.core.evaluation import measures
from e2i_assets.core.evaluation.intervals import Interval
from e2i_assets.core.evaluation.measures import Measure
from e2i_assets.core.evaluation.segments import Gap, gaps
from e2i_assets.core.experiments.experiment import Experiment, FinalModel
from e2i_assets.core.learning_curve import LearningCurve
from e2i_assets.core.permutation import FeatureImportance
from e2i_assets.core.search.study_result import StudyResult
from e2i_assets.core.training import SPLITS, Training


@dataclass(frozen=True, slots=True)
class TrainingStart:
    """The facts about a training that are known before its fit; of a failed training these are the only facts.

    Attributes:
        experiment: The registered experiment.
        facts: The split that the training reads.
        hpo: The contract with the parameters of the training.
        training_run_id: Id of its row in ``ml_training_runs``.
        dagster_run_id: Id of the Dagster run; empty outside of a run.
        started_at: When it started, in UTC.
    """

    experiment: Experiment
    facts: SplitFacts
    hpo: HpoOutput
    training_run_id: str
    dagster_run_id: str
    started_at: datetime

    @property
    def study_key(self) -> str:
        """The key of the study that the training belongs to."""
        return str(self.hpo.hpo_spec_hash)

    @property
    def run_name(self) -> str:
        """The name of the run, in our table and in MLflow."""
        return f"{self.experiment.algorithm}_{self.started_at:%Y%m%d_%H%M%S}"


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One metric on each split, with its interval and its references on test; None where it cannot be computed."""

    name: str
    splits: Mapping[str, float | None]
    interval: Interval | None
    defaults: float | None
    dummy: float | None


@dataclass(frozen=True, slots=True)
class TrainingRecord:
    """A finished training.

    Attributes:
        start: The facts that were known before the fit.
        training: The model and its metrics.
        study: The search, None without one.
        validation_importance: Permutation importance of the features on validation, the largest first.
        model_pictures: PNGs of the model, by file name.
        study_pictures: PNGs of the search, by file name.
        unused: Columns that are not features although the experiment does not exclude them, with the reason.
        model_folder: A folder with the stored model.
        model_location: Where the model is stored, a path or an address.
        learning_curve: The model with fewer train rows; None where pictures are off.
        profile: What each column of the source contains and what it is used for.
    """

    start: TrainingStart
    training: Training
    study: StudyResult | None
    validation_importance: Sequence[FeatureImportance]
    model_pictures: Mapping[str, bytes]
    study_pictures: Mapping[str, bytes]
    unused: Mapping[str, str]
    model_folder: Path
    model_location: str
    profile: Sequence[ColumnProfile] = ()
    learning_curve: LearningCurve | None = None

    @property
    def experiment(self) -> Experiment:
        """The registered experiment."""
        return self.start.experiment

    @property
    def facts(self) -> SplitFacts:
        """The split that the training read."""
        return self.start.facts

    @property
    def hpo(self) -> HpoOutput:
        """The contract with the parameters of the training."""
        return self.start.hpo

    @property
    def model_key(self) -> str:
        """The key of the model, from its study, its parameters and its rows.

        A larger budget may lead to other parameters, and the final model may learn from more rows.
        """
        return training_key(self.start.study_key, self.training.parameters, self.training.final_model)

    @property
    def pictures(self) -> dict[str, bytes]:
        """All pictures by file name."""
        return {**self.model_pictures, **self.study_pictures}

    @property
    def gaps(self) -> list[Gap]:
        """The gaps between segments in the optimised metric."""
        return gaps(self.training.segments, self.experiment.metric, self.experiment.problem_type)

    @property
    def measure(self) -> Measure:
        """The measure of the optimised metric, else the primary measure of the problem type."""
        return measures.optimised(self.experiment.metric, self.experiment.problem_type)

    @property
    def on_test(self) -> float | None:
        """Value of `measure` on test."""
        return self.training.report.splits["test"].metrics.get(self.measure.name)

    @property
    def interval(self) -> Interval | None:
        """95 % interval of `measure` on test."""
        return self.training.report.intervals.get(self.measure.name)

    @property
    def of_defaults(self) -> float | None:
        """Value of `measure` on test for the default parameters."""
        return self.training.default_metrics.get(self.measure.name)

    @property
    def of_dummy(self) -> float | None:
        """Value of `measure` on test for a dummy model that uses no features."""
        return self.training.baseline_metrics.get(self.measure.name)

    def metric_rows(self) -> list[MetricRow]:
        """Return a row for each metric of any split."""
        report = self.training.report
        names = dict.fromkeys(name for split in SPLITS for name in report.splits[split].metrics)
        return [
            MetricRow(
                name,
                {split: report.splits[split].metrics.get(name) for split in SPLITS},
                report.intervals.get(name),
                self.training.default_metrics.get(name),
                self.training.baseline_metrics.get(name),
            )
            for name in names
        ]

    def criteria_rows(self) -> list[dict[str, Any]]:
        """Return a row for each success criterion."""
        return [
            {"criterion": one.criterion.name, "met": one.met, "measured": one.value, "why": one.reason}
            for one in self.training.criterion_results
        ]


def training_key(study_key: str, parameters: Mapping[str, Any], final_model: FinalModel) -> str:
    """Return the key of a training from its study, its parameters and what its model learns from."""
    rows = {} if final_model == "train_only" else {"final_model": final_model}
    return content_hash({"spec_hash": study_key, "parameters": dict(parameters), **rows})
