"""The output contract: the fields of the outputs of `best_hyperparameters` and `trained_model`.

Field names are a stable interface. `violations` validates outputs, also against the search space of the study. The
JSON Schema in `docs/contract.schema.json` is generated from these classes.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.json_schema import models_json_schema

from e2i_assets.core.contracts import rules
from e2i_assets.core.contracts.model import ContractModel, ParameterValue, Text
from e2i_assets.core.errors import Violation
from e2i_assets.core.imbalance import Severity, Strategy

Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
NotNegative = Annotated[float, Field(ge=0)]
MlflowStatus = Literal["logged", "unavailable", "disabled"]
HpoErrorType = Literal["missing_hpo_data", "unsupported_algorithm", "optuna_not_available", "hpo_error"]


class AlgorithmResult(ContractModel):
    """A row of the leaderboard of algorithms that were compared.

    Attributes:
        algorithm: Name of the algorithm.
        value: Best value of the optimised metric, in its unit; null without a trial to train.
        low, high: The 95 % interval of the value for other rows of this kind; null where it cannot be computed.
        trials: Number of its trials that ended.
        seconds: Wall time of its trials in all.
        study_key: Key of its study.
        verdict: Why it is trained, or why not.
    """

    algorithm: Text
    value: float | None
    low: float | None
    high: float | None
    trials: Count
    seconds: NotNegative
    study_key: Text
    verdict: Text


class HpoOutput(ContractModel):
    """The output of a study, finished or not, from which a model is trained.

    Attributes:
        hpo_completed: Whether at least one trial completed with a finite value; false when the search is off.
        best_hyperparameters: Parameters of the training: defaults, overridden by the best trial, then by fixed values.
        hpo_best_trial: Number of the best trial in the study.
        hpo_best_value: Its value in the optimised orientation: higher is better, an RMSE is negated.
        hpo_best_stopped_early: Whether early stopping, and not the search, decided its number of rounds.
        hpo_default_value: Value of the defaults in the same study and orientation.
        hpo_trials_run: Number of completed trials; pruned and failed ones have their own counts.
        hpo_trials_begun: Number of started trials, including repeated ones; every trial number is below it.
        hpo_duration_seconds: Wall time of the study.
        hpo_spec_hash: The study key.
        hpo_stop_reason: Why the study ended; required when trials ran and the study did not complete.
        hpo_pattern_id: Id of its pattern in the memory.
        hpo_objective: How the trials were evaluated, with ``hpo.objective: auto``; otherwise null.
        hpo_objective_reason: Why they were evaluated in this way; null without ``auto``.
        hpo_algorithm: The algorithm to train, if the experiment compares several; otherwise null.
        hpo_leaderboard: The compared algorithms, that to train first; null if the experiment names one.
        error, error_type: The cause when failures left no trial to train from; null otherwise.
    """

    hpo_completed: bool
    best_hyperparameters: dict[Text, ParameterValue]
    hpo_best_trial: Count | None = None
    hpo_best_value: float | None = None
    hpo_best_stopped_early: bool = False
    hpo_default_value: float | None = None
    hpo_trials_run: Count = 0
    hpo_trials_pruned: Count = 0
    hpo_trials_failed: Count = 0
    hpo_trials_begun: Count | None = None
    hpo_duration_seconds: NotNegative = 0.0
    hpo_study_name: Text | None = None
    hpo_spec_hash: Text | None = None
    hpo_metric: Text | None = None
    hpo_stop_reason: Text | None = None
    hpo_pattern_id: Text | None = None
    hpo_objective: Literal["validation", "cross_validation"] | None = None
    hpo_objective_reason: Text | None = None
    hpo_algorithm: Text | None = None
    hpo_leaderboard: Annotated[list[AlgorithmResult], Field(min_length=1)] | None = None
    error: Text | None = None
    error_type: HpoErrorType | None = None
    validation_warnings: list[Text] = Field(default_factory=list)
    hyperparameter_warnings: list[Text] = Field(default_factory=list)

    @classmethod
    def broken_rules(cls, fields: Mapping[str, Any]) -> Iterable[Violation]:
        return rules.hpo_rules(fields)


class TrainedModel(ContractModel):
    """The fitted model.

    Attributes:
        training_samples: Number of rows that it learnt from, before resampling.
        final_epoch: The boosting round that its predictions use; the median of fold models.
        final_model: What it learnt from: the train rows, or (``refit``) the train and the validation rows, or both as
            the mean of fold models (``folds``).
        fold_rounds: The boosting round of each fold model; empty without.
    """

    model_id: Text
    experiment_id: Text
    algorithm: Text
    hyperparameters: dict[Text, ParameterValue]
    training_samples: Annotated[int, Field(ge=1)]
    training_duration_seconds: NotNegative
    early_stopped: bool
    final_epoch: Annotated[int, Field(ge=1)] | None
    final_model: Literal["train_only", "refit", "folds"] = "train_only"
    fold_rounds: list[Annotated[int, Field(ge=1)]] = Field(default_factory=list)

    @classmethod
    def broken_rules(cls, fields: Mapping[str, Any]) -> Iterable[Violation]:
        return rules.trained_model_rules(fields)


class ConfusionMatrix(ContractModel):
    """The confusion matrix of two classes, in rows."""

    TP: Count
    TN: Count
    FP: Count
    FN: Count


class ValidationMetrics(ContractModel):
    """The metrics on the validation rows: the main metrics of the problem type, and all metrics by name.

    They belong to the parameters fitted on the train rows alone, also if the final model learnt from validation rows.
    With fold models they are those of the train and validation rows, each predicted by models that have not seen it.
    """

    f1_score: Share | None = None
    precision: Share | None = None
    recall: Share | None = None
    accuracy: Share | None = None
    auc_roc: Share | None = None
    rmse: NotNegative | None = None
    mae: NotNegative | None = None
    r2: Annotated[float, Field(le=1)] | None = None
    confusion_matrix: ConfusionMatrix | None = None
    all_metrics: Annotated[dict[Text, float], Field(min_length=1)]

    @classmethod
    def broken_rules(cls, fields: Mapping[str, Any]) -> Iterable[Violation]:
        return rules.validation_metrics_rules(fields)


class MlflowInfo(ContractModel):
    """The model in MLflow: every field is set when the model was logged, and null otherwise."""

    mlflow_status: MlflowStatus
    run_id: Text | None
    model_uri: Text | None
    registered_model_name: Text | None
    version: Annotated[int, Field(ge=1)] | None
    stage: Text | None

    @classmethod
    def broken_rules(cls, fields: Mapping[str, Any]) -> Iterable[Violation]:
        return rules.mlflow_rules(fields)


class ClassBalance(ContractModel):
    """The class imbalance of the rows that the final model learnt from, and how the fits handled it.

    Attributes:
        imbalance_detected: Whether the severity is moderate, severe or extreme.
        imbalance_ratio: Rows of the largest class divided by rows of the smallest.
        minority_ratio: Share of the smallest class, scaled so that k classes of one size have 0.5.
        class_distribution: Number of these rows of each class.
        recommended_strategy, strategy_rationale: The recommended strategy, and the reason.
        strategy: The strategy that was used, decided on the train rows.
        resampling_applied: Whether the fits used resampled rows.
        class_counts_after: Number of rows of each class in the final fit; resampled for fold models, their mean.
    """

    imbalance_detected: bool
    imbalance_ratio: Annotated[float, Field(ge=1)] | None
    minority_ratio: Annotated[float, Field(ge=0, le=0.5)] | None
    imbalance_severity: Severity
    class_distribution: dict[Text, Count]
    recommended_strategy: Strategy
    strategy_rationale: Text
    strategy: Strategy
    resampling_applied: bool
    class_counts_after: dict[Text, Count]

    @classmethod
    def broken_rules(cls, fields: Mapping[str, Any]) -> Iterable[Violation]:
        return rules.balance_rules(fields)


class TrainingOutput(ContractModel):
    """The output of a training."""

    trained_model: TrainedModel
    validation_metrics: ValidationMetrics
    mlflow_info: MlflowInfo
    success_criteria_met: bool
    success_criteria_results: dict[Text, bool]
    hpo_completed: bool
    hpo_best_trial: Count | None = None
    class_balance: ClassBalance | None = None

    @classmethod
    def broken_rules(cls, fields: Mapping[str, Any]) -> Iterable[Violation]:
        return rules.training_rules(fields)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of both outputs; it does not contain the rules between fields."""
    _, schema = models_json_schema([(HpoOutput, "validation"), (TrainingOutput, "validation")])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Output contract",
        "description": "An HPO output or a training output.",
        "anyOf": [{"$ref": "#/$defs/HpoOutput"}, {"$ref": "#/$defs/TrainingOutput"}],
        **schema,
    }


def json_schema_text() -> str:
    """Return the text of `docs/contract.schema.json`."""
    return json.dumps(json_schema(), indent=2) + "\n"
