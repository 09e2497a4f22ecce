"""The storage of one shared study: Optuna's own tables and ours, few round trips, an exact budget, no heartbeats."""

import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, partial
from itertools import count
from typing import Any

import optuna
import pytest
import sqlalchemy as sa
import study_worker
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.exceptions import DuplicatedStudyError, UpdateFinishedTrialError
from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy.exc import DBAPIError

from e2i_assets.adapters.optuna_storage import study_session
from e2i_assets.adapters.optuna_storage.retrying import retry_transient
from e2i_assets.adapters.optuna_storage.storage import StudyStorage
from e2i_assets.adapters.optuna_storage.study_session import joined, recover, worker, written_regularly
from e2i_assets.adapters.optuna_storage.worker_lease import has_expired
from e2i_assets.adapters.postgres import database as postgres
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.studies import LOCK, StudyRepository
from e2i_assets.adapters.repositories.study_rows import StoredStudy, TrialRow
from e2i_assets.core.errors import BudgetSpent, E2iError, StudyCancelled
from e2i_assets.core.search.objective import FAILURE, FITTED
from e2i_assets.core.search.recovery import recovered
from e2i_assets.core.search.trials import ORIGIN

NAN, INFINITY = float("nan"), float("inf")
X = FloatDistribution(0.0, 1.0)
MAXIMIZE = [StudyDirection.MAXIMIZE]


@dataclass
class Shared:
    """One study in a database, and several storages, each in place of one process."""

    database: Database
    plain: RDBStorage
    examples: Any
    name: str
    study_id: str
    directions: list[StudyDirection] = field(default_factory=lambda: list(MAXIMIZE))

    def storage(self, budget: int | None = None, lock: str | None = None) -> StudyStorage:
        return StudyStorage(self.database, self.plain, self.study_id, budget, lock)

    def study(self, storage: StudyStorage, seed: int = 1) -> optuna.Study:
        return optuna.create_study(
            storage=storage,
            study_name=self.name,
            directions=self.directions,
            load_if_exists=True,
            sampler=optuna.samplers.RandomSampler(seed=seed),
        )

    @property
    def row(self) -> StoredStudy:
        found = StudyRepository(self.database).by_name(self.name)
        assert found is not None
        return found

    @property
    def rows(self) -> list[TrialRow]:
        return StudyRepository(self.database).trials(self.study_id)

    def read_by_optuna(self) -> list[FrozenTrial]:
        """Return the trials as Optuna's own storage reads them."""
        return optuna.load_study(study_name=self.name, storage=RDBStorage(self.database.url_for("optuna"))).trials

    def storage_read_anew(self, trial_id: int) -> FrozenTrial:
        """Return a trial as another process of the product reads it."""
        other = self.storage()
        other.get_study_id_from_name(self.name)
        return other.get_trial(trial_id)

    def started(self, budget: int, stops_in: int = -1) -> subprocess.Popen[str]:
        arguments = [self.database.url, self.study_id, self.name, str(budget), str(stops_in)]
        return subprocess.Popen([sys.executable, study_worker.__file__, *arguments], stdout=subprocess.PIPE, text=True)


@pytest.fixture
def plain(tables: Database) -> Iterator[RDBStorage]:
    storage = RDBStorage(tables.url_for("optuna"))
    yield storage
    storage.engine.dispose()


@pytest.fixture
def shared(tables: Database, plain: RDBStorage, examples: Any) -> Shared:
    # Optuna's tables are not emptied between tests.
    name = f"study of {datetime.now().isoformat()}"
    study_id = StudyRepository(tables).start(examples.study(study_name=name, n_trials=100))
    return Shared(tables, plain, examples, name, study_id)


@pytest.fixture(params=["in memory", "Optuna's", "ours"])
def storage(request: pytest.FixtureRequest) -> BaseStorage:
    """Each storage that a search can use, empty."""
    if request.param == "in memory":
        return InMemoryStorage()
    shared: Shared = request.getfixturevalue("shared")
    return shared.storage() if request.param == "ours" else shared.plain


def quick(trial: optuna.Trial) -> float:
    x = trial.suggest_float("x", 0, 1)
    trial.report(x / 2, 1)
    return x


# The contract: the behaviour that the search relies on, in memory and in a database.


@pytest.fixture
def study_id(storage: BaseStorage, request: pytest.FixtureRequest) -> int:
    name = request.getfixturevalue("shared").name if not isinstance(storage, InMemoryStorage) else "study"
    return storage.create_new_study(MAXIMIZE, name)


