"""Automation with Dagster's real daemon and webserver on the embedded PostgreSQL."""

import os
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
from dagster_programs import CELLS, Programs, cells, project_folder, write_experiment
from webhook_receiver import webhook_receiver

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.settings import Settings

pytestmark = [pytest.mark.processes, pytest.mark.daemon, pytest.mark.timeout(3600)]

CHAIN = [
    *("dataset", "validation_splits", "warm_start", "hpo_study"),
    *("best_hyperparameters", "trained_model", "champion_model", "hpo_pattern_memory"),
]
FAILED_CHECKS = """{ assetNodeOrError(assetKey: {path: ["experiment_files"]}) { ... on AssetNode {
    assetChecksOrError { ... on AssetChecks { checks { name executionForLatestMaterialization { status
        evaluation { description } } } } } } } }"""
BACKFILL = """mutation($names: [String!]!, $assets: [AssetKeyInput!]!) { launchPartitionBackfill(backfillParams: {
    assetSelection: $assets, partitionNames: $names }) { __typename ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message } } }"""
BACKFILL_STATUS = """query($id: String!) { partitionBackfillOrError(backfillId: $id) {
    ... on PartitionBackfill { status error { message } } } }"""
SUCCESS = dg.DagsterRunStatus.SUCCESS


@pytest.fixture
def programs(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Programs]:
    """A project folder with a running webserver and daemon."""
    root = project_folder(tmp_path / "project")
    with webhook_receiver() as webhook:
        made = Programs(Settings(root, root / ".e2i", database.url), database, {"E2I_ALERT_WEBHOOK": webhook.address})
        made.webhook = webhook  # type: ignore[attr-defined]
        for name, value in made.all_environment.items():
            if name.startswith("E2I_"):
                monkeypatch.setenv(name, value)
        made.start("webserver")
        made.start("daemon")
        try:
            yield made
        finally:
            made.end()


def test_the_automation_follows_new_changed_and_invalid_files(programs: Programs) -> None:
    root = programs.settings.root
    path = write_experiment(root, "cells")
    runs = programs.finished(1)
    assert len(runs) == 1, [(run.tags, run.status, programs.materialised(run.run_id)) for run in runs]
    (first,) = runs
    assert first.status == SUCCESS, programs.state()
    assert first.tags["e2i/cause"] == "new_experiment"
    checks = programs.evaluations(first.run_id)
    assert len(checks) > 30
    assert [name for name, passed in checks.items() if not passed] == []

    # A touched file without a change requests nothing, and the ticks say why.
    os.utime(path)
    os.utime(root / "cells.csv")
    ticks = programs.scans("changed_data")
    assert all(
        "its rows have not changed since they were last read: cells" in str(one["skipReason"]) for one in ticks
    ), ticks
    ticks = programs.scans("new_experiments", times=1)
    assert all("none of 1 experiments has changed" in str(one["skipReason"]) for one in ticks), ticks
    assert len(programs.runs()) == 1

    # A changed file requests one run. The daemon is killed during the run; nothing is lost or repeated.
    write_experiment(root, "cells", seed=43, rows=None)
    programs.wait(lambda: len(programs.runs()) == 2, 900, "the second run")
    programs.kill("daemon", everything=False)
    programs.start("daemon")
    second = programs.finished(2)[-1]
    assert second.status == SUCCESS, programs.state()
    assert second.tags["e2i/cause"] == "new_experiment"

    # More rows request one run of the whole graph.
    write_experiment(root, "cells", seed=43, rows=460)
    third = programs.finished(3)[-1]
    assert third.status == SUCCESS, programs.state()
    assert third.tags["e2i/cause"] == "changed_data"
    assert sorted(programs.materialised(third.run_id)) == sorted(CHAIN)
    studies = programs.rows("SELECT n_completed + n_pruned + n_failed FROM ml_hpo_studies ORDER BY started_at")
    assert studies == [(3,), (3,), (3,)]

    # An invalid file is reported by the tick and by the check, and nothing is trained.
    path.write_text(CELLS.format(name="cells", trials=3, seed=44).replace("LogisticRegression", "Logistics"))
    ticks = programs.scans("new_experiments")
    assert all("cells.yaml: algorithm: 'Logistics'" in str(one["skipReason"]) for one in ticks), ticks
    checks_now = programs.ask(FAILED_CHECKS)["assetNodeOrError"]["assetChecksOrError"]["checks"]
    (check,) = [one for one in checks_now if one["name"] == "experiment_files_are_valid"]
    assert check["executionForLatestMaterialization"]["status"] == "FAILED"
    assert "Logistics" in check["executionForLatestMaterialization"]["evaluation"]["description"]
    assert len(programs.runs()) == 3
    requests = programs.rows("SELECT cause, status, count(*) FROM ml_run_requests GROUP BY 1, 2 ORDER BY 1")
    assert requests == [("changed_data", "launched", 1), ("new_experiment", "launched", 2)]


