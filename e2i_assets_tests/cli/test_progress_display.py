"""The progress display: a bar on a terminal, and only results without a terminal."""

import io
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from direct_rows import record_trials
from rich.console import Console

from e2i_assets.adapters.repositories.results import progress_of
from e2i_assets.adapters.repositories.study_rows import StudyRow, TrialRow
from e2i_assets.cli.progress_display import ProgressDisplay
from e2i_assets.services.project import Project
from e2i_assets.services.run_progress import study_words


@pytest.fixture
def since() -> float:
    """The start time of the run."""
    return time.time() - 100


@pytest.fixture
def searching(project: Project, since: float) -> Project:
    """A project with a regression study of ten trials: three have ended, one of them before this run."""
    experiment_id = project.experiments.register("visits", {"target": "left"})
    store = project.studies
    study_id = store.start(
        StudyRow(
            study_name="s",
            spec_hash="s",
            experiment_id=experiment_id,
            split_id=None,
            data_hash="data",
            algorithm_name="Ridge",
            problem_type="regression",
            sampler_name="tpe",
            pruner_name="none",
            metric="r2",
            seed=1,
            search_space={},
            fixed_params={},
            n_trials=10,
        )
    )
    began = datetime.fromtimestamp(since, UTC) + timedelta(seconds=80)
    times = [began - timedelta(hours=1), began, began + timedelta(seconds=10)]
    record_trials(
        store.database,
        study_id,
        [
            TrialRow(
                trial_number=number,
                state="COMPLETE",
                origin="sampler",
                params={},
                value=-0.25 - number,
                datetime_start=at,
                datetime_complete=at + timedelta(seconds=5),
            )
            for number, at in enumerate(times)
        ],
    )
    for asset in ("dataset", "validation_splits", "warm_start"):
        project.asset_folder(asset, "visits").mkdir(parents=True)
    return project


def shown(project: Project, is_terminal: bool, then: Callable[[ProgressDisplay], None]) -> str:
    words = io.StringIO()
    console = Console(file=words, force_terminal=is_terminal, width=150, color_system=None)
    with ProgressDisplay(project, ["visits"], console) as progress_display:
        then(progress_display)
    return words.getvalue()


def test_a_running_study_shows_its_best_value_and_the_time_left(searching: Project, since: float) -> None:
    """A negative R² stays negative, and trials of an earlier process do not count for the time left."""
    progress = progress_of(searching.database, "visits", since)
    assert progress is not None
    assert (progress.finished, progress.share) == (3, 0.3)
    assert progress.seconds_left == pytest.approx(7 * 10, abs=10)
    assert study_words(progress).startswith("trial 4 of 10, best r2 -0.25, about ")
    assert progress_of(searching.database, "another", since) is None


def test_a_terminal_gets_a_bar(searching: Project, since: float) -> None:
    output = shown(searching, True, lambda progress_display: progress_display.show({"visits": since}))
    assert "visits" in output
    assert "━" in output
    assert "hpo_study (4 of 8): trial 4 of 10, best r2 -0.25" in output
    assert " s left" in output


def test_without_a_terminal_only_the_result_is_printed(searching: Project, since: float) -> None:
    def then(progress_display: ProgressDisplay) -> None:
        progress_display.show({"visits": since})
        progress_display.ended("visits", {"status": "done"})

    assert shown(searching, False, then) == "visits: done\n"


def test_a_failure_does_not_fill_the_bar(searching: Project, since: float) -> None:
    def then(progress_display: ProgressDisplay) -> None:
        progress_display.show({"visits": since})
        progress_display.ended("visits", {"status": "failed"})

    last = shown(searching, True, then).splitlines()[-2]
    assert "failed" in last
    bar = last.rpartition("visits ")[2].partition(" failed")[0]
    assert bar.count("━") < 12


def test_an_asset_that_is_being_replaced_is_not_an_error(searching: Project, since: float) -> None:
    """A folder may disappear between its listing and its reading."""
    folder: Path = searching.asset_folder("dataset", "visits")
    folder.rmdir()
    assert "dataset (1 of 8)" in shown(
        searching, True, lambda progress_display: progress_display.show({"visits": since})
    )
