"""Program that creates or upgrades the tables of Optuna, MLflow and Dagster; its arguments name the libraries.

It is a separate process because the migrations of the libraries change the logging configuration of their process, and
their imports take hundreds of megabytes. The database address is read from standard input, which hides the password.
"""

import sys
from collections.abc import Callable, Mapping
from typing import cast

import sqlalchemy as sa

from e2i_assets.adapters.postgres.address import Owner
from e2i_assets.adapters.postgres.database import Database

# The experiment "Default" of MLflow is never used; this root keeps its artifacts out of a local folder.
_DEFAULT_EXPERIMENT_ROOT = "mlflow-artifacts:/"


def _prepare_optuna(url: str) -> None:
    from optuna.storages import RDBStorage

    storage = RDBStorage(url, skip_compatibility_check=True)
    storage.upgrade()
    storage.remove_session()
    storage.engine.dispose()


def _prepare_mlflow(url: str) -> None:
    import importlib

    # These modules have no types and are not public: this is what `mlflow db upgrade` does, without a password on a
    # command line.
    tables = importlib.import_module("mlflow.store.db.utils")
    store = importlib.import_module("mlflow.store.tracking.sqlalchemy_store")

    engine = sa.create_engine(url)
    if tables._is_empty_database(engine):
        tables._initialize_tables(engine)
    else:
        tables._upgrade_db(engine)
    engine.dispose()
    # Opening the store creates the experiment "Default", which is as racy as the creation of the tables.
    store.SqlAlchemyStore(url, _DEFAULT_EXPERIMENT_ROOT).engine.dispose()


def _prepare_dagster(url: str) -> None:
    from dagster_postgres import PostgresEventLogStorage, PostgresRunStorage, PostgresScheduleStorage

    runs = PostgresRunStorage(url)
    runs.upgrade()
    runs.migrate()
    events = PostgresEventLogStorage(url)
    events.upgrade()
    events.reindex_assets()
    schedules = PostgresScheduleStorage(url)
    schedules.upgrade()
    schedules.migrate()


PREPARATIONS: Mapping[Owner, Callable[[str], None]] = {
    "optuna": _prepare_optuna,
    "mlflow": _prepare_mlflow,
    "dagster": _prepare_dagster,
}


if __name__ == "__main__":
    database = Database(sys.stdin.readline())
    # The lock of `migrate` ends with its process, but this process may outlive it for a moment.
    with database.advisory_lock("e2i schema preparation"):
        for owner in cast("list[Owner]", sys.argv[1:]):
            PREPARATIONS[owner](database.url_for(owner))
