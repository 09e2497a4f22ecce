"""One study in several processes: values as with threads, an exact budget, and clear errors."""

import math
import subprocess
from pathlib import Path

import pytest
from dask_cluster import cluster
from fitted_again import value_again
from prepared_study import Prepared, prepared

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.processes.loopback import HOST, free_port
from e2i_assets.core.errors import E2iError
from e2i_assets.core.search import tuning
from e2i_assets.core.search.budget import NO_OVERRIDE
from e2i_assets.services import tune
from e2i_assets.services.workers.assignment import Assignment, digest, packed, unpacked
from e2i_assets.services.workers.dask_pool import ClusterUnreachable, DaskPool
from e2i_assets.services.workers.process_pool import ProcessPool
from e2i_assets.services.workers.versions import VersionsDiffer, versions
from e2i_assets.services.workers.work import UnsuitableWorker, work, work_with


def test_the_engine_is_not_part_of_the_study_key(database: Database, tmp_path: Path) -> None:
    study = prepared(database, tmp_path, "{trials: 3, engine: threads}", "LogisticRegression")
    there = study.project.experiment("cells")
    here = there.model_copy(update={"hpo": there.hpo.model_copy(update={"engine": "dask"})})
    assert tuning.spec_hash(here, study.rows.facts) == study.identity
    assert (here.run_hash, here.spec_hash) == (there.run_hash, there.spec_hash)


def test_a_missing_or_unreachable_cluster_is_an_error(database: Database, tmp_path: Path) -> None:
    study = prepared(database, tmp_path, "{trials: 3, engine: dask}", "LogisticRegression")
    with pytest.raises(E2iError, match="set E2I_DASK_ADDRESS"):
        study.searched()
    nobody = f"tcp://{HOST}:{free_port()}"
    with pytest.raises(ClusterUnreachable, match=f"no Dask scheduler answers at {nobody}: start one"):
        study.with_settings(dask_address=nobody).searched()
    assert (study.study.status, "no Dask scheduler" in str(study.study.error_message)) == ("failed", True)


def assignment_of(study: Prepared, **changes: object) -> Assignment:
    experiment = study.project.experiment("cells")
    start = study.project.studies.start(tune._row(study.project, experiment, study.rows, study.identity, NO_OVERRIDE))
    made = Assignment(
        experiment=experiment.model_dump(mode="json"),
        identity=study.identity,
        study_id=start,
        warm_start=study.start,
        coordinator="nobody",
        lease_seconds=5,
        versions=versions(),
        rows=digest(packed(study.rows)),
    )
    return made.model_copy(update=changes)


def test_a_worker_with_other_versions_rows_or_database_refuses(
    database: Database, other_database: Database, tmp_path: Path
) -> None:
    study = prepared(database, tmp_path, "{trials: 3}", "LogisticRegression")
    (tmp_path / "rows").mkdir()
    rows = unpacked(packed(study.rows), tmp_path / "rows")
    other = assignment_of(study, versions={**versions(), "xgboost": "1.0"})
    with pytest.raises(VersionsDiffer, match=r"it has xgboost \S+ instead of 1\.0\. Install the same"):
        work(other, rows, 1, database.url)
    with pytest.raises(VersionsDiffer, match="instead of other form"):
        work_with('{"versions": {"python": "other form"}}', {}, 1)
    with pytest.raises(UnsuitableWorker, match="has no database: set E2I_DATABASE_URL"):
        work(assignment_of(study), rows, 1, None)
    with pytest.raises(UnsuitableWorker, match="another database than the coordinator"):
        work(assignment_of(study), rows, 1, other_database.url)
    others = {**packed(study.rows), "train.parquet": packed(study.rows)["validation.parquet"]}
    with pytest.raises(UnsuitableWorker, match="other rows than those of the study"):
        work_with(assignment_of(study).model_dump_json(), others, 1)
    assert study.trials() == []


def test_a_worker_stops_if_its_coordinator_is_gone(database: Database, tmp_path: Path) -> None:
    study = prepared(database, tmp_path, "{trials: 40}", "LogisticRegression")
    (tmp_path / "rows").mkdir()
    rows = unpacked(packed(study.rows), tmp_path / "rows")
    assert "the coordinator is gone" in work(assignment_of(study, lease_seconds=0.6), rows, 1, database.url)
    assert {row.state for row in study.trials()} <= {"COMPLETE", "PRUNED", "WAITING"}
    assert len(study.trials()) < 40


