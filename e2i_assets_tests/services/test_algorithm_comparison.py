"""Algorithms that are compared in one budget: a study each in the database, and one model from the best of them."""

from pathlib import Path

import pytest
from finished_project import made
from prepared_study import Prepared, prepared

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.settings import Settings
from e2i_assets.cli.results import results
from e2i_assets.core.contracts.contract import HpoOutput
from e2i_assets.core.data.split_tables import SplitFacts
from e2i_assets.core.search import tuning
from e2i_assets.core.search.trials import TrialRecord
from e2i_assets.services import tune
from e2i_assets.services.checks.catalogue import CHECKS
from e2i_assets.services.checks.check import evaluated
from e2i_assets.services.freshness import is_trained
from e2i_assets.services.overview import overview
from e2i_assets.services.project import Project
from e2i_assets.services.write_report import latest_report

ALGORITHMS = ("LogisticRegression", "LightGBM", "XGBoost")
COMPARED = f"""
name: compared
owner: team:tests
source: {{csv: cells.csv}}
target: target
problem_type: binary_classification
algorithm: [{", ".join(ALGORITHMS)}]
metric: log_loss
hpo: {{trials: 12, workers: 1}}
"""


def searched(study: Prepared, on_trial: tune.OnTrial = lambda algorithm, trial, best: None) -> tuning.Tuned:
    experiment = study.project.experiment("cells")
    return tune.tuned(study.project, experiment, study.rows, study.start, study.said.append, on_trial)


def trials(study: Prepared) -> dict[str, list[tuple[int, str, float | None]]]:
    """The trials of each algorithm, in the study of an experiment that names it alone."""
    project, experiment = study.project, study.project.experiment("cells")
    found = {}
    for name in experiment.contenders:
        stored = project.studies.by_spec_hash(tuning.spec_hash(experiment.of(name), study.rows.facts))
        if stored:
            of = project.studies.trials(stored.id)
            found[name] = [(one.trial_number, one.state, one.value) for one in of if one.error_type is None]
    return found


def test_algorithms_share_a_budget_and_a_killed_search_resumes_to_the_same_one(
    database: Database, other_database: Database, tmp_path: Path
) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "killed").mkdir()
    hpo, algorithms = "{trials: 12, workers: 1, sampler: random}", f"[{', '.join(ALGORITHMS)}]"
    whole = prepared(database, tmp_path / "whole", hpo, algorithms)
    assert list(whole.start.contenders or ()) == list(ALGORITHMS)
    found = searched(whole)
    assert {name: len(of) for name, of in trials(whole).items()} == {
        row.algorithm: row.trials for row in found.leaderboard or ()
    }
    assert sum(len(of) for of in trials(whole).values()) == 12
    assert min(len(of) for of in trials(whole).values()) == 2
    again = searched(whole)
    assert (again.algorithm, again.leaderboard) == (found.algorithm, found.leaderboard)
    assert sum(len(of) for of in trials(whole).values()) == 12

    killed = prepared(other_database, tmp_path / "killed", hpo, algorithms)
    seen: list[str] = []

    def dies(algorithm: str, trial: TrialRecord, best: float | None) -> None:
        seen.append(algorithm)
        if len(seen) == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        searched(killed, dies)
    assert seen == [*ALGORITHMS[:1] * 2, *ALGORITHMS[1:2] * 2, ALGORITHMS[2]]
    searched(killed)
    assert sum(len(of) for of in trials(killed).values()) == 12
    assert {name: of[:1] for name, of in trials(killed).items()} == {name: of[:1] for name, of in trials(whole).items()}


def test_a_comparison_continues_the_studies_of_single_algorithms(database: Database, tmp_path: Path) -> None:
    study = prepared(database, tmp_path, "{trials: 6, workers: 1}", "[LogisticRegression, LightGBM]")
    experiment, project = study.project.experiment("cells"), study.project
    alone = experiment.of("LightGBM").model_copy(update={"hpo": experiment.hpo.model_copy(update={"trials": 3})})
    first = tune.tuned(project, alone, study.rows, study.start.of("LightGBM"), study.said.append)
    assert first.result is not None
    found = searched(study)
    shared = [one for one in (found, *(found.others or ())) if one.algorithm == "LightGBM"]
    assert shared[0].identity == first.identity
    assert shared[0].result is not None
    assert shared[0].result.trials[:3] == first.result.trials


def test_one_model_is_trained_from_the_winner_and_everything_agrees_with_it(database: Database, tmp_path: Path) -> None:
    project = Project(Settings(tmp_path, tmp_path / ".e2i", database.url, pictures=False), database)
    made(project, COMPARED)
    experiment = project.experiment("compared")
    outcomes = {check.name: evaluated(check, project, "compared") for check in CHECKS}
    assert [(name, one.why) for name, one in outcomes.items() if one.outcome == "failed"] == []
    hpo: HpoOutput = project.read(HpoOutput, "best_hyperparameters", "compared")
    board = hpo.hpo_leaderboard or []
    assert hpo.hpo_algorithm == board[0].algorithm
    assert {row.algorithm for row in board} == set(ALGORITHMS)
    assert sum(row.trials for row in board) == 12
    assert all(
        row.low is not None and row.high is not None and row.low <= (row.value or 0) <= row.high for row in board
    )
    decided = project.decided_experiment("compared")
    assert decided == experiment.of(board[0].algorithm)

    remembered = [project.patterns.counts(row.study_key)[0] for row in board]
    assert remembered == [1, 1, 1]

    facts: SplitFacts = project.read(SplitFacts, "validation_splits", "compared")
    assert is_trained(project, experiment, facts)
    larger = experiment.model_copy(update={"hpo": experiment.hpo.model_copy(update={"trials": 13})})
    assert not is_trained(project, larger, facts)
    more = experiment.model_copy(update={"chosen_algorithms": (*ALGORITHMS, "ExtraTrees")})
    assert not is_trained(project, more, facts)

    assert overview(project, {})[0].algorithm == board[0].algorithm

    document = results(project, ["compared"])["compared"]
    assert (document["algorithm"], document["leaderboard"]) == (board[0].algorithm, [row.model_dump() for row in board])
    page = latest_report(project.settings, "compared").read_text(encoding="utf-8")
    assert all(row.algorithm in page and row.verdict in page for row in board)
