"""`e2i predict`: the champion scores new rows as the training read its own, completely or not at all."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import Result
from finished_project import registered

from e2i_assets.adapters.mlflow.models import load_model
from e2i_assets.core.fitting.reasons import contributions
from e2i_assets.services.project import Project

RunCli = Callable[..., Result]


def new_rows(project: Project) -> pd.DataFrame:
    return pd.read_csv(project.settings.root / "cells.csv").drop(columns="target")


def expected(project: Project, rows: pd.DataFrame) -> np.ndarray:
    (archive,) = project.settings.state.glob("champions/plain/*/data/model")
    return load_model(archive).predict_proba(rows)


def one_line(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize(("kind", "suffix"), [("csv", ".csv"), ("csv", ".parquet"), ("parquet", ".parquet")])
def test_the_champion_scores_a_file(finished: Project, run_cli: RunCli, tmp_path: Path, kind: str, suffix: str) -> None:
    rows = new_rows(finished)
    file, to = tmp_path / f"new.{kind}", tmp_path / f"scored{suffix}"
    rows.to_csv(file, index=False) if kind == "csv" else rows.to_parquet(file)
    done = run_cli("predict", "plain", f"--{kind}", str(file), "--out", str(to))
    assert done.exit_code == 0, done.output
    scored = pd.read_csv(to, dtype={"prediction": str}) if suffix == ".csv" else pd.read_parquet(to)
    scores = expected(finished, rows)
    np.testing.assert_allclose(scored[["probability_0", "probability_1"]], scores, atol=1e-12)
    (run,) = finished.training_runs.links("plain")
    stored = finished.training_runs.by_spec_hash(run.spec_hash)
    assert stored is not None
    assert stored.decision_threshold is not None
    assert scored["prediction"].tolist() == [str(int(one)) for one in scores[:, 1] >= stored.decision_threshold]
    assert scored["row"].tolist() == list(range(1, len(rows) + 1))
    assert set(scored["study_key"]) == {run.spec_hash}
    assert set(scored["training_run_id"]) == {run.training_run_id}
    assert set(scored["model_key"]) == {stored.model_key}
    assert pd.to_datetime(scored["predicted_at"], utc=True).nunique() == 1
    assert f"{len(rows)} rows scored by the champion of plain" in one_line(done.output)
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".")] == []


def test_other_columns_are_ignored_and_named_and_new_categories_counted(
    finished: Project, run_cli: RunCli, tmp_path: Path
) -> None:
    rows = new_rows(finished).assign(colour="red", target="unknown")
    rows.loc[:2, "site"] = "west"
    rows.to_csv(tmp_path / "new.csv", index=False)
    done = run_cli("predict", "plain", "--csv", str(tmp_path / "new.csv"), "--out", str(tmp_path / "scored.csv"))
    assert done.exit_code == 0, done.output
    assert "Not used by the model: colour" in done.output
    assert "site: 3 rows have a category that is new to the model: 'west' (3)" in done.output
    document = run_cli(
        "predict",
        "plain",
        "--csv",
        str(tmp_path / "new.csv"),
        "--out",
        str(tmp_path / "scored.csv"),
        "--force",
        "--json",
    )
    facts = json.loads(document.stdout)
    assert (facts["rows"], facts["unseen"], facts["not_used"]) == (len(rows), {"site": {"west": 3}}, ["colour"])


def test_reasons_are_the_largest_effects_of_each_row(finished: Project, run_cli: RunCli, tmp_path: Path) -> None:
    rows = new_rows(finished)
    rows.to_csv(tmp_path / "new.csv", index=False)
    to = tmp_path / "scored.parquet"
    done = run_cli("predict", "plain", "--csv", str(tmp_path / "new.csv"), "--out", str(to), "--explain")
    assert done.exit_code == 0, done.output
    scored = pd.read_parquet(to)
    (archive,) = finished.settings.state.glob("champions/plain/*/data/model")
    found = contributions(load_model(archive), rows)
    np.testing.assert_allclose(found.total[:, 0], np.log(scored["probability_1"] / scored["probability_0"]), rtol=1e-6)
    best = np.abs(found.values[:, :, 0]).argmax(axis=1)
    assert [one.split(" = ")[0] for one in scored["reason_1"]] == [found.columns[position] for position in best]
    np.testing.assert_allclose(scored["effect_1"], found.values[np.arange(len(rows)), best, 0])


def test_missing_columns_are_named_and_nothing_is_written(finished: Project, run_cli: RunCli, tmp_path: Path) -> None:
    rows = new_rows(finished).drop(columns=["mean area", "site"])
    rows.to_csv(tmp_path / "new.csv", index=False)
    done = run_cli("predict", "plain", "--csv", str(tmp_path / "new.csv"), "--out", str(tmp_path / "scored.csv"))
    assert done.exit_code == 1
    for name in ("mean area", "site"):
        assert f"columns: '{name}' is a column of the model that these rows lack" in one_line(done.output)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["new.csv", "project"]


def test_a_cell_of_another_type_is_refused_with_its_line(finished: Project, run_cli: RunCli, tmp_path: Path) -> None:
    rows = new_rows(finished).astype({"mean area": object})
    rows.loc[5, "mean area"] = "broken"
    rows.to_csv(tmp_path / "new.csv", index=False)
    done = run_cli("predict", "plain", "--csv", str(tmp_path / "new.csv"), "--out", str(tmp_path / "scored.csv"))
    assert done.exit_code == 1
    assert "columns: 'mean area' takes numbers, as in the train rows, and has 'broken' (1: line 7)" in done.output
    assert not (tmp_path / "scored.csv").exists()


def test_an_existing_file_is_replaced_only_with_force(finished: Project, run_cli: RunCli, tmp_path: Path) -> None:
    file, to = tmp_path / "new.csv", tmp_path / "scored.csv"
    new_rows(finished).to_csv(file, index=False)
    to.write_text("precious")
    refused = run_cli("predict", "plain", "--csv", str(file), "--out", str(to))
    assert refused.exit_code == 1
    assert "scored.csv exists already: choose another file, or replace it with --force" in one_line(refused.output)
    assert to.read_text() == "precious"
    assert run_cli("predict", "plain", "--csv", str(file), "--out", str(to), "--force").exit_code == 0
    assert len(pd.read_csv(to)) == len(new_rows(finished))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--out", "a.csv"), "give the new rows of plain with --csv FILE or --parquet FILE"),
        (("--csv", "none.csv", "--out", "a.csv"), "none.csv does not exist"),
        (("--csv", "cells.csv", "--out", "a.xlsx"), "predictions are written to a file that ends in .csv or .parquet"),
        (("--csv", "cells.csv", "--out", "cells.csv"), "has the rows to predict: give another file"),
        (("--csv", "cells.csv", "--out", "nowhere/a.csv"), "there is no folder"),
    ],
)
def test_a_mistaken_call_says_what_to_do(
    finished: Project, run_cli: RunCli, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(finished.settings.root)
    refused = run_cli("predict", "plain", *words)
    assert refused.exit_code == 1
    assert message in one_line(refused.output)


def test_without_a_champion_the_message_says_how_to_get_one(project: Project, run_cli: RunCli, tmp_path: Path) -> None:
    registered(project)
    (tmp_path / "new.csv").write_text("a,b\n1,2\n")
    refused = run_cli("predict", "plain", "--csv", str(tmp_path / "new.csv"), "--out", str(tmp_path / "scored.csv"))
    assert refused.exit_code == 1
    assert "plain has no champion yet: `e2i run plain` trains a model" in one_line(refused.output)


def test_a_killed_command_leaves_the_old_file_and_the_next_one_cleans_up(
    finished: Project, run_cli: RunCli, tmp_path: Path
) -> None:
    file, to = tmp_path / "new.csv", tmp_path / "scored.csv"
    rows = new_rows(finished)
    pd.concat([rows] * 200).to_csv(file, index=False)
    to.write_text("old")
    command = [sys.executable, "-m", "e2i_assets.cli.main", "predict", "plain", "--csv", str(file), "--out", str(to)]
    killed = subprocess.Popen([*command, "--force"], env=os.environ, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not _is_written(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert killed.poll() is None, "it ended before it was killed"
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert to.read_text() == "old"
    (leftover,) = tmp_path.glob(".scored.csv-*")
    os.utime(leftover, (time.time() - 60, time.time() - 60))
    rows.to_csv(file, index=False)
    assert run_cli("predict", "plain", "--csv", str(file), "--out", str(to), "--force").exit_code == 0
    assert len(pd.read_csv(to)) == len(rows)
    assert list(tmp_path.glob(".scored.csv-*")) == []


def _is_written(folder: Path) -> bool:
    return any(one.stat().st_size for one in folder.glob(".scored.csv-*/scored.csv"))