def test_a_study_is_found_by_its_name_and_made_once(storage: BaseStorage, study_id: int) -> None:
    name = storage.get_study_name_from_id(study_id)
    assert storage.get_study_id_from_name(name) == study_id
    assert storage.get_study_directions(study_id) == MAXIMIZE
    with pytest.raises(DuplicatedStudyError):
        storage.create_new_study(MAXIMIZE, name)
    storage.set_study_user_attr(study_id, "default_value", 0.5)
    storage.set_study_system_attr(study_id, "grid", [1, 2])
    assert storage.get_study_user_attrs(study_id) == {"default_value": 0.5}
    assert storage.get_study_system_attrs(study_id) == {"grid": [1, 2]}
    with pytest.raises(KeyError):
        storage.get_study_id_from_name("nobody")
    with pytest.raises(KeyError):
        storage.get_all_trials(study_id + 1000)


def test_a_trial_stores_its_reported_values_and_attributes(storage: BaseStorage, study_id: int) -> None:
    first, second = (storage.create_new_trial(study_id) for _ in range(2))
    storage.set_trial_param(first, "x", 0.25, X)
    storage.set_trial_param(first, "kind", 1, CategoricalDistribution(("a", None, "c")))
    storage.set_trial_intermediate_value(first, 1, 0.5)
    storage.set_trial_intermediate_value(first, 1, 0.75)
    storage.set_trial_intermediate_value(first, 8, -INFINITY)
    storage.set_trial_user_attr(first, "notes", ["a", 1, None])
    storage.set_trial_system_attr(first, "constraints:size", -1.0)
    running = storage.get_trial(first)
    assert (running.state, running.number, storage.get_trial(second).number) == (TrialState.RUNNING, 0, 1)
    assert (running.params, running.distributions["x"]) == ({"x": 0.25, "kind": None}, X)
    assert running.intermediate_values == {1: 0.75, 8: -INFINITY}
    assert (running.user_attrs, running.system_attrs) == ({"notes": ["a", 1, None]}, {"constraints:size": -1.0})
    assert storage.get_trial_param(first, "kind") == 1.0
    assert storage.get_trial_id_from_study_id_trial_number(study_id, 1) == second
    assert storage.set_trial_state_values(first, TrialState.COMPLETE, [0.75])
    ended = storage.get_trial(first)
    assert (ended.state, ended.values, ended.params) == (TrialState.COMPLETE, [0.75], running.params)
    assert ended.datetime_start == running.datetime_start
    assert ended.datetime_complete is not None
    assert storage.get_best_trial(study_id) == ended
    assert [trial.number for trial in storage.get_all_trials(study_id)] == [0, 1]
    assert storage.get_all_trials(study_id, states=(TrialState.COMPLETE,)) == [ended]
    assert storage.get_n_trials(study_id, TrialState.RUNNING) == 1


def test_a_trial_that_was_read_does_not_change_with_what_is_written_later(storage: BaseStorage, study_id: int) -> None:
    trial_id = storage.create_new_trial(study_id)
    states = [storage.get_trial(trial_id)]
    storage.set_trial_param(trial_id, "x", 0.25, X)
    states.append(storage.get_trial(trial_id))
    storage.set_trial_intermediate_value(trial_id, 1, 0.5)
    states.append(storage.get_all_trials(study_id, deepcopy=False)[0])
    storage.set_trial_user_attr(trial_id, "a", 1)
    storage.set_trial_state_values(trial_id, TrialState.PRUNED, [0.5])
    assert [len(state.params) for state in states] == [0, 1, 1]
    assert [len(state.intermediate_values) for state in states] == [0, 0, 1]
    assert all(state.state is TrialState.RUNNING and state.user_attrs == {} for state in states)
    copied = storage.get_all_trials(study_id, deepcopy=True)
    copied[0].params["x"] = 5
    assert storage.get_all_trials(study_id)[0].params == {"x": 0.25}


def test_what_has_ended_cannot_be_changed(storage: BaseStorage, study_id: int) -> None:
    trial_id = storage.create_new_trial(study_id)
    assert storage.set_trial_state_values(trial_id, TrialState.PRUNED)
    late: list[Callable[[], object]] = [
        partial(storage.set_trial_param, trial_id, "x", 0.5, X),
        partial(storage.set_trial_intermediate_value, trial_id, 1, 0.5),
        partial(storage.set_trial_user_attr, trial_id, "a", 1),
        partial(storage.set_trial_system_attr, trial_id, "a", 1),
        partial(storage.set_trial_state_values, trial_id, TrialState.COMPLETE, [1.0]),
        partial(storage.set_trial_state_values, trial_id, TrialState.RUNNING),
    ]
    for change in late:
        with pytest.raises(UpdateFinishedTrialError):
            change()
    for ask in (storage.get_trial, partial(storage.set_trial_user_attr, key="a", value=1)):
        with pytest.raises(KeyError):
            ask(trial_id + 1000)


