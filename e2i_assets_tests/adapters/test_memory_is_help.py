"""The pattern memory is optional: without its tables a study starts without it and a finished run stays finished."""

from pathlib import Path
from typing import Any

import pytest
from prepared_study import Prepared, prepared

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.patterns import PatternRepository
from e2i_assets.core.memory.warm_start import WarmStart
from e2i_assets.core.search import tuning
from e2i_assets.core.search.study_result import StudyResult
from e2i_assets.services import remember
from e2i_assets.services.remember import Remembered


@pytest.fixture
def study(database: Database, tmp_path: Path) -> Prepared:
    return prepared(database, tmp_path, "{trials: 6, workers: 1}", "LogisticRegression")


def without(study: Prepared, table: str) -> None:
    with study.project.database.begin() as connection:
        connection.exec_driver_sql("RESET ROLE")
        connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO out_of_reach")


def looked_up(study: Prepared) -> WarmStart:
    return remember.warm_start(study.project, study.project.experiment("cells"), study.rows)


def remembered(study: Prepared, start: WarmStart, result: StudyResult) -> Remembered:
    tuned: Any = tuning.Tuned(identity=study.identity, result=result)
    return remember.remember(study.project, study.project.experiment("cells"), study.rows.facts, start, tuned)


def test_a_failed_lookup_gives_a_cold_start_with_the_reason(study: Prepared) -> None:
    without(study, "ml_hpo_patterns")
    start = looked_up(study)
    assert start.patterns == ()
    assert start.error is not None
    assert "ml_hpo_patterns" in start.error
    assert start.reason == f"the study starts cold, as the memory could not be read: {start.error}"
    assert WarmStart.model_validate_json(start.model_dump_json()) == start


def test_a_pattern_that_cannot_be_stored_is_in_the_result(study: Prepared) -> None:
    result = study.searched()
    without(study, "ml_hpo_patterns")
    kept = remembered(study, study.start, result)
    assert (kept.pattern_id, kept.uses) == (None, ())
    assert str(kept.error).startswith("storing the pattern failed: ")


def test_a_use_that_cannot_be_recorded_is_in_the_result_and_the_pattern_is_kept(study: Prepared) -> None:
    result = study.searched()
    first = remembered(study, study.start, result)
    # Nothing was trained here, so there is no run to link.
    assert str(first.error).startswith("linking the training run to it failed: ")
    warm = result.trials[0].model_copy(
        update={"attributes": {"pattern_id": first.pattern_id, "similarity": 0.9}, "origin": "warm_start"}
    )
    used = result.model_copy(update={"trials": (warm, *result.trials[1:])})
    without(study, "ml_hpo_warmstart_uses")
    kept = remembered(study, study.start, used)
    assert (kept.pattern_id, kept.uses) == (first.pattern_id, ())
    assert str(kept.error).startswith("recording its uses failed: ")
    assert PatternRepository(study.project.database).get(str(kept.pattern_id)) is not None
