"""Pool slots of dead runs are freed by the next run, by a run that waits and by the daemon."""

from collections.abc import Iterator
from uuid import uuid4

import dagster as dg
import pytest
import sqlalchemy as sa

from e2i_assets.cli import run_one
from e2i_assets.cli.dagster_home import dagster_instance
from e2i_assets.defs.abandoned_runs import LAUNCHER, close_abandoned
from e2i_assets.defs.dagster_internals import WorkerStatus
from e2i_assets.defs.launched_runs import under_way
from e2i_assets.defs.search_assets import STUDIES
from e2i_assets.services.project import Project
from e2i_assets.services.run_lock import run_lock

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


def test_a_run_that_could_not_record_its_end_is_closed_by_a_command_that_finds_nothing_to_do(
    finished: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All assets were there when the disk of the database was full: the run stayed under way for ever."""
    found = []

    def interrupted(_: object, instance: dg.DagsterInstance, name: str) -> dict[str, object]:
        found.append(run_with_slot(instance, name))
        raise sa.exc.OperationalError("INSERT", {}, Exception("No space left on device"))

    with monkeypatch.context() as within:
        within.setattr(run_one, "_run", interrupted)
        within.setattr(run_one, "is_complete", lambda *_: False)
        with pytest.raises(sa.exc.OperationalError):
            run_one.outcome_of(finished, "plain")
    assert run_one.outcome_of(finished, "plain")["status"] == "up_to_date"
    with dagster_instance(finished.settings) as instance:
        (run,) = instance.get_runs(dg.RunsFilter(run_ids=found))
        assert run.status == FAILURE
    monkeypatch.setattr(run_one, "dagster_instance", lambda _: pytest.fail("there is nothing to close any more"))
    assert run_one.outcome_of(finished, "plain")["status"] == "up_to_date"


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


def test_a_run_that_waits_takes_the_slot_of_a_run_that_dies_meanwhile(
    project: Project, instance: dg.DagsterInstance
) -> None:
    """Without a daemon nothing else would look again, and the run would wait forever."""
    with project.database.advisory_lock(run_lock("others")):
        dead = run_with_slot(instance, "others")
        assert not slot_is_free(instance)
    assert slot_is_free(instance)
    run = instance.get_run_by_id(dead)
    assert run is not None
    assert run.status == FAILURE


def test_a_run_that_waits_says_once_for_whom(project: Project, instance: dg.DagsterInstance) -> None:
    waiting = dg.DagsterRun("tune_and_train", run_id=str(uuid4()), tags={**LAUNCHER, "dagster/partition": "cells"})
    instance.add_run(waiting.with_status(STARTED))
    with project.database.advisory_lock(run_lock("others")):
        holder = run_with_slot(instance, "others")
        for _ in range(2):
            instance.event_log_storage.claim_concurrency_slot(STUDIES, waiting.run_id, "hpo_study")
    messages = [one.dagster_event.message or "" for one in instance.all_logs(waiting.run_id) if one.dagster_event]
    logged = [one for one in messages if "Waits" in one]
    assert logged == [f'Waits for a slot of the pool "studies", which others (run {holder[:8]}) has']


def test_the_daemon_asks_the_lock_of_the_command(project: Project, instance: dg.DagsterInstance) -> None:
    """The daemon took a dead `e2i run` for alive: its slot was free only at the next `e2i run`."""
    run = instance.get_run_by_id(run_with_slot(instance, "others"))
    assert run is not None
    with project.database.advisory_lock(run_lock("others")):
        assert instance.run_launcher.check_run_worker_health(run).status is WorkerStatus.RUNNING
    assert instance.run_launcher.check_run_worker_health(run).status is WorkerStatus.NOT_FOUND


def test_the_daemon_does_not_start_what_the_command_runs(project: Project, instance: dg.DagsterInstance) -> None:
    project.experiments.register("cells", {"name": "cells"}, "")
    assert under_way(instance, project) == set()
    with project.database.advisory_lock(run_lock("cells")):
        assert under_way(instance, project) == {"cells"}