def test_a_waiting_trial_is_claimed_once(storage: BaseStorage, study_id: int) -> None:
    waiting = create_trial(state=TrialState.WAITING, system_attrs={"fixed_params": {"x": 0.5}})
    trial_id = storage.create_new_trial(study_id, waiting)
    assert [trial._trial_id for trial in storage.get_all_trials(study_id, states=(TrialState.WAITING,))] == [trial_id]
    assert storage.set_trial_state_values(trial_id, TrialState.RUNNING)
    assert not storage.set_trial_state_values(trial_id, TrialState.RUNNING)
    started = storage.get_trial(trial_id)
    assert (started.state, started.system_attrs) == (TrialState.RUNNING, {"fixed_params": {"x": 0.5}})
    assert started.datetime_start is not None


def test_a_parameter_keeps_its_kind_of_distribution(storage: BaseStorage, study_id: int) -> None:
    storage.set_trial_param(storage.create_new_trial(study_id), "x", 0.5, X)
    other = storage.create_new_trial(study_id)
    storage.set_trial_param(other, "y", 1, IntDistribution(1, 3))
    with pytest.raises(ValueError, match="distribution"):
        storage.set_trial_param(other, "x", 1, IntDistribution(1, 3))


@pytest.mark.parametrize("pruner", [optuna.pruners.MedianPruner(), optuna.pruners.HyperbandPruner(1, 4, 2)])
@pytest.mark.parametrize("sampler", [optuna.samplers.TPESampler, optuna.samplers.RandomSampler])
def test_a_search_is_the_same_on_every_storage(
    storage: BaseStorage, study_id: int, sampler: Any, pruner: optuna.pruners.BasePruner
) -> None:
    def objective(trial: optuna.Trial) -> float:
        x, n = trial.suggest_float("x", 0.1, 1, log=True), trial.suggest_int("n", 1, 9)
        for step in (1, 2, 4):
            trial.report(x * n * step, step)
            if trial.should_prune():
                raise optuna.TrialPruned
        if trial.number == 5:
            raise ValueError("no")
        return x * n

    def reported(study: optuna.Study) -> list[Any]:
        return [(t.number, t.state, t.values, t.params, t.intermediate_values) for t in study.trials]

    # Hyperband assigns its brackets by the name of the study.
    name = storage.get_study_name_from_id(study_id)
    memory = optuna.create_study(study_name=name, direction="maximize", sampler=sampler(seed=3), pruner=pruner)
    study = optuna.load_study(study_name=name, storage=storage, sampler=sampler(seed=3), pruner=pruner)
    for one in (memory, study):
        one.enqueue_trial({"x": 0.5, "n": 3}, user_attrs={ORIGIN: "default"})
        one.optimize(objective, n_trials=16, catch=(ValueError,))
    assert reported(study) == reported(memory)
    assert study.best_trial.params == memory.best_trial.params


# The same rows as those of Optuna's own storage.


def whole(storage: BaseStorage, study_id: int, values: list[float], state: TrialState) -> int:
    trial_id = storage.create_new_trial(study_id)
    storage.set_trial_param(trial_id, "rate", 1e-7 + 0.1, FloatDistribution(1e-8, 1.0, log=True))
    storage.set_trial_param(trial_id, "step", 0.30000000000000004, FloatDistribution(0.0, 1.0, step=0.1))
    storage.set_trial_param(trial_id, "depth", 7.0, IntDistribution(1, 9, step=2))
    storage.set_trial_param(trial_id, "kind", 2, CategoricalDistribution((None, True, "it's", 1.5)))
    for step, value in {1: 0.1 + 0.2, 3: NAN, 2: INFINITY, 9: -INFINITY, 10: -5e-324}.items():
        storage.set_trial_intermediate_value(trial_id, step, value)
    storage.set_trial_user_attr(trial_id, "notes: 100 %s", {"tuple": (1, 2), "text": 'a "b" \\ ü %(x)s :y'})
    storage.set_trial_user_attr(trial_id, "again", 1)
    storage.set_trial_user_attr(trial_id, "again", 2)
    storage.set_trial_system_attr(trial_id, "fixed_params", {"rate": 0.1})
    storage.set_trial_state_values(trial_id, state, values)
    return trial_id


