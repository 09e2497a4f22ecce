"""What is computed again for the same study: segments and costs that are added later, and another final model."""

from pathlib import Path

import pytest
from finished_project import PLAIN, made, registered

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.test_access import segments_of
from e2i_assets.adapters.repositories.training_runs import StoredRun
from e2i_assets.adapters.settings import Settings
from e2i_assets.core.contracts.contract import HpoOutput
from e2i_assets.core.data.split_tables import TrainingRows
from e2i_assets.core.errors import DataInvalid, ExperimentInvalid
from e2i_assets.services.freshness import is_complete
from e2i_assets.services.project import Project
from e2i_assets.services.training_rows import REASON

COSTS = "costs: {missed: 500, false_alarm: 20, unit: EUR}\n"
BY_SIZE = f"{PLAIN}segments: [size]\n"


@pytest.fixture
def project(database: Database, tmp_path: Path) -> Project:
    return Project(Settings(tmp_path, tmp_path / "state", database.url, pictures=False), database)


def run_of(project: Project) -> StoredRun:
    hpo: HpoOutput = project.read(HpoOutput, "best_hyperparameters", "plain")
    run = project.training_runs.by_spec_hash(str(hpo.hpo_spec_hash))
    assert run is not None
    return run


def columns(project: Project) -> set[str]:
    return {one.column_name for one in segments_of(project.database, run_of(project).id)}


def test_segments_and_costs_added_later_are_computed_for_the_same_study(finished: Project) -> None:
    """The rows and the study stay the same: only the training is repeated."""
    assert is_complete(finished, finished.experiment("plain"))
    assert columns(finished) == set()
    by_site = f"{PLAIN}segments: [site]\n"
    assert not is_complete(finished, registered(finished, by_site))
    assert not is_complete(finished, registered(finished, f"{PLAIN}{COSTS}"))
    made(finished, f"{by_site}{COSTS}")
    assert columns(finished) == {"site"}
    costs = run_of(finished).expected_costs
    assert costs is not None
    assert costs["costs"] == {"missed": 500, "false_alarm": 20, "unit": "EUR"}
    assert [one["decision"] for one in costs["per_1000_rows"]] == ["model", "break_even", "flag_all", "flag_none"]
    assert not is_complete(finished, registered(finished, by_site)), "its report has costs"
    registered(finished, f"{by_site}{COSTS}")
    assert is_complete(finished, finished.experiment("plain"))


def test_a_changed_experiment_is_incomplete_before_its_rows_are_read(finished: Project) -> None:
    """The run reads the source; reading it here as well would double the cost for a large one."""
    (finished.settings.root / "cells.csv").unlink()
    assert not is_complete(finished, registered(finished, f"{PLAIN}segments: [site]\n"))


def test_a_final_model_of_other_rows_is_trained_for_the_same_study(finished: Project) -> None:
    """It is another model: the row of the training, its number of rows and its first test-set access follow."""
    counts = finished.read(TrainingRows, "validation_splits", "plain").facts.counts
    refit = run_of(finished)
    assert (refit.final_model, refit.training_samples) == ("refit", counts["train"] + counts["validation"])
    alone = f"{PLAIN}final_model: train_only\n"
    assert not is_complete(finished, registered(finished, alone))
    made(finished, alone)
    run = run_of(finished)
    assert (run.id, run.final_model, run.training_samples) == (refit.id, "train_only", counts["train"])
    assert run.validation_metrics == refit.validation_metrics
    assert run.test_metrics != refit.test_metrics
    assert run.model_key != refit.model_key
    for model in (refit, run):
        looks = finished.test_access.accesses(model.fitted_model_key)
        assert [one.look for one in looks if one.reason.startswith(REASON)] == [1], (
            "the other is the comparison of both"
        )
    assert is_complete(finished, finished.experiment("plain"))


def test_the_target_is_refused_as_a_segment(project: Project) -> None:
    with pytest.raises(ExperimentInvalid, match="segments: 'target' is the target"):
        registered(project, f"{PLAIN}segments: [target]\n")


def test_a_missing_or_unique_column_is_refused_as_a_segment(project: Project) -> None:
    with pytest.raises(DataInvalid, match="segments: 'size' is not a column of the data"):
        made(project, BY_SIZE)
    with pytest.raises(DataInvalid, match=r"segments: 'mean area' has 539 values: a segment column has at most 50"):
        made(project, f"{PLAIN}segments: [mean area]\n")
