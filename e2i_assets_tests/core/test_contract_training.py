"""The contract of a training's output, its link to the study, and the JSON Schema of the whole contract."""

import copy
import json
import math
from pathlib import Path
from typing import Any

import pytest

from e2i_assets.core.contracts.contract import HpoOutput, TrainingOutput, json_schema_text
from e2i_assets.core.contracts.violations import training_output, training_violations_of
from e2i_assets.core.errors import ContractBroken

PARAMETERS = {"n_estimators": 41, "learning_rate": 0.05, "random_state": 42}
STUDY = HpoOutput(
    hpo_completed=True,
    best_hyperparameters=PARAMETERS,
    hpo_best_trial=7,
    hpo_best_value=0.8,
    hpo_trials_run=9,
    hpo_study_name="visits:1f2e",
)


def training() -> dict[str, Any]:
    return {
        "trained_model": {
            "model_id": "m-1",
            "experiment_id": "visits",
            "algorithm": "XGBoost",
            "hyperparameters": PARAMETERS,
            "training_samples": 600,
            "training_duration_seconds": 0.4,
            "early_stopped": True,
            "final_epoch": 41,
        },
        "validation_metrics": {
            "f1_score": 0.4,
            "auc_roc": 0.8,
            "confusion_matrix": {"TP": 1, "TN": 2, "FP": 3, "FN": 0},
            "all_metrics": {"f1_score": 0.4, "roc_auc": 0.8, "log_loss": 1.2},
        },
        "mlflow_info": {
            "mlflow_status": "logged",
            "run_id": "abc",
            "model_uri": "runs:/abc/model",
            "registered_model_name": "visits",
            "version": 1,
            "stage": "Staging",
        },
        "success_criteria_met": False,
        "success_criteria_results": {"minimum_auc": True, "maximum_fpr": False},
        "hpo_completed": True,
        "hpo_best_trial": 7,
        "class_balance": {
            "imbalance_detected": True,
            "imbalance_ratio": 9.0,
            "minority_ratio": 0.1,
            "imbalance_severity": "severe",
            "class_distribution": {"stays": 540, "lapses": 60},
            "recommended_strategy": "smote",
            "strategy_rationale": "'lapses' has 60 of 600 rows",
            "strategy": "combined",
            "resampling_applied": True,
            "class_counts_after": {"stays": 540, "lapses": 270},
        },
    }


def changed(document: dict[str, Any], where: str, value: object) -> dict[str, Any]:
    """Return a copy with one field replaced, or removed where the value is ``...``."""
    document = copy.deepcopy(document)
    *path, last = where.split(".")
    inner = document
    for part in path:
        inner = inner[part]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return document


def named(found: list[Any]) -> list[str]:
    return [violation.where for violation in found]


def test_a_valid_training_output_is_accepted_and_survives_json() -> None:
    output = training_output(training(), STUDY)
    assert TrainingOutput.model_validate(json.loads(output.model_dump_json())) == output


