"""The Python interface: a project, its experiments and their models as objects and DataFrames."""

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
from finished_project import PLAIN, made
from prepared_study import prepared

import e2i_assets as e2i
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.api.experiments import Experiment, NoStudy
from e2i_assets.api.running import RunFailed
from e2i_assets.core.errors import DataInvalid, E2iError
from e2i_assets.services.predict import NoChampion, predict_file
from e2i_assets.services.project import Project


@pytest.fixture
def elsewhere(finished: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder outside of the project, whose folder no variable names; returns the project folder."""
    monkeypatch.delenv("E2I_HOME")
    monkeypatch.chdir(tmp_path)
    (finished.settings.experiments / "plain.yaml").write_text(PLAIN)
    return finished.settings.root


def new_rows(folder: Path) -> pd.DataFrame:
    rows = pd.read_csv(folder / "cells.csv").drop(columns="target").assign(colour="red")
    rows.loc[:1, "site"] = "west"
    return rows.set_index(pd.Index([f"row {number}" for number in range(len(rows))], name="label"))


def test_a_table_is_scored_like_a_file_in_a_notebook_outside_of_the_project(elsewhere: Path, tmp_path: Path) -> None:
    rows = new_rows(elsewhere)
    before = rows.copy()

    async def cell() -> pd.DataFrame:  # a notebook runs its cells inside an event loop
        return e2i.open(elsewhere).experiment("plain").predict(rows, explain=True)

    scored = asyncio.run(cell())
    pd.testing.assert_frame_equal(rows, before)
    assert scored.index.equals(rows.index)
    rows.to_parquet(tmp_path / "new.parquet", index=False)
    opened = e2i.open(elsewhere)
    predict_file(opened.project, "plain", "parquet", tmp_path / "new.parquet", tmp_path / "to.parquet", explain=True)
    of_file = pd.read_parquet(tmp_path / "to.parquet")
    of_table = scored.reset_index(drop=True)
    same = [name for name in of_file.columns if name != "predicted_at"]
    assert list(of_table.columns) == list(of_file.columns)
    pd.testing.assert_frame_equal(of_table[same], of_file[same], check_dtype=False)
    assert scored.attrs == {"unseen": {"site": {"west": 2}}, "not_used": ("colour",)}
    model = opened.experiment("plain").model()
    assert model.predict_proba(rows)[:, 1] == pytest.approx(scored["probability_1"].to_numpy())
    assert opened.experiments == ("plain",)
    assert "<html" in opened.experiment("plain").report().read_text()


def test_pieces_of_a_large_table_are_one_table(elsewhere: Path) -> None:
    rows = new_rows(elsewhere)
    many = pd.concat([rows] * (65_536 // len(rows) + 1))
    scored = e2i.open(elsewhere).experiment("plain").predict(many)
    assert scored["row"].tolist() == list(range(1, len(many) + 1))
    first, last = scored["probability_1"][: len(rows)], scored["probability_1"][-len(rows) :]
    np.testing.assert_allclose(last, first, rtol=1e-12)


def test_wrong_rows_and_missing_models_are_errors_that_say_so(elsewhere: Path) -> None:
    project = e2i.open(elsewhere)
    plain, rows = project.experiment("plain"), new_rows(elsewhere)
    with pytest.raises(DataInvalid, match="'site' is a column of the model that these rows lack"):
        plain.predict(rows.drop(columns="site"))
    with pytest.raises(DataInvalid, match=r"'mean area' takes numbers.*'broken' \(1: row 4\)"):
        plain.predict(rows.astype({"mean area": object}).assign(**{"mean area": [*[1.0] * 3, "broken", *[1.0] * 565]}))
    with pytest.raises(E2iError, match="no rows"):
        plain.predict(rows.head(0))
    with pytest.raises(NoStudy, match="no study"):
        plain.trials()
    with pytest.raises(E2iError, match="experiment 'plan' is not registered"):
        project.experiment("plan")
    (elsewhere / "experiments" / "other.yaml").write_text(PLAIN.replace("name: plain", "name: other"))
    with pytest.raises(NoChampion, match="other has no champion yet"):
        project.experiment("other").predict(rows)
    with pytest.raises(E2iError, match="is not a project folder"):
        e2i.open(elsewhere / "experiments")


def test_two_experiments_are_compared_as_tables(elsewhere: Path) -> None:
    project = e2i.open(elsewhere)
    text = PLAIN.replace("name: plain", "name: strict").replace("hpo:", "fixed: {C: 0.001}\nhpo:")
    (elsewhere / "experiments" / "strict.yaml").write_text(text)
    made(project.project, text)
    plain, strict = project.experiment("plain"), project.experiment("strict")
    found = e2i.compare(plain, strict, user="ada")
    assert list(found.models.index) == list(found.metrics.columns) == ["plain", "strict"]
    (gain,) = found.gains.itertuples()
    assert gain.low <= gain.gain <= gain.high
    assert gain.gain == pytest.approx(
        found.metrics.loc[gain.metric, "strict"] - found.metrics.loc[gain.metric, "plain"]
    )
    assert found.differences.loc["parameters.C"].tolist() == ["1", "0.001"]
    assert "strict" in str(found)
    assert found._repr_html_().startswith("<iframe srcdoc=")
    with pytest.raises(E2iError, match="two different experiments"):
        e2i.compare(plain, plain)


def test_trials_are_a_table_in_the_natural_orientation(database: Database, tmp_path: Path) -> None:
    study = prepared(database, tmp_path, "{trials: 3, workers: 1}\nmetric: log_loss", "LogisticRegression")
    study.searched()
    trials = Experiment(study.project, "cells").trials()
    stored = study.trials()
    assert trials.index.tolist() == [one.trial_number for one in stored]
    assert trials["value"].tolist() == [-one.value for one in stored if one.value is not None]
    assert trials["params_C"].tolist() == [one.params["C"] for one in stored]
    assert study.study.best_trial_number == trials["value"].idxmin()
    assert set(trials["state"]) == {"COMPLETE"}


@pytest.mark.processes
def test_a_run_reports_its_outcome_and_an_interruption_ends_its_process(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = e2i.open(elsewhere).experiment("plain")

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 1.0)
        with pytest.raises(KeyboardInterrupt):
            plain.run()
    finally:
        signal.signal(signal.SIGALRM, before)
    running = [one for one in psutil.Process().children(recursive=True) if "e2i_assets.cli.main" in one.cmdline()]
    assert running == []
    assert capsys.readouterr().err == "", "nobody watches: this is neither a terminal nor a notebook"
    done = plain.run(progress=True)
    assert "\rplain: dataset (1 of 8)" in capsys.readouterr().err
    assert (done.status, done.metric, done.study) == ("up_to_date", "roc_auc", None)
    assert done.tuned_on_test is not None
    assert 0.9 < done.tuned_on_test <= 1
    (elsewhere / "cells.csv").write_text("target,site\n1,north\n")
    with pytest.raises(RunFailed, match=r"(?s)plain failed\. .*has only one value.*run-plain\.log"):
        plain.run()


def test_importing_the_package_imports_no_library() -> None:
    code = "import e2i_assets as e2i, sys, json; print(json.dumps([*sys.modules]), *dir(e2i), sep='|')"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    modules, *names = shown.strip().split("|")
    heavy = {"pandas", "numpy", "sqlalchemy", "dagster", "pydantic", "typer", "e2i_assets.api", "e2i_assets.services"}
    assert heavy & set(json.loads(modules)) == set()
    assert {"open", "compare", "ExperimentComponent"} <= set(names)
    with pytest.raises(AttributeError, match="has no attribute 'opn'"):
        e2i.opn  # noqa: B018