@pytest.mark.parametrize("state", [TrialState.COMPLETE, TrialState.PRUNED])
@pytest.mark.parametrize("values", [[1e300], [0.1, -2.5]])
def test_a_trial_reads_back_as_if_optunas_storage_had_written_it(
    shared: Shared, values: list[float], state: TrialState
) -> None:
    # Our tables cannot store every report, but Optuna must get all of them.
    ours = shared.storage()
    directions = MAXIMIZE * len(values)
    theirs_id = shared.plain.create_new_study(directions, f"{shared.name}, plain")
    ours_id = ours.create_new_study(directions, shared.name)
    whole(shared.plain, theirs_id, values, state)
    trial_id = whole(ours, ours_id, values, state)
    (theirs,), (written,) = (shared.plain.get_all_trials(one) for one in (theirs_id, ours_id))
    for trial in (written, ours.get_trial(trial_id), shared.storage_read_anew(trial_id)):
        assert trial.datetime_start is not None
        assert abs((trial.datetime_start - datetime.now()).total_seconds()) < 60
        for name in ("number", "state", "values", "params", "distributions", "user_attrs", "system_attrs"):
            assert getattr(trial, name) == getattr(theirs, name), name
        assert list(trial.params) == list(theirs.params)
        assert str(sorted(trial.intermediate_values.items())) == str(sorted(theirs.intermediate_values.items()))
    cached = ours.get_trial(trial_id)
    assert (written.datetime_start, written.datetime_complete) == (cached.datetime_start, cached.datetime_complete)


# Our tables agree with Optuna's.


def test_our_tables_show_a_running_study(shared: Shared) -> None:
    storage = shared.storage(lock="a lock")
    study = shared.study(storage)
    study.enqueue_trial({"x": 0.5}, user_attrs={ORIGIN: "default"})
    trial = study.ask()
    assert [(row.state, row.origin, row.params, row.worker) for row in shared.rows] == [
        ("RUNNING", "default", {"x": 0.5}, "a lock")
    ]
    trial.report(trial.suggest_float("x", 0, 1), 1)
    (row,) = shared.rows
    assert (row.params, row.intermediate_values, row.user_attrs["sampled"]) == ({"x": 0.5}, {"1": 0.5}, {"x": 0.5})
    trial.report(0.75, 2)
    study.tell(trial, 0.75)
    (row,) = shared.rows
    assert (row.state, row.value, row.intermediate_values) == ("COMPLETE", 0.75, {"1": 0.5, "2": 0.75})
    assert (row.datetime_start, row.datetime_complete) == (
        shared.read_by_optuna()[0].datetime_start.astimezone(),  # type: ignore[union-attr]
        shared.read_by_optuna()[0].datetime_complete.astimezone(),  # type: ignore[union-attr]
    )
    assert (shared.row.status, shared.row.n_completed, shared.row.best_value) == ("running", 1, 0.75)


def test_the_study_is_counted_as_it_goes_and_its_best_is_feasible(shared: Shared) -> None:
    study = shared.study(shared.storage())

    def reported(value: float | None, state: TrialState, **attributes: Any) -> tuple[Any, ...]:
        trial = study.ask()
        trial.suggest_float("x", 0, 1)
        for key, attribute in attributes.items():
            trial.set_user_attr(key, attribute)
        study.tell(trial, value, state)
        row = shared.row
        return (row.n_completed, row.n_pruned, row.n_failed, row.best_trial_number, row.best_value)

    fitted = {"parameters": {"x": 1, "depth": 3}, "objectives": {"auc": 0.4}, "constraints": {"size": 5.0}}
    assert reported(None, TrialState.PRUNED) == (0, 1, 0, None, None)
    assert reported(0.4, TrialState.COMPLETE, **{FITTED: {**fitted, "feasible": True}}) == (1, 1, 0, 1, 0.4)
    assert reported(0.9, TrialState.COMPLETE, **{FITTED: {**fitted, "feasible": False}}) == (2, 1, 0, 1, 0.4)
    assert reported(0.4, TrialState.COMPLETE) == (3, 1, 0, 1, 0.4)
    assert reported(None, TrialState.FAIL) == (3, 1, 0, 1, 0.4)
    assert reported(None, TrialState.FAIL, **{FAILURE: {"type": "ValueError", "message": "no"}}) == (3, 1, 1, 1, 0.4)
    late = {FAILURE: {"type": "TrialOutOfTime", "message": "time is up"}}
    assert reported(None, TrialState.PRUNED, **late) == (3, 1, 1, 1, 0.4)
    assert reported(0.5, TrialState.COMPLETE) == (4, 1, 1, 7, 0.5)
    stored = shared.rows[2]
    assert (stored.params, stored.is_feasible) == ({"x": 1, "depth": 3}, False)
    assert (stored.objective_values, stored.constraint_values) == ({"auc": 0.4}, {"size": 5.0})


def test_what_optunas_storage_wrote_before_is_brought_into_our_tables(shared: Shared) -> None:
    before = optuna.create_study(storage=shared.plain, study_name=shared.name, direction="maximize")
    before.optimize(quick, n_trials=3)
    before.ask()
    study = shared.study(shared.storage())
    assert [row.state for row in shared.rows] == ["COMPLETE"] * 3 + ["RUNNING"]
    assert (shared.row.n_completed, shared.row.best_value) == (3, before.best_value)
    study.add_trial(create_trial(value=5.0, params={"x": 0.5}, distributions={"x": X}, intermediate_values={1: 0.5}))
    assert (shared.rows[4].state, shared.row.n_completed, shared.row.best_value) == ("COMPLETE", 4, 5.0)
    assert shared.read_by_optuna() == study.trials


