"""Trials with limits: terminated, failed with the reason, and otherwise the same as without limits."""

import contextlib
import math
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import limited_program
import optuna
import psutil
import pytest
from greedy_rows import GreedyRows
from sklearn.datasets import load_breast_cancer

from e2i_assets.adapters.files import asset_values
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.experiments import ExperimentRepository
from e2i_assets.adapters.repositories.studies import StudyRepository
from e2i_assets.adapters.settings import Settings
from e2i_assets.adapters.sources import datasets
from e2i_assets.adapters.trial_processes.errors import TrialProcessFailed
from e2i_assets.adapters.trial_processes.limited import objective_within_limits
from e2i_assets.core.data.dataset import dataset_of
from e2i_assets.core.data.split_tables import SearchRows, SplitFacts
from e2i_assets.core.data.splits import SEARCHED
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.file import parse_experiment
from e2i_assets.core.search import tuning
from e2i_assets.core.search.study import search
from e2i_assets.core.search.study_result import StudyResult
from e2i_assets.services import remember, split, tune
from e2i_assets.services.project import Project

CELLS = """
name: cells
owner: team:tests
source: {{csv: cells.csv}}
target: target
problem_type: binary_classification
algorithm: {algorithm}
{more}
hpo: {{trials: 8, workers: 1, {hpo}}}
"""


def experiment_of(hpo: str, algorithm: str = "XGBoost", more: str = "") -> Experiment:
    return parse_experiment(CELLS.format(hpo=hpo, algorithm=algorithm, more=more), "test")


def rows_in(folder: Path, seed: int = 0) -> SearchRows:
    """Return train and validation rows as the graph stores them."""
    frame = load_breast_cancer(as_frame=True).frame.sample(frac=1, random_state=seed).astype({"target": str})
    features = tuple(name for name in frame.columns if name != "target")
    counts = {"train": 340, "validation": 110, "test": 90, "holdout": 29}
    facts = SplitFacts(
        experiment="cells", problem_type="binary_classification", target="target", features=features,
        classes=("0", "1"), data_hash="d" * 64, split_hash="e" * 64, search_hash="f" * 64, strategy="stratified",
        seed=42, counts=counts, left_out=0,
    )  # fmt: skip
    place = folder / "validation_splits" / "cells"
    place.mkdir(parents=True, exist_ok=True)
    (place / "value.json").write_text(facts.model_dump_json())
    frame.iloc[:340].to_parquet(place / "train.parquet", index=False)
    frame.iloc[340:450].to_parquet(place / "validation.parquet", index=False)
    rows: SearchRows = asset_values.read(SearchRows, place)
    return rows


def searched(experiment: Experiment, rows: SearchRows) -> StudyResult:
    with objective_within_limits(experiment, rows) as objective_until:
        plan = replace(tuning.plan(experiment, "a" * 64), startup_trials=3)
        return search(objective_until, plan, optuna.storages.InMemoryStorage())


def seen(result: StudyResult) -> list[tuple[object, ...]]:
    return [
        (one.number, one.state, one.params, one.value, one.rounds, one.intermediate_values, one.error_type)
        for one in result.trials
    ]


LIMITED = "trial_seconds: 60, trial_memory_mb: 4000"


@pytest.mark.parametrize(
    ("algorithm", "hpo"),
    [
        ("XGBoost", "pruner: median, rounds: searched, seed: 1"),
        pytest.param(
            "LogisticRegression", "objective: cross_validation, folds: 3, pruner: median", marks=pytest.mark.processes
        ),
    ],
)
def test_a_study_with_limits_is_the_same_study(tmp_path: Path, algorithm: str, hpo: str) -> None:
    """It has the same values to the last bit, the same reports, and the same pruned trials."""
    rows = rows_in(tmp_path)
    free = searched(experiment_of(hpo, algorithm), rows)
    limited = searched(experiment_of(f"{hpo}, {LIMITED}", algorithm), rows)
    assert seen(limited) == seen(free)
    assert limited.default_value == free.default_value
    assert any(one.intermediate_values for one in limited.trials)
    assert any(one.state == "PRUNED" for one in limited.trials) or algorithm != "XGBoost"


def test_a_limit_does_not_change_the_study_key(tmp_path: Path) -> None:
    """A study that reached a limit continues with another one: the value of a trial does not depend on it."""
    facts = rows_in(tmp_path).facts
    hashes = {tuning.spec_hash(experiment_of(hpo), facts) for hpo in ("seed: 42", LIMITED, "trial_seconds: 0.5")}
    assert len(hashes) == 1


@pytest.mark.processes
def test_errors_of_a_trial_are_reported_as_without_limits(tmp_path: Path) -> None:
    rows, broken = rows_in(tmp_path), "fixed: {max_depth: -5}"
    free = searched(experiment_of("seed: 1", more=broken), rows)
    limited = searched(experiment_of(LIMITED, more=broken), rows)
    assert [(one.state, one.error_type) for one in limited.trials] == [("FAIL", "XGBoostError")] * 8
    assert [one.error_message.splitlines()[0][-60:] for one in limited.trials if one.error_message] == [
        one.error_message.splitlines()[0][-60:] for one in free.trials if one.error_message
    ]


@pytest.mark.processes
def test_a_process_that_died_between_two_trials_costs_none(tmp_path: Path) -> None:
    with objective_within_limits(experiment_of(LIMITED), rows_in(tmp_path)) as objective_until:
        objective = objective_until(math.inf)
        value = objective.default_value()
        (idle,) = children()
        idle.kill()
        os.waitid(
            os.P_PID, idle.pid, os.WEXITED | os.WNOWAIT
        )  # with all its threads; the parent has not collected it yet
        assert [objective.default_value() for _ in range(2)] == [value, value]
        (another,) = children()
        assert another.pid != idle.pid
    assert not children()


