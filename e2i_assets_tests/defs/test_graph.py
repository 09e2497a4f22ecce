"""The graph from the dataset to the pattern memory: one run, repeated runs, and the links between stored records."""

from pathlib import Path

import numpy as np
import pytest

from e2i_assets.adapters.mlflow.client import mlflow_client
from e2i_assets.adapters.mlflow.tracked_run import hyperparameters, param_text
from e2i_assets.core.contracts.contract import HpoOutput, TrainingOutput
from e2i_assets.core.data.split_tables import SearchRows
from e2i_assets.core.search.tuning import Tuned

CHAIN = (
    *("dataset", "validation_splits", "warm_start", "hpo_study"),
    *("best_hyperparameters", "trained_model", "champion_model", "hpo_pattern_memory"),
)
# The limit that Dagster recommends for a metadata value.
LARGEST_VALUE = 100_000
TABLES = (
    *("ml_experiments", "ml_split_registry", "ml_hpo_studies", "ml_hpo_trials", "ml_training_runs"),
    *("ml_hpo_patterns", "procedural_memories", "ml_split_assignments"),
)


def counts(project):
    return {table: project.all(f"SELECT count(*) FROM {table}")[0][0] for table in TABLES}


def files_of(project, mlflow_run_id):
    client = mlflow_client(project.project.database.url_for("mlflow"))
    return {one.path for one in client.list_artifacts(mlflow_run_id)}


def best_point(project):
    tuned = project.project.read(Tuned, "hpo_study", "cells")
    output = project.project.read(HpoOutput, "best_hyperparameters", "cells")
    assert tuned.result is not None
    values = [(trial.number, trial.state, trial.value, *trial.sampled.items()) for trial in tuned.result.trials]
    return values, dict(output.best_hyperparameters)


@pytest.mark.usefixtures("pictures")
def test_one_run_materialises_every_asset_and_links_every_record(project):
    """No link is null, and every record has the same parameters."""
    result = project.run()
    assert result.success, project.failure(result)
    assert {event.asset_key.path[-1] for event in result.get_asset_materialization_events()} == set(CHAIN)
    evaluations = result.get_asset_check_evaluations()
    assert len(evaluations) >= 15
    assert [one.check_name for one in evaluations if not one.passed] == []

    (link,) = project.all("SELECT * FROM training_run_links")
    row = dict(link._mapping)
    assert [name for name, value in row.items() if value is None] == []
    assert row["status"] == "finished"
    assert row["trial_params"] == row["hyperparameters"]
    assert row["dagster_run_id"] == result.run_id
    output = project.project.read(TrainingOutput, "trained_model", "cells")
    assert output.trained_model.hyperparameters == row["hyperparameters"]
    logged = project.project.tracker().run_params(row["mlflow_run_id"])
    expected = {name: param_text(value) for name, value in hyperparameters(row["hyperparameters"]).items()}
    assert {name: value for name, value in logged.items() if name.startswith("hp_")} == expected
    assert row["test_metrics"]["roc_auc"] > 0.9

    shown = {
        event.asset_key.path[-1]: event.materialization.metadata for event in result.get_asset_materialization_events()
    }
    report = Path(shown["trained_model"]["report"].path)
    assert row["mlflow_run_id"] in report.read_text()
    logged_files = files_of(project, row["mlflow_run_id"])
    assert {
        "report.html",
        "optimisation_history.png",
        "slice_1.png",
        "permutation_importance.png",
        "shap_beeswarm.png",
    } <= logged_files
    pictures = {
        f"{name}.png"
        for name, value in {**shown["hpo_study"], **shown["trained_model"]}.items()
        if "base64" in str(value)
    }
    assert pictures | {"report.html"} <= logged_files
    assert {path.name for path in report.parent.glob("*/*.png")} == pictures
    assert max(len(str(value.value)) for of in shown.values() for value in of.values()) < LARGEST_VALUE
    # No row of null, no empty table, and no number that nobody reads to its end.
    values = [value for of in shown.values() for value in of.values()]
    assert [value for value in values if value.value is None or not getattr(value, "records", True)] == []
    tables = [cell for value in values for record in getattr(value, "records", ()) for cell in record.data.values()]
    numbers = [number for number in (*tables, *(value.value for value in values)) if isinstance(number, float)]
    assert numbers
    assert [number for number in numbers if number != float(f"{number:.4g}")] == []