def test_a_study_that_was_deleted_in_optunas_tables_is_an_error_and_no_endless_wait(shared: Shared) -> None:
    study = shared.study(shared.storage(budget=3))
    study.optimize(quick, n_trials=3)
    optuna.delete_study(study_name=shared.name, storage=shared.plain)  # as Optuna's dashboard does
    with pytest.raises(E2iError, match=r"3 trials of this study .* deleted there"):
        shared.study(shared.storage(budget=3))


def test_the_study_stays_readable_for_everything_that_knows_optuna(shared: Shared) -> None:
    study = shared.study(shared.storage())
    study.optimize(quick, n_trials=12)
    there = shared.read_by_optuna()
    assert there == study.trials
    plain = optuna.load_study(study_name=shared.name, storage=shared.plain)
    assert set(optuna.importance.get_param_importances(plain)) == {"x"}
    assert plain.best_value == study.best_value == shared.row.best_value


def test_reports_of_a_pruned_trial_are_kept(shared: Shared) -> None:
    study = shared.study(shared.storage())

    def objective(trial: optuna.Trial) -> float:
        for step in range(1, 6):
            trial.report(float(step), step)
        raise optuna.TrialPruned

    study.optimize(objective, n_trials=1)
    (row,), (trial,) = shared.rows, shared.read_by_optuna()
    assert (row.state, len(row.intermediate_values), trial.value) == ("PRUNED", 5, 5.0)
    assert trial.intermediate_values == {step: float(step) for step in range(1, 6)}


def test_what_other_processes_do_is_seen(shared: Shared) -> None:
    here, there = (shared.study(shared.storage(), seed) for seed in (1, 2))
    ours = here.ask()
    assert [trial.state for trial in there.trials] == [TrialState.RUNNING]
    ours.suggest_float("x", 0, 1)
    ours.report(0.5, 1)
    assert there.trials == here.trials
    here.tell(ours, 1.0)
    there.enqueue_trial({"x": 0.5})
    assert [trial.state for trial in here.trials] == [TrialState.COMPLETE, TrialState.WAITING]
    here.optimize(quick, n_trials=1)
    assert there.trials == here.trials == shared.read_by_optuna()
    theirs, storage = here.ask(), shared.storage()
    storage.get_study_id_from_name(shared.name)
    with pytest.raises(RuntimeError, match="not claimed by this process"):
        storage.set_trial_user_attr(theirs._trial_id, "a", 1)


def test_a_configuration_that_two_processes_propose_is_queued_once(shared: Shared) -> None:
    here, there = (shared.study(shared.storage(), seed) for seed in (1, 2))
    for study in (here, there):
        study.enqueue_trial({"x": 0.5}, user_attrs={ORIGIN: "default"})
        study.enqueue_trial({"x": 0.5}, user_attrs={ORIGIN: "warm_start", "pattern_id": "p"})
    assert [trial.user_attrs[ORIGIN] for trial in shared.read_by_optuna()] == ["default", "warm_start"]


class OneConnection(Database):
    """A database that gives each process one pooled connection, and raises soon when one is not enough."""

    @cached_property
    def engine(self) -> sa.Engine:  # type: ignore[override]
        return sa.create_engine(self.url_for("e2i"), pool_size=1, max_overflow=0, pool_timeout=5)


def test_a_thread_with_a_connection_does_not_wait_for_a_second_one(shared: Shared) -> None:
    """Otherwise all threads with a connection wait for each other while the study's row is locked."""
    narrow = OneConnection(shared.database.url)
    storage = StudyStorage(narrow, shared.plain, shared.study_id, 24)
    study = shared.study(storage)
    queued = count()

    def queue(study: optuna.Study, trial: FrozenTrial) -> None:
        study.enqueue_trial({"x": 0.5}, user_attrs={ORIGIN: "warm_start", "pattern_id": f"p{next(queued)}"})
        study.enqueue_trial({"x": 0.5}, user_attrs={ORIGIN: "default"})

    with pytest.raises(BudgetSpent):
        study.optimize(quick, n_jobs=4, callbacks=[queue])
    assert shared.row.n_completed == 24
    assert [trial.user_attrs.get(ORIGIN) for trial in study.trials].count("default") == 1
    narrow.dispose()


# Few round trips.


