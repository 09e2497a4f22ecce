"""Workers behind PgBouncer in transaction mode: the schema comes from the role, and locks keep a session."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

import optuna
import pytest
import sqlalchemy as sa

from benchmarks.pgbouncer import pooled
from benchmarks.scaling import made_study, objective
from e2i_assets.adapters.optuna_storage.study_session import joined
from e2i_assets.adapters.postgres.database import Database, PoolMisconfigured
from e2i_assets.adapters.postgres.roles import make_login
from e2i_assets.adapters.repositories.studies import StudyRepository
from e2i_assets.core.errors import BudgetSpent

NAME = "pooled worker"


@pytest.fixture
def account(database: Database) -> Iterator[str]:
    """The address of an account for a pooler; it has no options."""
    made = sa.make_url(make_login(database, NAME, "worker", pooled=True).url)
    yield made.difference_update_query(["options"]).render_as_string(hide_password=False)
    with database.begin() as connection:
        connection.exec_driver_sql(f'DROP ROLE "{NAME}"')


def test_an_account_for_a_pooler_has_our_schema_without_an_option_of_its_connections(
    database: Database, account: str
) -> None:
    by_pool = Database(database.url, account)
    with by_pool.connect() as connection:
        found = connection.exec_driver_sql(
            "SELECT session_user, current_schema(), current_setting('idle_in_transaction_session_timeout')"
        ).one()
        assert tuple(found) == (NAME, "e2i", "15s")
        assert connection.exec_driver_sql("SELECT count(*) FROM ml_experiments").scalar_one() == 0
    with by_pool.advisory_lock("one"), by_pool.session() as session:
        assert session.exec_driver_sql("SELECT session_user").scalar_one() != NAME
    by_pool.dispose()


def test_an_account_without_these_settings_is_refused_before_the_first_statement(database: Database) -> None:
    bare = sa.make_url(database.url).difference_update_query(["options"])
    by_pool = Database(database.url, bare.render_as_string(hide_password=False))
    with pytest.raises(PoolMisconfigured, match=r"the time limit 0 of idle.*--role worker --pooled"):
        by_pool.connect()
    by_pool.dispose()


@pytest.mark.drill
def test_sixteen_workers_share_two_connections_of_pgbouncer(database: Database) -> None:
    """The budget stays exact, and each worker keeps the session that shows that it is alive."""
    name, study_id = made_study(database, "e2i_assets")

    def work(by_pool: Database) -> None:
        with joined(by_pool, study_id, 48, lease=60.0) as session, suppress(BudgetSpent):
            optuna.load_study(study_name=name, storage=session.storage).optimize(partial(objective, sleep=0.1))

    with pooled(database, 2) as by_pool, ThreadPoolExecutor(16) as threads:
        for done in [threads.submit(work, by_pool) for _ in range(16)]:
            done.result()
        with database.connect() as connection:
            shared = connection.exec_driver_sql("SELECT count(*) FROM pg_stat_activity WHERE usename LIKE 'pooled_%%'")
            assert shared.scalar_one() == 2
    trials = StudyRepository(database).trials(study_id)
    assert sorted(one.trial_number for one in trials) == list(range(48))
    assert {one.state for one in trials} == {"COMPLETE"}
    assert len({one.worker for one in trials}) == 16