def test_a_second_run_adds_no_rows_and_no_trials(finished):
    """The study key, the rows of every table and the trials stay the same."""
    before, point = counts(finished), best_point(finished)
    mlflow_run = finished.all("SELECT mlflow_run_id FROM ml_training_runs")
    second = finished.run()
    assert second.success, finished.failure(second)
    assert counts(finished) == before
    assert best_point(finished) == point
    assert finished.all("SELECT mlflow_run_id FROM ml_training_runs") == mlflow_run


def test_a_larger_budget_resumes_the_study(finished):
    """The first six trials stay, and two more are added."""
    before, _ = best_point(finished)
    result = finished.run(finished.experiment.replace("trials: 6", "trials: 8"))
    assert result.success, finished.failure(result)
    after, _ = best_point(finished)
    assert after[:6] == before
    assert len(after) == 8
    assert finished.all("SELECT n_trials, n_completed + n_pruned + n_failed FROM ml_hpo_studies") == [(8, 8)]
    (link,) = finished.all("SELECT trial_params = hyperparameters AS same, mlflow_run_id FROM training_run_links")
    assert link.same
    assert link.mlflow_run_id


def test_other_test_and_holdout_rows_change_no_trial_and_no_parameter(finished):
    """The test and holdout rows, with their labels, do not influence the search."""
    before = best_point(finished)
    placed = dict(finished.all("SELECT entity_key, role FROM ml_split_assignments"))
    frame = finished.rows()
    unused = frame.patient.map(placed).isin(["test", "holdout"])
    assert 0.15 < unused.mean() < 0.25
    draws = np.random.default_rng(7)
    for column in frame.columns.drop("patient"):
        frame.loc[unused, column] = draws.permutation(frame.loc[unused, column].to_numpy())
    frame.loc[unused, "target"] = 1 - frame.loc[unused, "target"]
    finished.write_rows(frame)
    result = finished.run()
    assert result.success, finished.failure(result)
    assert len(finished.all("SELECT DISTINCT data_hash FROM ml_hpo_studies")) == 2
    assert best_point(finished) == before


def test_the_search_does_not_read_test_and_holdout_rows(project):
    """The search runs without the files of these splits, because they are not an argument."""
    assert project.run(selection=["dataset", "validation_splits", "warm_start"]).success
    folder = project.project.asset_folder("validation_splits", "cells")
    for split in ("test", "holdout"):
        (folder / f"{split}.parquet").unlink()
    result = project.run(selection=["hpo_study", "best_hyperparameters"])
    assert "trained_model" not in project.failure(result)
    assert best_point(project)[0]
    assert set(SearchRows.__dataclass_fields__) == {"facts", "train", "validation", "groups"}


def test_a_study_with_cross_validation_passes_every_check(project):
    """Folds do not divide a patient, and the number of rounds is the median of the folds."""
    asked = "{trials: 6, objective: cross_validation, folds: 3, repeats: 2, pruner: wilcoxon}"
    result = project.run(project.experiment.replace("{trials: 6}", asked))
    assert result.success, project.failure(result)
    assert [one.check_name for one in result.get_asset_check_evaluations() if not one.passed] == []
    rows = project.project.read(SearchRows, "validation_splits", "cells")
    assert list(rows.groups.columns) == ["patient"]
    assert "patient" not in rows.train.features.columns
    tuned = project.project.read(Tuned, "hpo_study", "cells")
    assert len(tuned.result.best.fold_rounds) == 6
    trained = project.project.read(TrainingOutput, "trained_model", "cells")
    assert trained.trained_model.hyperparameters["n_estimators"] == tuned.result.best.rounds


@pytest.mark.parametrize(
    ("asked", "strategy", "hpo"),
    [
        ("recommended", "class_weight", "{trials: 6}"),
        ("smote", "smote", "{trials: 6, objective: cross_validation, folds: 3}"),
    ],
)
def test_every_fit_treats_imbalance_alike_and_the_contract_records_it(project, asked, strategy, hpo):
    """The check that refits the best trial passes, and all other records count the original rows."""
    result = project.run(project.experiment.replace("{trials: 6}", hpo) + f"imbalance: {asked}\n")
    assert result.success, project.failure(result)
    assert [one.check_name for one in result.get_asset_check_evaluations() if not one.passed] == []
    trained = project.project.read(TrainingOutput, "trained_model", "cells")
    balance = trained.class_balance
    assert (balance.imbalance_severity, balance.recommended_strategy) == ("moderate", "class_weight")
    assert (balance.strategy, balance.resampling_applied) == (strategy, strategy == "smote")
    assert sum(balance.class_distribution.values()) == trained.trained_model.training_samples
    after = set(balance.class_counts_after.values())
    assert after == {max(balance.class_distribution.values())} if strategy == "smote" else len(after) == 2
    (split,) = (one for one in result.get_asset_materialization_events() if one.asset_key.path[-1].endswith("splits"))
    shown = split.materialization.metadata["imbalance"].text
    assert shown.startswith("moderate: recommended: class_weight, because 'malignant' has ")
    assert shown.endswith(f"configured: {asked}")