def test_a_trial_takes_few_statements_however_much_it_reports(shared: Shared) -> None:
    study = shared.study(shared.storage())
    study.pruner = optuna.pruners.MedianPruner(n_startup_trials=1)
    study.optimize(quick, n_trials=3)
    statements: list[str] = []

    def objective(trial: optuna.Trial) -> float:
        for number in range(5):
            trial.suggest_float(f"x{number}", 0, 1)
        for step in range(10):
            trial.report(1.0 + step, step)
            assert not trial.should_prune()
        trial.set_user_attr("a", 1)
        return 1.0

    theirs: list[str] = []
    listened = [
        (shared.database.engine, lambda *given: statements.append(given[2])),
        (shared.plain.engine, lambda *given: theirs.append(given[2])),
    ]
    for engine, listener in listened:
        sa.event.listen(engine, "before_cursor_execute", listener)
    study.optimize(objective, n_trials=1)
    for engine, listener in listened:
        sa.event.remove(engine, "before_cursor_execute", listener)
    # The queue, the claim, the first report, trials of other processes, the end; and two for Optuna's log.
    assert len(statements) <= 7
    assert theirs == []


def test_a_trial_without_reports_is_written_while_it_runs(shared: Shared) -> None:
    storage = shared.storage()
    study = shared.study(storage)
    with written_regularly(storage):
        trial = study.ask()
        x = trial.suggest_float("x", 0, 1)
        seen = threading.Event()
        for _ in range(50):
            if shared.rows[0].params or seen.wait(0.1):
                break
        assert shared.rows[0].params == {"x": x}
    study.tell(trial, 1.0)


# An exact budget.


def test_a_trial_beyond_the_budget_cannot_be_claimed(shared: Shared) -> None:
    here, there = (shared.study(shared.storage(budget=3), seed) for seed in (1, 2))
    here.optimize(quick, n_trials=1)
    running = here.ask()
    there.enqueue_trial({"x": 0.5})
    there.enqueue_trial({"x": 0.6})
    last = there.ask()
    for study in (here, there):
        with pytest.raises(BudgetSpent, match="all 3 trials"):
            study.ask()
    there.tell(last, state=TrialState.FAIL)  # without a reason: its process died, and the trial does not count
    assert there.ask().params == {}
    here.tell(running, 1.0)
    assert [trial.state.name for trial in shared.read_by_optuna()] == [
        "COMPLETE", "COMPLETE", "FAIL", "RUNNING"
    ]  # fmt: skip


def test_four_threads_meet_the_budget_exactly(shared: Shared) -> None:
    study = shared.study(shared.storage(budget=40))
    with pytest.raises(BudgetSpent):
        study.optimize(quick, n_jobs=4)
    assert shared.row.n_completed == 40
    assert [trial.number for trial in shared.read_by_optuna()] == list(range(40))
    assert shared.read_by_optuna() == study.trials


@pytest.mark.processes
def test_three_processes_meet_the_budget_exactly(shared: Shared) -> None:
    study = shared.study(shared.storage())
    programs = [shared.started(budget=60) for _ in range(3)]
    done = [int(program.communicate(timeout=120)[0]) for program in programs]
    assert sum(done) == shared.row.n_completed == 60
    assert [trial.number for trial in study.trials] == list(range(60))
    assert {row.state for row in shared.rows} == {"COMPLETE"}
    assert len({row.worker for row in shared.rows}) == sum(one > 0 for one in done)


# Workers of a coordinator.


def test_no_trial_is_claimed_after_the_coordinator_has_ended_the_study(shared: Shared) -> None:
    store = StudyRepository(shared.database)
    with joined(shared.database, shared.study_id, 9, 60.0) as coordinator:
        storage = StudyStorage(shared.database, shared.plain, shared.study_id, 9, "a member", coordinator.name)
        member = shared.study(storage)
        member.tell(member.ask(), 1.0)
        member.enqueue_trial({"x": 0.5})
        coordinator.retire()
        store.finish(shared.study_id, **shared.examples.outcome(best_params={}))
        ended = shared.row
        for claim in (member.ask, partial(storage.create_new_trial, member._study_id)):  # the queue, and one more
            with pytest.raises(StudyCancelled, match="the coordinator is gone"):
                claim()
        assert (shared.row, shared.row.status) == (ended, "completed")
    assert [trial.state.name for trial in shared.read_by_optuna()] == ["COMPLETE", "WAITING"]
    assert [row.state for row in shared.rows] == ["COMPLETE"]


# Processes that die.


def test_only_the_trials_of_the_dead_are_abandoned(shared: Shared) -> None:
    with worker(shared.database) as living:
        living_study = shared.study(shared.storage(lock=living))
        living_study.ask()
        with worker(shared.database) as dying:
            shared.study(shared.storage(lock=dying)).ask()
            assert shared.storage().get_study_id_from_name(shared.name)
            assert here(shared).abandoned() == []
        assert here(shared).abandoned() == [1]
    assert here(shared).abandoned() == [0, 1]


def here(shared: Shared) -> StudyStorage:
    storage = shared.storage()
    storage.get_study_id_from_name(shared.name)
    return storage


