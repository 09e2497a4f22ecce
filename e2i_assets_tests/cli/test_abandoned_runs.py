"""Pool slots of dead runs are freed before the next run claims one, without a daemon."""

from collections.abc import Iterator
from uuid import uuid4

import dagster as dg
import pytest

from e2i_assets.cli.abandoned_runs import LAUNCHER, close_abandoned, run_lock
from e2i_assets.cli.dagster_home import dagster_instance
from e2i_assets.defs.assets import STUDIES
from e2i_assets.services.project import Project

STARTED, FAILURE = dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.FAILURE


@pytest.fixture
def instance(project: Project) -> Iterator[dg.DagsterInstance]:
    """The Dagster instance of a project, with one slot in the pool of studies."""
    with dagster_instance(project.settings) as opened:
        yield opened


def run_with_slot(instance: dg.DagsterInstance, name: str, status: dg.DagsterRunStatus = STARTED) -> str:
    """Create a run of `e2i run` that holds the slot of its study, and return its id."""
    run = dg.DagsterRun("tune_and_train", run_id=str(uuid4()), tags={**LAUNCHER, "dagster/partition": name})
    instance.add_run(run.with_status(status))
    assert instance.event_log_storage.claim_concurrency_slot(STUDIES, run.run_id, "hpo_study").is_claimed
    return run.run_id


def slot_is_free(instance: dg.DagsterInstance) -> bool:
    return instance.event_log_storage.claim_concurrency_slot(STUDIES, str(uuid4()), "hpo_study").is_claimed


@pytest.mark.parametrize("name", ["cells", "others"])
def test_the_slot_of_a_killed_run_is_freed_and_the_run_is_closed(
    project: Project, instance: dg.DagsterInstance, name: str
) -> None:
    """After the process was killed during its study, every later run waited for that slot forever."""
    dead = run_with_slot(instance, name)
    assert close_abandoned(project, instance, "cells") == {dead}
    run = instance.get_run_by_id(dead)
    assert run is not None
    assert run.status == FAILURE
    assert slot_is_free(instance)


def test_the_slot_of_an_ended_run_is_freed(project: Project, instance: dg.DagsterInstance) -> None:
    """A run ends so if its database is unavailable at its end."""
    run_with_slot(instance, "others", FAILURE)
    assert close_abandoned(project, instance, "cells") == set()
    assert slot_is_free(instance)


def test_a_live_run_of_another_experiment_keeps_its_slot(project: Project, instance: dg.DagsterInstance) -> None:
    run_with_slot(instance, "others")
    with project.database.advisory_lock(run_lock("others")):
        assert close_abandoned(project, instance, "cells") == set()
    assert not slot_is_free(instance)