def test_an_ended_worker_process_is_restarted_while_the_study_runs(database: Database, tmp_path: Path) -> None:
    """A worker ends by itself if it finds its coordinator gone or the study finished."""
    study = prepared(database, tmp_path, "{trials: 3}", "LogisticRegression")
    environment = study.project.settings.child_environment(database.url)
    with ProcessPool(lambda: assignment_of(study), packed(study.rows), environment, 2) as worker_pool:
        for place in worker_pool._places:
            place.process = subprocess.Popen(["true"], stdin=subprocess.PIPE)
            place.process.wait()
        assert not worker_pool.is_at_work
        worker_pool.dispatch()
        again = [place.process for place in worker_pool._places]
        assert all(place.is_at_work for place in worker_pool._places)
        for process in again:
            assert process is not None
            process.kill()
            process.wait()
            process.returncode = 0
        worker_pool.dispatch()
        assert [place.process for place in worker_pool._places] == again, (
            "one that ends at once is not started all the time"
        )


@pytest.mark.processes
def test_an_ended_dask_task_is_submitted_again(database: Database, tmp_path: Path) -> None:
    study, messages = prepared(database, tmp_path, "{trials: 3}", "LogisticRegression"), []
    with cluster(tmp_path) as dask:
        dask.worker("one", database.url)
        assignment = assignment_of(study, lease_seconds=0.6)
        with DaskPool(lambda: assignment, packed(study.rows), dask.address, None, messages.append) as worker_pool:
            worker_pool.dispatch()
            (place,) = worker_pool._places.values()
            ended = place.future
            assert "the coordinator is gone" in ended.result(timeout=60)
            worker_pool.dispatch()
            assert place.future is ended, "it had only just been asked"
            place.started_at -= 60
            worker_pool.dispatch()
            assert place.future is not ended
    assert any("has ended before the study: it is started again" in line for line in messages)


@pytest.mark.processes
def test_worker_processes_meet_the_budget_with_the_values_of_threads(database: Database, tmp_path: Path) -> None:
    study = prepared(database, tmp_path, "{trials: 12, workers: 2, pruner: none, engine: processes}")
    result = study.searched()
    assert (result.stop_reason, study.study.status, study.study.n_completed) == ("budget spent", "completed", 12)
    assert sorted(study.told) == list(range(12))
    objective = tuning.objective(study.project.experiment("cells"), study.rows)(math.inf)
    for trial in result.trials:
        assert value_again(objective, trial.params) == trial.value
    assert len({row.worker for row in study.trials()} - {None}) in (1, 2), (
        "one may have had its rest before the other came"
    )


@pytest.mark.drill
@pytest.mark.processes
@pytest.mark.timeout(400)
def test_two_studies_on_one_cluster_use_their_own_rows(
    database: Database, other_database: Database, tmp_path: Path
) -> None:
    made = []
    with cluster(tmp_path) as dask:
        dask.worker("one", database.url)
        dask.worker("other", other_database.url)
        for home, seed in ((database, 1), (other_database, 2)):
            (tmp_path / str(seed)).mkdir()
            hpo = f"{{trials: 6, engine: dask, pruner: none, seed: {seed}}}\nsplit: {{seed: {seed}}}"
            study = prepared(home, tmp_path / str(seed), hpo).with_settings(dask_address=dask.address)
            made.append((study, study.searched()))
            assert any("another database than the coordinator" in line for line in study.said)
    for study, result in made:
        objective = tuning.objective(study.project.experiment("cells"), study.rows)(math.inf)
        assert {one.number: value_again(objective, one.params) for one in result.trials} == {
            one.number: one.value for one in result.trials
        }


@pytest.mark.parametrize("sampler", ["tpe", pytest.param("random", marks=pytest.mark.drill)])
def test_one_process_samples_the_points_of_one_thread(
    database: Database, other_database: Database, tmp_path: Path, sampler: str
) -> None:
    """The engine is not part of the study key, so it must not change the sampled points."""
    drawn = {}
    for engine, where in (("threads", database), ("processes", other_database)):
        (folder := tmp_path / engine).mkdir()
        hpo = f"{{trials: 14, workers: 1, sampler: {sampler}, engine: {engine}}}"
        study = prepared(where, folder, hpo, "LogisticRegression")
        study.searched()
        drawn[engine] = [(trial.trial_number, dict(trial.params), trial.value) for trial in study.trials()]
        drawn[engine + " identity"] = study.identity
    assert drawn["threads identity"] == drawn["processes identity"]
    assert drawn["threads"] == drawn["processes"]