def test_two_recoveries_at_once_try_an_abandoned_trial_again_once(shared: Shared) -> None:
    with worker(shared.database) as lock:
        study = shared.study(shared.storage(lock=lock))
        study.enqueue_trial({"x": 0.5}, user_attrs={ORIGIN: "warm_start", "pattern_id": "p"})
        study.ask()
        drawn = study.ask()
        drawn.report(drawn.suggest_float("x", 0, 1), 1)
        study.ask()  # it died before it sampled a value, so there is nothing to repeat
    rivals = [shared.storage() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda one: recover(shared.database, one, shared.study(one)), rivals))
    states = Counter(trial.state.name for trial in shared.read_by_optuna())
    assert states == {"FAIL": 3, "WAITING": 2}
    retried = [trial for trial in shared.read_by_optuna() if trial.state is TrialState.WAITING]
    assert [trial.user_attrs["retry_of"] for trial in retried] == [0, 1]
    assert [trial.system_attrs["fixed_params"] for trial in retried] == [{"x": 0.5}, drawn.params]
    assert (shared.row.n_failed, {row.error_type for row in shared.rows}) == (0, {"Interrupted"})


def test_a_process_with_an_expired_lease_cannot_end_its_trial(shared: Shared) -> None:
    storage = shared.storage()
    study = shared.study(storage)
    trial = study.ask()
    trial.suggest_float("x", 0, 1)
    other = shared.storage()
    recover(shared.database, other, shared.study(other))
    with pytest.raises(UpdateFinishedTrialError):
        trial.report(0.5, 1)
    with pytest.raises(UpdateFinishedTrialError):
        study.tell(trial, 1.0)
    assert (shared.rows[0].state, shared.row.n_completed, shared.read_by_optuna()[0].values) == ("FAIL", 0, None)
    assert shared.read_by_optuna()[0].intermediate_values == {}


def cut(database: Database) -> None:
    """End every connection to a database but this one."""
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    with database.session() as connection:
        connection.execute(sa.text(f"{others} AND datname = current_database()"))


def silent(shared: Shared, name: str) -> None:
    """Expire the lease of a process."""
    with shared.database.begin() as connection:
        expire = sa.text("UPDATE ml_hpo_workers SET seen_at = seen_at - make_interval(secs => 61) WHERE name = :name")
        assert connection.execute(expire, {"name": name}).rowcount == 1


def test_a_silent_process_loses_its_trial_and_goes_on_when_it_is_back(shared: Shared) -> None:
    with worker(shared.database) as frozen:
        storage = shared.storage(budget=3, lock=frozen)
        study = shared.study(storage)
        trial = study.ask()
        drawn = trial.suggest_float("x", 0, 1)
        storage.flush()
        assert here(shared).abandoned() == []
        silent(shared, frozen)
        assert here(shared).abandoned() == [0], "it holds its lock on, and yet"
        other = shared.storage(budget=3)
        recover(shared.database, other, shared.study(other))
        with pytest.raises(UpdateFinishedTrialError):
            study.tell(trial, 1.0)
        # It has noticed that the trial is not its own any more, and takes the next one, which is the repeated trial.
        study.optimize(quick, n_trials=1)
        assert [(row.state, row.origin, row.error_type) for row in shared.rows] == [
            ("FAIL", "sampler", "Interrupted"),
            ("COMPLETE", "retry", None),
        ]
        assert shared.rows[1].params == {"x": drawn}
        assert study.trials == shared.read_by_optuna()


