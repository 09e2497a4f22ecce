"""Segments from the experiment file to the tables: the allowed columns, and segments that are added later."""

from pathlib import Path

import pytest
from finished_project import PLAIN, made, registered

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.test_access import segments_of
from e2i_assets.adapters.settings import Settings
from e2i_assets.core.contracts.contract import HpoOutput
from e2i_assets.core.errors import DataInvalid, ExperimentInvalid
from e2i_assets.services.freshness import is_complete
from e2i_assets.services.project import Project

BY_SIZE = f"{PLAIN}segments: [size]\n"


@pytest.fixture
def project(database: Database, tmp_path: Path) -> Project:
    return Project(Settings(tmp_path, tmp_path / "state", database.url, pictures=False), database)


def columns(project: Project) -> set[str]:
    hpo: HpoOutput = project.read(HpoOutput, "best_hyperparameters", "plain")
    run = project.training_runs.by_spec_hash(str(hpo.hpo_spec_hash))
    assert run is not None
    return {one.column_name for one in segments_of(project.database, run.id)}


def test_a_segment_added_later_is_computed_for_the_same_study(finished: Project) -> None:
    """The rows and the study stay the same: only the training is repeated."""
    assert is_complete(finished, finished.experiment("plain"))
    assert columns(finished) == set()
    by_site = f"{PLAIN}segments: [site]\n"
    assert not is_complete(finished, registered(finished, by_site))
    made(finished, by_site)
    assert columns(finished) == {"site"}
    assert is_complete(finished, finished.experiment("plain"))


def test_a_changed_experiment_is_incomplete_before_its_rows_are_read(finished: Project) -> None:
    """The run reads the source; reading it here as well would double the cost for a large one."""
    (finished.settings.root / "cells.csv").unlink()
    assert not is_complete(finished, registered(finished, f"{PLAIN}segments: [site]\n"))


def test_the_target_is_refused_as_a_segment(project: Project) -> None:
    with pytest.raises(ExperimentInvalid, match="segments: 'target' is the target"):
        registered(project, f"{PLAIN}segments: [target]\n")


def test_a_missing_or_unique_column_is_refused_as_a_segment(project: Project) -> None:
    with pytest.raises(DataInvalid, match="segments: 'size' is not a column of the data"):
        made(project, BY_SIZE)
    with pytest.raises(DataInvalid, match=r"segments: 'mean area' has 539 values: a segment column has at most 50"):
        made(project, f"{PLAIN}segments: [mean area]\n")
