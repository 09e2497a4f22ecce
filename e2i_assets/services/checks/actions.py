"""What to do when a check does not pass, one sentence for each: for Dagster, the leaderboard and ``e2i check``."""

_AGAIN = "Make the value again: `e2i run {experiment}`, or materialize {asset} in Dagster."
_SOURCE = "Correct the rows of the source, then run `e2i run {experiment}`."
_LEAK = (
    "Remove the column with columns.drop in the experiment file if its value is not known when predicting; otherwise "
    "accept it under leakage.accepted with the reason. Then run `e2i run {experiment}`."
)
_MLFLOW = "Start MLflow (`e2i up`), then send what it missed: `e2i track --catch-up`."
_RETUNE = "Train on newer rows: add them to the source, then run `e2i run {experiment}`."
_SCORE_AGAIN = "Score the new rows again: materialize predictions in Dagster."

ACTIONS = {
    # dataset
    "schema_is_valid": _SOURCE,
    "rows_match_the_data_hash": _AGAIN,
    "quality_gate_passes": (
        "Correct the source or drop the named columns with columns.drop in the experiment file; `e2i experiment "
        "validate {experiment} --data` measures the quality without a training."
    ),
    "every_row_has_a_target": "Fill in the missing targets in the source, or accept that these rows are left out.",
    "target_is_not_a_feature": _LEAK,
    "no_feature_is_the_target_of_another_row": _LEAK,
    "rows_match_the_schema_file": "Correct the rows, or edit the limits in experiments/schemas if the rows are right.",
    "excluded_columns_are_not_features": _AGAIN,
    # validation_splits
    "shares_are_within_two_points": _AGAIN,
    "no_entity_in_two_splits": _AGAIN,
    "time_is_in_order": _AGAIN,
    "classes_are_stratified": (
        "Nothing, if classes change over time or belong to groups; otherwise set another split.seed in the "
        "experiment file."
    ),
    "no_feature_reveals_the_target": _LEAK,
    "no_duplicate_rows_across_splits": (
        "Remove the copies from the source, or name the column that copies share as columns.group in the "
        "experiment file."
    ),
    "few_similar_rows_across_splits": (
        "Look whether similar rows are of one person or thing, and name its column as columns.group in the "
        "experiment file; otherwise expect a slightly worse metric on rows that are new."
    ),
    "few_rows_are_unassigned": "Shorten split.gap or widen the period of the split in the experiment file.",
    "leakage_audit_is_recorded": _AGAIN,
    # warm_start
    "values_are_in_the_search_space": _AGAIN,
    "patterns_are_in_the_memory": (
        "Nothing for this model; the next study takes patterns that exist. `e2i memory list` shows them."
    ),
    # hpo_study
    "study_matches_rows_and_experiment": (
        "The rows or the experiment file changed after the search: run `e2i run {experiment}`."
    ),
    "counts_add_up": _AGAIN,
    "tables_match_the_study": _AGAIN,
    "best_value_is_finite": _AGAIN,
    "no_failure_ended_the_search": (
        "Correct the cause that the message names, then run `e2i run {experiment}`, which continues the study."
    ),
    "best_value_is_reproducible_from_train_and_validation": (
        "Compare the installed libraries with requirements.lock (`e2i doctor`), then run `e2i run {experiment}`."
    ),
    # best_hyperparameters
    "output_contract_is_valid": _AGAIN,
    "parameters_equal_the_best_trial": _AGAIN,
    "constraints_are_satisfied": (
        "Loosen hpo.constraints in the experiment file, or search longer with hpo.trials; then run `e2i run "
        "{experiment}`."
    ),
    # trained_model
    "training_contract_is_valid": _AGAIN,
    "training_run_row_is_complete": _AGAIN,
    "links_resolve_to_study_and_trial": _AGAIN,
    "mlflow_has_the_run": _MLFLOW,
    "model_reloads_with_the_same_metrics": (
        "Compare the installed libraries with requirements.lock (`e2i doctor`), then make the model again: `e2i "
        "run {experiment}`."
    ),
    "served_decisions_match_the_report": _AGAIN,
    "model_uses_its_features": (
        "Widen search_space or choose another algorithm in the experiment file; the features may say nothing "
        "about the target."
    ),
    "success_criteria_are_met": (
        "Improve the model: more informative columns, another algorithm or more hpo.trials in the experiment "
        "file; or lower success_criteria if less is enough. Then run `e2i run {experiment}`."
    ),
    "test_rows_are_enough": "Add rows to the source; until then, read the metric as a range, not as one number.",
    "metric_has_not_drifted": (
        "Find what changed since the earlier model: `e2i report {experiment}` shows rows, columns and settings of "
        "this one."
    ),
    "test_set_was_accessed_once": (
        "Nothing for the model, but its test metric is no longer unbiased: open the holdout once before a release "
        "(`e2i holdout {experiment}`)."
    ),
    "holdout_is_unopened": "Do not choose between models by the holdout any more; new rows give a new holdout.",
    # champion_model
    "challenger_is_not_worse": (
        "Nothing if a model is in use: it stays, because it is not worse. Otherwise correct what the failed "
        "checks of trained_model say."
    ),
    "champion_model_loads": "Restore the model's folder from a backup, or make it again: `e2i run {experiment}`.",
    "mlflow_alias_points_to_the_champion": _MLFLOW,
    "newer_rows_have_not_drifted": _RETUNE,
    # predictions
    "the_file_of_predictions_is_whole": _SCORE_AGAIN,
    "predictions_are_of_the_champion": _SCORE_AGAIN,
    "new_rows_match_the_schema": "Correct the new rows at their source, or edit experiments/schemas if they are right.",
    "categories_of_new_rows_are_known": _RETUNE,
    "new_rows_have_the_distribution_of_the_train_rows": _RETUNE,
    "scores_have_the_distribution_of_the_test_rows": _RETUNE,
    "the_number_of_new_rows_is_usual": "Look whether the export of the new rows is complete and was made once.",
    # hpo_pattern_memory
    "memory_was_written": _AGAIN,
    "pattern_is_stored_once_and_retrievable": _AGAIN,
    "values_are_finite": _AGAIN,
    # experiment_files
    "experiment_files_are_valid": (
        "Correct the file: `e2i experiment validate` names every mistake and the allowed values."
    ),
}
_NOT_EVALUATED = "Make what is missing: `e2i run {experiment}`. `e2i check {experiment}` says what it is."


def action(asset: str, check: str, experiment: str) -> str:
    """Return what to do when a check of an asset has failed for an experiment."""
    return ACTIONS[check].format(asset=asset, experiment=experiment)


def action_if_not_evaluated(experiment: str) -> str:
    """Return what to do when a check could not be evaluated for an experiment."""
    return _NOT_EVALUATED.format(experiment=experiment)