def test_new_files_are_scored_once_also_when_everything_is_killed_meanwhile(programs: Programs) -> None:
    root = programs.settings.root
    incoming, scored = root / "incoming", root / "scored" / "new.parquet"
    path = write_experiment(root, "cells")
    path.write_text(path.read_text() + "predict: {source: {parquet: incoming}, to: scored/new.parquet}\n")
    arrive(incoming, "monday", 400)
    first, monday = programs.finished(2)
    assert (first.status, monday.status) == (SUCCESS, SUCCESS), programs.state()
    assert (monday.job_name, monday.tags["dagster/sensor_name"]) == ("predict_new_rows", "new_rows")
    assert patients(scored) == [f"monday-{row}" for row in range(400)]

    # A second file. The daemon, the code server and the run are killed while the predictions are written.
    arrive(incoming, "tuesday", 200_000)
    programs.wait(lambda: any(one.stat().st_size for one in scored.parent.glob(".new*/*")), 900, "a part of the file")
    programs.kill("daemon", everything=True)
    assert len(patients(scored)) == 400
    programs.start("daemon")
    programs.wait(lambda: len(patients(scored)) == 200_400, 900, "the predictions of both files")
    assert len(set(patients(scored))) == 200_400
    ticks = programs.scans("new_rows")
    assert all("cells: its new rows are scored" in str(one["skipReason"]) for one in ticks), ticks
    done = [run for run in programs.finished(3) if run.status == SUCCESS]
    assert [run.job_name for run in done] == ["tune_and_train", "predict_new_rows", "predict_new_rows"]


def arrive(folder: Path, name: str, rows: int) -> None:
    """Put a complete file with rows of new patients into a folder."""
    folder.mkdir(exist_ok=True)
    some = cells(400).drop(columns="target")
    frame = pd.concat([some] * (rows // len(some)), ignore_index=True)
    frame["patient"] = [f"{name}-{row}" for row in range(len(frame))]
    frame.to_parquet(folder.parent / f"{name}.new")
    (folder.parent / f"{name}.new").replace(folder / f"{name}.parquet")


def patients(file: Path) -> list[str]:
    return pd.read_parquet(file, columns=["patient"])["patient"].tolist()


@pytest.mark.drill
def test_killed_programs_lose_and_repeat_no_run(programs: Programs) -> None:
    root, names = programs.settings.root, ["one", "two", "three"]
    for name in names:
        write_experiment(root, name, trials=25)
    started = dg.DagsterRunStatus.STARTED
    programs.wait(lambda: any(run.status == started for run in programs.runs()), 900, "a run that has started")
    programs.kill("daemon", everything=True)
    programs.start("daemon")

    def all_trained() -> bool:
        done = {run.tags["dagster/partition"] for run in programs.runs() if run.status == SUCCESS}
        return done == set(names) and all(run.is_finished for run in programs.runs())

    programs.wait(all_trained, 900, "the training of all three")
    # Dagster retries the run of the killed process for the same request.
    keys = [run.tags["dagster/run_key"] for run in programs.runs() if "dagster/parent_run_id" not in run.tags]
    assert len(keys) == len(set(keys)) == 3
    assert programs.rows("SELECT n_completed + n_pruned + n_failed FROM ml_hpo_studies") == [(25,)] * 3
    assert programs.rows("SELECT count(*), count(DISTINCT experiment_id) FROM ml_training_runs") == [(3, 3)]

    # A backfill of all experiments, with a daemon that is killed half way.
    before = len(programs.runs())
    assets = [{"path": [name]} for name in CHAIN]
    launched = programs.ask(BACKFILL, names=names, assets=assets)["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched
    programs.wait(lambda: len(programs.runs()) > before, 900, "the first run of the backfill")
    programs.kill("daemon", everything=False)
    programs.start("daemon")
    status = {"status": ""}

    def is_finished() -> bool:
        status.update(programs.ask(BACKFILL_STATUS, id=launched["backfillId"])["partitionBackfillOrError"])
        return status["status"].startswith("COMPLETED")

    programs.wait(is_finished, 900, "the end of the backfill")
    assert status["status"] == "COMPLETED_SUCCESS", status
    later = [run for run in programs.runs() if run.tags.get("dagster/backfill") == launched["backfillId"]]
    assert sorted(run.tags["dagster/partition"] for run in later if run.status == SUCCESS) == sorted(names)
    assert len([run for run in later if "dagster/parent_run_id" not in run.tags]) == len(names)
    assert programs.rows("SELECT n_completed + n_pruned + n_failed FROM ml_hpo_studies") == [(25,)] * 3


@pytest.mark.drill
def test_bad_rows_fail_one_run_with_one_alert_and_fixed_rows_request_a_run(programs: Programs) -> None:
    root, webhook = programs.settings.root, programs.webhook  # type: ignore[attr-defined]
    write_experiment(root, "cells")
    assert programs.finished(1)[0].status == SUCCESS, programs.state()
    cells(400).drop(columns="target").to_csv(root / "cells.csv", index=False)
    failed = programs.finished(2)[-1]
    assert failed.status == dg.DagsterRunStatus.FAILURE
    programs.wait(lambda: webhook.messages, 900, "the message")
    programs.scans("changed_data")
    assert len(programs.runs()) == 2
    (message,) = webhook.messages
    assert message["text"] == "cells failed in dataset: DataInvalid"
    assert failed.run_id in str(message)
    write_experiment(root, "cells", rows=400)
    assert programs.finished(3)[-1].status == SUCCESS, programs.state()
