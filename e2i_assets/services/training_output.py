"""The output contract of a training, rendered from its record."""

from e2i_assets.adapters.mlflow.tracked_run import TrackingResult
from e2i_assets.core.contracts.contract import ClassBalance, TrainedModel, TrainingOutput
from e2i_assets.core.evaluation.evaluation import contract_metrics
from e2i_assets.core.imbalance import RESAMPLING
from e2i_assets.core.training import Training
from e2i_assets.core.training_record import TrainingRecord
from e2i_assets.services.track_runs import mlflow_info


def training_output(record: TrainingRecord, tracked: TrackingResult) -> TrainingOutput:
    """Return the output contract of a training."""
    experiment, hpo, training = record.experiment, record.hpo, record.training
    return TrainingOutput(
        trained_model=TrainedModel(
            model_id=f"model_{experiment.algorithm}_{record.start.study_key[:8]}",
            experiment_id=experiment.name,
            algorithm=experiment.algorithm,
            hyperparameters=training.parameters,
            training_samples=training.samples,
            final_model=training.final_model,
            training_duration_seconds=training.seconds,
            early_stopped=training.stopped_early,
            final_epoch=training.rounds,
            fold_rounds=list(training.fold_rounds),
        ),
        validation_metrics=contract_metrics(training.report.splits["validation"]),
        mlflow_info=mlflow_info(tracked),
        success_criteria_met=training.criteria_met,
        success_criteria_results={one.criterion.name: one.met for one in training.criterion_results},
        hpo_completed=hpo.hpo_completed,
        hpo_best_trial=hpo.hpo_best_trial,
        class_balance=_class_balance(training),
    )


def _class_balance(training: Training) -> ClassBalance:
    found = training.imbalance
    return ClassBalance(
        imbalance_detected=found.detected,
        imbalance_ratio=found.ratio,
        minority_ratio=found.minority_ratio,
        imbalance_severity=found.severity,
        class_distribution=found.class_distribution,
        recommended_strategy=found.recommended,
        strategy_rationale=found.rationale,
        strategy=training.strategy,
        resampling_applied=training.strategy in RESAMPLING,
        class_counts_after=training.learnt_from,
    )