def test_the_defaults_are_trained_without_a_search(project):
    """The output says that no search was completed, and the model exists."""
    result = project.run(project.experiment.replace("{trials: 6}", "{enabled: false}"))
    assert result.success, project.failure(result)
    output = project.project.read(HpoOutput, "best_hyperparameters", "cells")
    assert (output.hpo_completed, output.hpo_best_trial, output.hpo_trials_run) == (False, None, 0)
    trained = project.project.read(TrainingOutput, "trained_model", "cells")
    assert not trained.hpo_completed
    assert trained.trained_model.early_stopped or trained.trained_model.final_epoch == 300
    assert project.all("SELECT is_best_trial, study_id FROM ml_training_runs") == [(False, None)]


def test_a_similar_problem_starts_from_the_pattern_of_the_first_one(finished):
    """The pattern is tried within the search space, and its use is counted once."""
    other = finished.experiment.replace("name: cells", "name: more_cells").replace("cells.csv", "more.csv")
    frame = finished.rows().sample(frac=0.8, random_state=1)
    frame.to_csv(finished.root / "more.csv", index=False)
    for _ in range(2):
        result = finished.run(other)
        assert result.success, finished.failure(result)
    trials = finished.all(
        "SELECT origin, count(*) FROM ml_hpo_trials JOIN ml_hpo_studies ON ml_hpo_studies.id = study_id "
        "JOIN ml_experiments ON ml_experiments.id = experiment_id WHERE experiment_name = 'more_cells' GROUP BY origin"
    )
    warm = dict(trials)["warm_start"]
    assert warm == 3  # the configurations of the pattern
    (used,) = finished.all("SELECT sum(times_used_as_warmstart) FROM ml_hpo_patterns")
    assert used[0] == len(finished.all("SELECT * FROM ml_hpo_warmstart_uses"))
    assert used[0] == warm


def test_a_materialisation_uses_the_edited_experiment_file(project):
    """A materialisation from the UI uses the current contents of the experiment file."""
    folder = project.root / "experiments"
    (folder / "cells.yaml").write_text(project.experiment.replace("trials: 6", "trials: 2"))
    result = project.run()
    assert result.success, project.failure(result)
    assert project.all("SELECT n_trials FROM ml_hpo_studies") == [(2,)]


def test_a_study_runs_with_an_empty_pattern_memory(finished):
    with finished.project.database.begin() as connection:
        connection.exec_driver_sql("DELETE FROM procedural_memories")
    result = finished.run()
    assert result.success, finished.failure(result)
    assert finished.all("SELECT count(*) FROM ml_hpo_patterns") == [(1,)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.assign(target=1.0), "target"),
        (lambda frame: frame.head(40), "needs at least 10 rows"),
        (lambda frame: frame.head(0), "has no rows"),
        (lambda frame: frame.drop(columns="patient"), "patient"),
        (lambda frame: frame.assign(kind_copy=np.where(frame.target > 0, 3.5, 1.5)), "kind_copy"),
    ],
)
def test_unusable_rows_fail_the_run_with_a_message_and_store_nothing(project, change, message):
    """Leakage and unusable rows stop the graph, and nothing of them is stored."""
    frame = change(project.rows())
    project.write_rows(frame)
    result = project.run()
    assert not result.success
    assert message in project.failure(result)
    for table in ("ml_split_registry", "ml_hpo_studies", "ml_training_runs"):
        assert project.all(f"SELECT count(*) FROM {table}") == [(0,)]
    assert not project.project.asset_folder("validation_splits", "cells").exists()


def test_a_run_fails_with_the_cause_if_trials_and_defaults_fail(project):
    """No failed trial gets a value, and the error names the cause."""
    bad = project.experiment.replace("{trials: 6}", "{trials: 20}").replace(
        "algorithm: XGBoost", "algorithm: XGBoost\nfixed: {max_bin: 1}"
    )
    result = project.run(bad)
    assert not result.success
    assert "max_bin" in project.failure(result)
    assert project.all("SELECT status FROM ml_training_runs") == [("failed",)]
