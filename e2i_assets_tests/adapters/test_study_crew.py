"""One study in several processes: values as in threads, an exact budget, and a clear word where it cannot be."""

import math
from collections import Counter
from pathlib import Path

import pytest
from dask_cluster import cluster
from prepared_study import prepared

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.core.search import tuning


@pytest.mark.processes
def test_local_processes_find_what_threads_find_within_the_same_budget(
    database: Database, other_database: Database, tmp_path: Path
) -> None:
    (tmp_path / "threads").mkdir()
    (tmp_path / "processes").mkdir()
    hpo = "{{trials: 12, workers: 2, sampler: grid, pruner: none, engine: {}}}"
    alone = prepared(database, tmp_path / "threads", hpo.format("threads"))
    crew = prepared(other_database, tmp_path / "processes", hpo.format("processes"))
    assert alone.identity == crew.identity
    result = crew.searched()
    assert (result.stop_reason, crew.study.status, crew.study.n_completed) == ("budget spent", "completed", 12)
    assert sorted(crew.told) == list(range(12))
    judged = tuning.objective(crew.workspace.experiment("cells"), crew.rows)(math.inf)
    for trial in result.trials:
        assert judged.value_again(trial.params) == trial.value
    assert len({row.worker for row in crew.trials()}) == 2


@pytest.mark.processes
def test_dask_workers_search_one_study(database: Database, tmp_path: Path) -> None:
    study = prepared(database, tmp_path, "{trials: 12, engine: dask, pruner: none}")
    with cluster(tmp_path) as dask:
        for number in range(2):
            dask.worker(f"w{number}", database.url)
        study = study.with_settings(dask_address=dask.address)
        result = study.searched()
    assert (result.stop_reason, study.study.n_completed, len(study.trials())) == ("budget spent", 12, 12)
    assert Counter(study.told) == Counter(range(12))
    judged = tuning.objective(study.workspace.experiment("cells"), study.rows)(math.inf)
    for trial in result.trials:
        assert judged.value_again(trial.params) == trial.value
