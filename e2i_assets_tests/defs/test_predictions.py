"""The asset `predictions`: new rows are scored by the champion, once, and the sensor asks for them when they change."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest
from dagster._core.storage.tags import RUN_KEY_TAG

from e2i_assets.adapters.files.asset_values import AssetMissing
from e2i_assets.core.data.dataset import Dataset
from e2i_assets.core.experiments.file import parse_experiment
from e2i_assets.core.predictions import NewPredictions
from e2i_assets.definitions import defs
from e2i_assets.defs import sensors
from e2i_assets.defs.resources import ProjectResource
from e2i_assets.services.checks.check import evaluated
from e2i_assets.services.checks.predictions import CHECKS
from e2i_assets.services.data_gates import write_schema

PREDICT = "predict: {source: {csv: new.csv}, to: scored/new.parquet, explain: true}\n"

PROGRAM = (
    "from e2i_assets.definitions import defs\n"
    "import dagster as dg\n"
    "job = defs().resolve_job_def('predict_new_rows')\n"
    "with dg.DagsterInstance.ephemeral() as instance:\n"
    "    instance.add_dynamic_partitions('experiment', ['cells'])\n"
    "    job.execute_in_process(instance=instance, partition_key='cells')\n"
)


class Predicted:
    """A finished project with new rows to score."""

    def __init__(self, finished) -> None:
        self.finished = finished
        self.project = finished.project
        sensors._data_scanner.cache_clear()

    def configured(self, predict: str = PREDICT) -> None:
        """Write the experiment file, and register it."""
        text = self.finished.experiment + predict
        (self.finished.root / "experiments" / "cells.yaml").write_text(text)
        self.finished.register(text)

    def new(self, frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.drop(columns="target")
        frame.to_csv(self.finished.root / "new.csv", index=False)
        return frame

    def run(self, **tags: str) -> dg.ExecuteInProcessResult:
        job = defs().resolve_job_def("predict_new_rows")
        return job.execute_in_process(
            instance=self.finished.instance, partition_key="cells", raise_on_error=False, tags=tags
        )

    def tick(self) -> dg.SensorResult:
        sensor = defs().resolve_sensor_def("new_rows")
        resources = {"e2i": ProjectResource(database_url=self.project.database.url)}
        given = dg.build_sensor_context(instance=self.finished.instance, definitions=defs(), resources=resources)
        with given as context:
            found = sensor(context)
        assert isinstance(found, dg.SensorResult)
        return found

    def stored(self) -> NewPredictions:
        found: NewPredictions = self.project.read(NewPredictions, "predictions", "cells")
        return found

    def scored(self) -> pd.DataFrame:
        return pd.read_parquet(self.finished.root / "scored" / "new.parquet")

    def failed(self) -> dict[str, str]:
        """Return the checks that did not pass, with the reasons."""
        found = {one.name: evaluated(one, self.project, "cells") for one in CHECKS}
        return {name: one.why for name, one in found.items() if not one.passed}


@pytest.fixture
def predicted(finished) -> Predicted:
    return Predicted(finished)


def test_new_rows_are_scored_once_by_the_champion_and_checked(predicted: Predicted) -> None:
    predicted.configured()
    rows = predicted.new(predicted.finished.rows())
    result = predicted.run()
    assert result.success, predicted.finished.failure(result)
    assert {one.check_name for one in result.get_asset_check_evaluations()} == {one.name for one in CHECKS}
    assert all(one.passed for one in result.get_asset_check_evaluations())
    scored, stored = predicted.scored(), predicted.stored()
    assert scored["patient"].tolist() == rows["patient"].tolist()
    assert {one.split(" = ")[0] for one in scored["reason_1"]} <= set(rows.columns)
    champion = predicted.project.champions.current(predicted.project.experiments.id_of("cells"))
    assert champion is not None
    assert set(scored["model_key"]) == {stored.model_key} == {champion.challenger_key}
    assert (stored.rows, stored.rows_before) == (len(rows), None)
    assert (scored["prediction"] == "benign").mean() == pytest.approx(0.63, abs=0.1)
    # The same rows and the same model: nothing is written.
    written = Path(stored.place).stat().st_mtime_ns
    assert predicted.run().success
    assert Path(stored.place).stat().st_mtime_ns == written
    assert predicted.stored() == stored
    # A file that somebody has changed is found, and written again.
    scored.head(3).to_parquet(stored.place)
    assert "was changed after it was written" in predicted.failed()["the_file_of_predictions_is_whole"]
    assert predicted.run().success
    assert len(predicted.scored()) == len(rows)


def test_a_truncated_value_fails_only_the_check_that_it_is_readable(predicted: Predicted) -> None:
    predicted.configured()
    predicted.new(predicted.finished.rows())
    assert predicted.run().success
    (predicted.project.asset_folder("predictions", "cells") / "value.json").write_text('{"key": "a')
    found = {one.name: evaluated(one, predicted.project, "cells").outcome for one in CHECKS}
    assert found == {one.name: "failed" if one.answers_for_the_file else "not evaluated" for one in CHECKS}
    assert predicted.run().success
    assert predicted.failed() == {}


def test_an_experiment_without_new_rows_has_no_predictions(predicted: Predicted) -> None:
    predicted.configured(predict="")
    result = predicted.run()
    assert result.success, predicted.finished.failure(result)
    assert result.asset_materializations_for_node("predictions") == []
    with pytest.raises(AssetMissing):
        predicted.stored()
    assert predicted.failed() == {}
    assert "no experiment has new rows to score" in str(predicted.tick().skip_reason)


def test_the_training_does_not_score(predicted: Predicted) -> None:
    job = defs().resolve_job_def("tune_and_train")
    assert "predictions" not in {key.path[-1] for key in job.asset_layer.selected_asset_keys}
    plain = parse_experiment(predicted.finished.experiment, "test")
    scoring = parse_experiment(predicted.finished.experiment + PREDICT, "test")
    assert (plain.spec_hash, plain.run_hash) == (scoring.spec_hash, scoring.run_hash)


def test_drifted_rows_and_scores_and_an_unusual_number_are_warnings(predicted: Predicted) -> None:
    predicted.configured()
    project = predicted.project
    write_schema(project.settings, project.experiment("cells"), project.read(Dataset, "dataset", "cells"))
    predicted.new(predicted.finished.rows())
    assert predicted.run().success
    frame = predicted.finished.rows()
    shifted = frame.assign(**{name: frame[name] * 1000 for name in frame.columns if name.startswith("worst")})
    predicted.new(shifted.head(200))
    result = predicted.run()
    assert result.success, predicted.finished.failure(result)
    failed = predicted.failed()
    assert "worst area has drifted" in failed["new_rows_have_the_distribution_of_the_train_rows"]
    assert "breaks less_than_or_equal_to" in failed["new_rows_match_the_schema"]
    assert failed["the_number_of_new_rows_is_usual"] == "200 rows, after 569 before"
    assert "the scores have drifted" in failed["scores_have_the_distribution_of_the_test_rows"]


def test_rows_that_do_not_fit_leave_the_earlier_file(predicted: Predicted) -> None:
    predicted.configured()
    predicted.new(predicted.finished.rows())
    assert predicted.run().success
    before = predicted.stored()
    predicted.new(predicted.finished.rows().drop(columns="mean area"))
    result = predicted.run()
    assert not result.success
    assert "'mean area' is a column of the model that these rows lack" in predicted.finished.failure(result)
    assert predicted.stored() == before
    assert len(predicted.scored()) == before.rows


def test_the_sensor_asks_once_for_each_change_of_rows_or_model(predicted: Predicted) -> None:
    predicted.configured()
    frame = predicted.finished.rows()
    predicted.new(frame)
    (first,) = predicted.tick().run_requests
    assert first.partition_key == "cells"
    (again,) = predicted.tick().run_requests
    assert again.run_key == first.run_key  # which Dagster runs once
    assert predicted.run(**{RUN_KEY_TAG: str(first.run_key)}).success
    assert "cells: its new rows are scored" in str(predicted.tick().skip_reason)
    predicted.new(frame.head(300))
    (changed,) = predicted.tick().run_requests
    assert changed.run_key != first.run_key
    assert predicted.run(**{RUN_KEY_TAG: str(changed.run_key)}).success
    assert len(predicted.scored()) == 300
    # The first rows again are a new request, since the file has those of the change.
    predicted.new(frame)
    (back,) = predicted.tick().run_requests
    assert back.run_key not in (first.run_key, changed.run_key)


def test_a_failed_run_is_not_requested_again_for_the_same_rows(predicted: Predicted) -> None:
    predicted.configured()
    predicted.new(predicted.finished.rows().drop(columns="mean area"))
    (request,) = predicted.tick().run_requests
    assert not predicted.run(**{RUN_KEY_TAG: str(request.run_key)}).success
    assert list(predicted.tick().run_requests or []) == []
    predicted.new(predicted.finished.rows())
    (mended,) = predicted.tick().run_requests
    assert predicted.run(**{RUN_KEY_TAG: str(mended.run_key)}).success


@pytest.mark.drill  # in CI, the kill of a run that adds to a table, and that of the command
def test_a_killed_run_writes_nothing_and_the_next_one_all_rows(predicted: Predicted) -> None:
    predicted.configured()
    frame = predicted.finished.rows()
    predicted.new(pd.concat([frame] * 150))
    killed = subprocess.Popen([sys.executable, "-c", PROGRAM], stderr=subprocess.DEVNULL)
    folder, deadline = predicted.finished.root / "scored", time.monotonic() + 120
    while not any(one.stat().st_size for one in folder.glob(".new.parquet-*/new.parquet")):
        assert killed.poll() is None, "it ended before it was killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not (folder / "new.parquet").exists()
    with pytest.raises(AssetMissing):
        predicted.stored()
    predicted.new(frame)
    result = predicted.run()
    assert result.success, predicted.finished.failure(result)
    assert len(predicted.scored()) == predicted.stored().rows == len(frame)


def test_a_table_has_each_row_once_also_after_a_kill(predicted: Predicted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCORES_URL", predicted.project.database.url)
    environment = {**os.environ, **predicted.project.settings.environment, "SCORES_URL": os.environ["SCORES_URL"]}
    predicted.project = replace(
        predicted.project, settings=replace(predicted.project.settings, environment=environment)
    )
    finished = predicted.finished
    finished.experiment = finished.experiment.replace("{group: patient}", "{group: patient, id: [visit]}")
    predicted.configured("predict: {source: {csv: new.csv}, table: {name: public.scored, url_env: SCORES_URL}}\n")
    frame = pd.concat([finished.rows()] * 150, ignore_index=True)
    frame["visit"] = [f"v{row}" for row in range(len(frame))]
    predicted.new(frame)

    def visits(what: str = "count(*), count(DISTINCT visit)") -> tuple[object, ...]:
        with predicted.project.database.connect() as connection:
            return tuple(connection.exec_driver_sql(f"SELECT {what} FROM public.scored").one())

    def waits(connection) -> bool:  # the pieces are in a temporary table
        query = "SELECT count(*) FROM pg_class WHERE relname = 'e2i_new_predictions' AND reltoastrelid IS NOT NULL"
        return bool(connection.exec_driver_sql(query).scalar_one())

    killed = subprocess.Popen([sys.executable, "-c", PROGRAM], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    with predicted.project.database.begin() as connection:
        while not waits(connection):
            assert killed.poll() is None, "it ended before it was killed"
            assert time.monotonic() < deadline
            time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    with predicted.project.database.connect() as connection:
        assert connection.exec_driver_sql("SELECT to_regclass('public.scored')").scalar_one() is None
    result = predicted.run()
    assert result.success, finished.failure(result)
    assert visits() == (len(frame), len(frame))
    before = visits("min(predicted_at)")
    assert predicted.run().success  # the same rows and the same model
    assert (visits(), visits("max(predicted_at)")) == ((len(frame), len(frame)), before)
    assert predicted.failed() == {}
    # The stored value is lost, as by a kill between the table and it: the rows are replaced, none is there twice.
    shutil.rmtree(predicted.project.asset_folder("predictions", "cells"))
    assert predicted.run().success
    assert visits() == (len(frame), len(frame))
    with predicted.project.database.begin() as connection:
        connection.exec_driver_sql("DELETE FROM public.scored WHERE visit = 'v7'")
    assert "was changed after it was written" in predicted.failed()["the_file_of_predictions_is_whole"]
    predicted.new(frame.head(100))
    assert predicted.run().success
    assert visits("count(*), min(visit)") == (len(frame), "v0")  # v7 is back, and rows of other keys stay


@pytest.mark.parametrize(
    ("predict", "message"),
    [
        ("predict: {source: {csv: new.csv}}", "predict: 'to, table' take one of the two"),
        ("predict: {source: {csv: new.csv}, table: {name: a.b, url_env: X}}", "needs columns.id: the columns whose"),
        ("predict: {source: {csv: new.csv}, table: {name: a-b, url_env: X}}", "predict.table.name: 'a-b' must be"),
        ("predict: {source: {csv: new.csv}, to: scored.csv}", "predict.to: 'scored.csv' must be a path"),
        ("predict: {source: {parquet: new}, to: new/scored.parquet}", "is read as predict.source: write to another"),
        ("predict: {to: a.parquet}", "predict.source"),
    ],
)
def test_a_mistaken_section_is_refused(finished, predict: str, message: str) -> None:
    with pytest.raises(Exception, match="experiment file test") as refused:
        parse_experiment(finished.experiment + predict, "test")
    assert message in str(refused.value)