@pytest.mark.processes
def test_rows_that_cannot_be_evaluated_are_reported_before_the_study_begins(tmp_path: Path) -> None:
    rows = rows_in(tmp_path)
    impossible = experiment_of(f"objective: cross_validation, folds: 400, {LIMITED}")
    with pytest.raises(E2iError, match="folds"), objective_within_limits(impossible, rows):
        pass
    with (
        pytest.raises(TrialProcessFailed, match=r"hpo\.trial_memory_mb is 20, and a trial process uses more for"),
        objective_within_limits(experiment_of("trial_memory_mb: 20"), rows),
    ):
        pass
    assert not children()


@pytest.mark.processes
def test_the_rows_are_the_ones_that_were_opened_also_when_others_took_their_place(tmp_path: Path) -> None:
    rows = rows_in(tmp_path)
    before = searched(experiment_of("seed: 1"), rows)
    shutil.rmtree(tmp_path / "validation_splits")  # as a new materialisation does
    rows_in(tmp_path, seed=5)
    assert seen(searched(experiment_of(LIMITED.replace("60", "61") + ", seed: 1"), rows)) == seen(before)


ONLY = (
    "max_depth: null, learning_rate: null, subsample: null, colsample_bytree: null, min_child_weight: null, "
    "reg_alpha: null, reg_lambda: null"
)


def grid(rounds: str, bins: str) -> str:
    """Return a space with these two parameters only, in which every round is fitted."""
    drawn = f"n_estimators: {{type: categorical, choices: {rounds}}}, max_bin: {{type: categorical, choices: {bins}}}"
    return f"early_stopping: {{enabled: false}}\nsearch_space: {{{drawn}, {ONLY}}}"


@pytest.mark.processes
def test_a_trial_that_hangs_has_failed_with_that_reason_and_the_study_goes_on(
    database: Database, tmp_path: Path
) -> None:
    """A real fit, of fifty million rounds."""
    project = Project(Settings(root=tmp_path, state=tmp_path), database)
    experiment = experiment_of("trial_seconds: 3, sampler: grid", more=grid("[5, 6, 50000000]", "[32, 64]"))
    load_breast_cancer(as_frame=True).frame.to_csv(tmp_path / "cells.csv", index=False)
    ExperimentRepository(database).register_experiment(experiment)
    data = dataset_of(datasets.load(experiment.source, tmp_path, os.environ), experiment)
    asset_values.write(split.split(project, experiment, data), project.asset_folder("validation_splits", "cells"))
    rows: SearchRows = project.read(SearchRows, "validation_splits", "cells")
    start = remember.warm_start(project, experiment, rows)
    result = tune.durable_search(project, experiment, rows, start, lambda trial, best: None)
    study = StudyRepository(database).by_spec_hash(tuning.spec_hash(experiment, rows.facts))
    assert study is not None
    found = StudyRepository(database).trials(study.id)
    assert (result.stop_reason, study.status, len(found)) == ("grid exhausted", "completed", 6)
    failed = [one for one in found if one.state == "FAIL"]
    assert [one.params["n_estimators"] for one in failed] == [50_000_000] * 2
    assert {one.error_type for one in failed} == {"TrialTooSlow"}
    assert {one.error_message for one in failed} == {"it ran for longer than hpo.trial_seconds: 3, and was killed"}
    assert all((one.duration_seconds or 0) > 2.9 for one in failed)
    assert result.best is not None
    assert not children(), "a process of a trial outlived its study"


@pytest.mark.processes
def test_a_trial_that_takes_four_gigabytes_has_failed_with_that_reason_before_it_has_them(tmp_path: Path) -> None:
    plain, sign = rows_in(tmp_path), tmp_path / "greed"
    folder = tmp_path / "validation_splits" / "cells"
    train, validation = (
        GreedyRows(folder / f"{role}.parquet", plain.facts.features, "target", sign) for role in SEARCHED
    )
    experiment = experiment_of("trial_memory_mb: 1500, sampler: grid", more=grid("[5, 6]", "[32, 64]"))
    most: list[float] = []
    with objective_within_limits(experiment, SearchRows(plain.facts, train, validation)) as objective_until:
        watched = threading.Thread(target=watch, args=(most, ended := threading.Event()))
        watched.start()
        result = search(
            objective_until,
            tuning.plan(experiment, "a" * 64),
            optuna.storages.InMemoryStorage(),
            on_trial=lambda trial, best: sign.touch() if trial.number == 0 else None,
        )
        ended.set()
        watched.join()
    assert [one.error_type for one in result.trials].count("TrialTooLarge") == 1
    assert [one.state for one in result.trials].count("COMPLETE") == 3
    assert "more than hpo.trial_memory_mb: 1500, and was killed" in " ".join(
        one.error_message for one in result.trials if one.error_message
    )
    assert max(most) < 3e9


def watch(most: list[float], ended: threading.Event) -> None:
    while not ended.wait(0.02):
        with contextlib.suppress(psutil.NoSuchProcess):
            most.extend(one.memory_info().rss for one in children())


@pytest.mark.processes
def test_the_process_of_a_trial_ends_with_the_search_however_that_ended(tmp_path: Path) -> None:
    """Also during a fit that ignores signals."""
    rows_in(tmp_path)
    program = subprocess.Popen(
        [sys.executable, limited_program.__file__, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "fitting\n"
    started = psutil.Process(program.pid).children(recursive=True)
    assert started
    program.kill()
    program.communicate()
    until(lambda: not [one for one in started if one.is_running() and one.status() != psutil.STATUS_ZOMBIE])


def children() -> list[psutil.Process]:
    return [one for one in psutil.Process().children() if "trial_processes" in " ".join(one.cmdline())]


def until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