@pytest.mark.parametrize("strategy", ["none", "class_weight"])
def test_class_weights_and_resampling_exclude_each_other(strategy: str) -> None:
    """The counts of rows show which of the two is used."""
    document = changed(training(), "class_balance.strategy", strategy)
    assert named(training_violations_of(document)) == ["class_balance.resampling_applied"]
    document = changed(document, "class_balance.resampling_applied", False)
    assert named(training_violations_of(document)) == ["class_balance.class_counts_after"]
    document = changed(document, "class_balance.class_counts_after", {"stays": 540, "lapses": 60})
    assert training_violations_of(document) == []


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("trained_model.model_id", " "),
        ("trained_model.training_samples", 0),
        ("trained_model.training_samples", True),
        ("trained_model.training_duration_seconds", -1.0),
        ("trained_model.early_stopped", 0),
        ("trained_model.final_epoch", None),
        ("trained_model.final_epoch", ...),
        ("trained_model.hyperparameters", None),
        ("trained_model.hyperparameters.learning_rate", math.nan),
        ("validation_metrics.f1_score", 1.1),
        ("validation_metrics.f1_score", 0.6),
        ("validation_metrics.auc_roc", 0.9),
        ("validation_metrics.auc_roc", math.nan),
        ("validation_metrics.r2", 1.01),
        ("validation_metrics.rmse", -0.5),
        ("validation_metrics.confusion_matrix.TP", -1),
        ("validation_metrics.confusion_matrix.TP", ...),
        ("validation_metrics.confusion_matrix.tp", 1),
        ("validation_metrics.all_metrics", {}),
        ("validation_metrics.all_metrics", ...),
        ("validation_metrics.all_metrics.log_loss", math.inf),
        ("validation_metrics.all_metrics.log_loss", None),
        ("mlflow_info.mlflow_status", "success"),
        ("mlflow_info.mlflow_status", ...),
        ("mlflow_info.run_id", None),
        ("mlflow_info.run_id", ...),
        ("mlflow_info.model_uri", "runs:/other/model"),
        ("mlflow_info.version", "1"),
        ("mlflow_info.version", 0),
        ("success_criteria_met", True),
        ("success_criteria_met", "false"),
        ("success_criteria_results.maximum_fpr", None),
        ("hpo_best_trial", None),
        ("hpo_best_trial", -1),
        ("mlflow_info", None),
        ("class_balance.imbalance_detected", False),
        ("class_balance.imbalance_ratio", 0.5),
        ("class_balance.imbalance_ratio", math.inf),
        ("class_balance.imbalance_ratio", None),
        ("class_balance.minority_ratio", 0.6),
        ("class_balance.class_distribution", {}),
        ("class_balance.class_distribution.stays", -1),
        ("class_balance.recommended_strategy", "oversample"),
        ("class_balance.strategy_rationale", ""),
        ("class_balance.class_counts_after", {"stays": 540}),
        ("extra", 1),
    ],
)
def test_a_single_mistake_in_a_training_output_is_rejected_with_the_name_of_its_field(
    where: str, value: object
) -> None:
    found = training_violations_of(changed(training(), where, value))
    assert where in named(found)
    with pytest.raises(ContractBroken, match=where.rpartition(".")[2]):
        training_output(changed(training(), where, value))


@pytest.mark.parametrize("status", ["unavailable", "disabled"])
def test_without_mlflow_every_id_is_null(status: str) -> None:
    raw = training()
    raw["mlflow_info"] |= {"mlflow_status": status}
    ids = ["run_id", "model_uri", "registered_model_name", "version", "stage"]
    assert named(training_violations_of(raw)) == [f"mlflow_info.{name}" for name in ids]
    raw["mlflow_info"] |= dict.fromkeys(ids)
    assert training_violations_of(raw) == []


def test_rules_of_one_section_are_evaluated_while_another_section_is_invalid() -> None:
    raw = changed(changed(training(), "trained_model.final_epoch", None), "success_criteria_met", True)
    raw = changed(raw, "mlflow_info.version", 0)
    assert set(named(training_violations_of(raw))) == {
        "trained_model.final_epoch",
        "mlflow_info.version",
        "success_criteria_met",
    }


@pytest.mark.parametrize(
    ("where", "value"),
    [("trained_model.hyperparameters.learning_rate", 0.2), ("hpo_best_trial", 8), ("hpo_completed", False)],
)
def test_a_model_not_trained_from_its_study_is_rejected(where: str, value: object) -> None:
    raw = changed(training(), where, value)
    if where == "hpo_completed":
        raw["hpo_best_trial"] = None
    found = training_violations_of(raw, STUDY)
    assert any(where.startswith(violation.where) for violation in found)


@pytest.mark.parametrize(("cap", "right"), [(300, True), (41, True), (40, False), ("41", False)])
def test_defaults_may_be_trained_up_to_the_early_stopping_round(cap: object, right: bool) -> None:
    hpo = HpoOutput(hpo_completed=False, best_hyperparameters={**PARAMETERS, "n_estimators": cap})
    raw = training() | {"hpo_completed": False, "hpo_best_trial": None}
    assert (training_violations_of(raw, hpo) == []) is right


def test_the_schema_in_docs_matches_the_models() -> None:
    stored = Path(__file__).parents[2] / "docs" / "contract.schema.json"
    assert stored.read_text() == json_schema_text(), (
        "write json_schema_text() of core/contracts/contract.py to that file"
    )
