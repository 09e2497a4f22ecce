"""The output contract: what `best_hyperparameters` and `trained_model` hand over, with the names that stay.

Judging a document, and a study's output against its search space, is in `violations`. The JSON Schema in
`docs/contract.schema.json` is written from here.
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


class HpoOutput(ContractModel):
    """What a study hands to the training, finished or not.

    Attributes:
        hpo_completed: True with at least one finite completed trial; false when the search was off or yielded none.
        best_hyperparameters: The whole set to train with: defaults, overridden by the best trial, then by fixed ones.
        hpo_best_trial: Its number in the study.
        hpo_best_value: In the optimised orientation: higher is better, an RMSE is negated.
        hpo_best_stopped_early: Whether early stopping, not the search, decided the rounds among its parameters.
        hpo_default_value: The value of the defaults in the same study and orientation.
        hpo_trials_run: Completed trials; pruned and failed ones are counted apart.
        hpo_trials_begun: Trials that the study began, with those that were tried again; numbers of trials are below it.
        hpo_duration_seconds: Wall time of the study.
        hpo_spec_hash: The identity of the study.
        hpo_stop_reason: Why the study ended; needed when trials ran and it did not complete.
        hpo_pattern_id: What the memory kept of it.
        error, error_type: Why there is no trial to train, where failures are the cause; null otherwise.
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
    error: Text | None = None
    error_type: HpoErrorType | None = None
    validation_warnings: list[Text] = Field(default_factory=list)
    hyperparameter_warnings: list[Text] = Field(default_factory=list)

    @classmethod
    def broken_rules(cls, fields: Mapping[str, Any]) -> Iterable[Violation]:
        return rules.hpo_rules(fields)


class TrainedModel(ContractModel):
    """The fitted model; ``final_epoch`` is the boosting round that its predictions use."""

    model_id: Text
    experiment_id: Text
    algorithm: Text
    hyperparameters: dict[Text, ParameterValue]
    training_samples: Annotated[int, Field(ge=1)]
    training_duration_seconds: NotNegative
    early_stopped: bool
    final_epoch: Annotated[int, Field(ge=1)] | None

    @classmethod
    def broken_rules(cls, fields: Mapping[str, Any]) -> Iterable[Violation]:
        return rules.trained_model_rules(fields)


class ConfusionMatrix(ContractModel):
    """How many rows of two classes were called what."""

    TP: Count
    TN: Count
    FP: Count
    FN: Count


class ValidationMetrics(ContractModel):
    """The metrics on the validation rows: the headline ones that exist, and all of them by their own names."""

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
    """Where the model is in MLflow: all of it when it was logged, none of it otherwise."""

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
    """How uneven the classes of the train rows are, and what every fit did about it.

    Attributes:
        imbalance_detected: Whether the severity is moderate, severe or extreme.
        imbalance_ratio: Rows of the largest class for one of the smallest.
        minority_ratio: Share of the smallest class, scaled so that k classes of one size have 0.5.
        class_distribution: Train rows of each class as they are.
        recommended_strategy, strategy_rationale: What is recommended for that, and why.
        strategy: What was done.
        resampling_applied: Whether fits learnt from other rows than those that are there.
        class_counts_after: Rows of each class that the fits learnt from.
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
    """What a training hands on."""

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
    """Return the JSON Schema of both outputs; rules between fields are beyond it."""
    _, schema = models_json_schema([(HpoOutput, "validation"), (TrainingOutput, "validation")])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Output contract",
        "description": "An HPO output or a training output.",
        "anyOf": [{"$ref": "#/$defs/HpoOutput"}, {"$ref": "#/$defs/TrainingOutput"}],
        **schema,
    }


def json_schema_text() -> str:
    """Return what `docs/contract.schema.json` holds."""
    return json.dumps(json_schema(), indent=2) + "\n"