@pytest.fixture
def frozen(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """The same database with a pool of its own, whose transactions the server ends after a second."""
    monkeypatch.setattr(postgres, "IDLE_TRANSACTION_SECONDS", 1.0)
    monkeypatch.setattr(study_session, "IDLE_TRANSACTION_SECONDS", 1.0)
    url = sa.make_url(shared.database.url).update_query_dict({"application_name": "frozen"})
    database = Database(url.render_as_string(hide_password=False))
    yield database
    database.dispose()


def test_a_process_that_is_frozen_in_a_transaction_stops_nobody(shared: Shared, frozen: Database) -> None:
    ours, optunas = frozen.engine.connect(), study_session.optuna_storage(frozen).engine.connect()
    ours.execute(sa.text(LOCK), {"study_id": shared.study_id})
    optunas.execute(sa.text("SELECT 1 FROM studies WHERE study_name = :name FOR UPDATE"), {"name": shared.name})
    shared.study(shared.storage()).optimize(quick, n_trials=1)
    assert [row.state for row in shared.rows] == ["COMPLETE"]
    for connection in (ours, optunas):
        with pytest.raises(DBAPIError):
            connection.execute(sa.text("SELECT 1"))
        connection.close()


def test_what_a_frozen_process_left_is_written_again_when_it_continues(shared: Shared, frozen: Database) -> None:
    calls = count()

    def write() -> int:
        with frozen.begin() as connection:
            connection.execute(sa.text(LOCK), {"study_id": shared.study_id})
            if (call := next(calls)) == 0:
                time.sleep(2)
            return call

    assert retry_transient(write) == 1


def test_a_process_that_is_frozen_in_a_recovery_stops_no_other_recovery(shared: Shared, frozen: Database) -> None:
    with worker(shared.database) as lock:
        shared.study(shared.storage(lock=lock)).ask().suggest_float("x", 0, 1)
    with frozen.advisory_lock(f"recover {shared.name}", longest=1.0):
        other = shared.storage()
        recover(shared.database, other, shared.study(other))
    assert [row.state for row in shared.rows] == ["FAIL"]


def test_a_process_that_is_frozen_for_more_than_a_day_stays_silent(shared: Shared) -> None:
    """The next process that joins deletes its row, and its lock is still held."""
    with shared.database.advisory_lock("a frozen process"):
        with shared.database.begin() as connection:
            statement = "INSERT INTO ml_hpo_workers (name, host, process_id, lease_seconds, seen_at) VALUES"
            connection.execute(sa.text(f"{statement} ('a frozen process', 'h', 1, 60, now() - interval '2 days')"))
        shared.study(shared.storage(lock="a frozen process")).ask()
        assert here(shared).abandoned() == [0]
        with worker(shared.database):
            assert here(shared).abandoned() == [0]


def test_a_trial_that_ended_before_it_could_be_taken_away_is_not_tried_again(shared: Shared) -> None:
    with worker(shared.database) as frozen:
        study = shared.study(shared.storage(lock=frozen))
        trial = study.ask()
        trial.report(trial.suggest_float("x", 0, 1), 1)
        other = shared.study(shared.storage())
        assert [one.state for one in other.trials] == [TrialState.RUNNING]
        study.tell(trial, 1.0)
        recovered(other, [0])
        assert [one.state for one in shared.read_by_optuna()] == [TrialState.COMPLETE]


def test_a_process_sends_heartbeats_and_ends_its_lease(shared: Shared) -> None:
    with worker(shared.database, lease=0.6) as name:
        for _ in range(4):
            time.sleep(0.3)
            assert not has_expired(shared.database, name)
    assert has_expired(shared.database, name)


def test_a_process_whose_connections_are_cut_is_known_again_by_the_same_name(shared: Shared) -> None:
    with worker(shared.database, lease=0.6) as name:
        cut(shared.database)
        time.sleep(0.6)  # a connection that was used a moment ago is trusted
        deadline = time.monotonic() + 10
        while shared.database.held_locks([name]) != {name}:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert not has_expired(shared.database, name)


def test_a_living_process_whose_connections_are_cut_keeps_its_trial(shared: Shared) -> None:
    """Its lock is free until it reconnects, and no other process may take this for its end."""
    with worker(shared.database) as name:
        study = shared.study(shared.storage(lock=name))
        trial = study.ask()
        other = shared.storage()
        rival = shared.study(other)
        for _ in range(2):
            cut(shared.database)
            assert retry_transient(other.abandoned) == []
            assert shared.database.held_locks([name]) == {name}
        recover(shared.database, other, rival)
        study.tell(trial, 1.0)
    assert [row.state for row in shared.rows] == ["COMPLETE"]


def test_a_lost_connection_fails_no_trial(shared: Shared) -> None:
    study = shared.study(shared.storage())

    def objective(trial: optuna.Trial) -> float:
        x = trial.suggest_float("x", 0, 1)
        cut(shared.database)
        trial.report(x, 1)
        return x

    study.optimize(objective, n_trials=2)
    assert [(row.state, row.intermediate_values) for row in shared.rows] == [
        ("COMPLETE", {"1": trial.value}) for trial in study.trials
    ]


@pytest.mark.processes
def test_a_killed_process_loses_its_running_trial_alone_and_another_tries_it_again(shared: Shared) -> None:
    study = shared.study(shared.storage())
    program = shared.started(budget=10, stops_in=4)
    assert program.stdout is not None
    assert program.stdout.readline() == "in a trial\n"
    before = shared.read_by_optuna()
    assert [trial.state.name for trial in before] == ["COMPLETE"] * 4 + ["RUNNING"]
    program.kill()
    program.communicate()
    storage: Any = study._storage
    assert storage.abandoned() == [4]
    recover(shared.database, storage, study)
    assert shared.started(budget=10).communicate(timeout=60)[0] == "6\n"
    after = shared.read_by_optuna()
    assert after[:4] == before[:4]
    assert [trial.state.name for trial in after] == ["COMPLETE"] * 4 + ["FAIL"] + ["COMPLETE"] * 6
    assert after[5].params == before[4].params
    assert (shared.row.n_completed, shared.row.n_failed, len(shared.rows)) == (10, 0, 11)
