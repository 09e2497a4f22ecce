"""A promotion uses the check results of its Dagster run, and evaluates the checks if the run has none."""

import dagster as dg

from e2i_assets.core.automation.champion import ChampionModel
from e2i_assets.core.data.split_tables import TrainingRows
from e2i_assets.defs.champion import failed_in_run
from e2i_assets.services.promote import promote

PLAIN = """\
name: cells
owner: team:tests
source: {csv: cells.csv}
target: {name: kind, column: target, bins: [0], labels: [malignant, benign]}
problem_type: binary_classification
columns: {group: patient}
algorithm: LogisticRegression
hpo: {enabled: false}
"""
BEFORE = ["dataset", "validation_splits", "warm_start", "hpo_study", "best_hyperparameters", "trained_model"]


def test_a_later_run_evaluates_the_checks_that_it_has_no_results_of(project):
    trained = project.run(PLAIN, BEFORE)
    assert trained.success, project.failure(trained)
    assert failed_in_run(project.instance, trained.run_id, dg.AssetKey("trained_model")) == []
    promoted = project.run(PLAIN, ["champion_model"])
    assert promoted.success, project.failure(promoted)
    assert failed_in_run(project.instance, promoted.run_id, dg.AssetKey("trained_model")) is None
    assert project.project.read(ChampionModel, "champion_model", "cells").promoted


def test_a_failed_check_prevents_a_promotion(project):
    assert project.run(PLAIN, BEFORE).success
    (archive,) = (project.project.settings.state / "models").rglob("model.skops")
    archive.write_bytes(b"damaged")
    experiment = project.project.experiment("cells")
    rows = project.project.read(TrainingRows, "validation_splits", "cells")
    found = promote(project.project, experiment, rows)
    assert not found.promoted
    assert "model_reloads_with_the_same_metrics" in found.reason
    refused = promote(project.project, experiment, rows, ["training_run_row_is_complete: it has no rows"])
    assert not refused.promoted
    assert "training_run_row_is_complete: it has no rows" in refused.reason
    assert promote(project.project, experiment, rows, []).promoted
    experiment_id = project.project.experiments.id_of("cells")
    assert project.project.champions.current(experiment_id) is not None
