"""How Optuna, MLflow and Dagster create or upgrade their tables; a program whose arguments are the owners to prepare.

It is a process of its own because the libraries' migrations rewrite the logging of the process that they run in, and
their imports weigh hundreds of megabytes. The database address comes on standard input, where nobody sees the password.
"""

import sys
from collections.abc import Callable, Mapping
from typing import cast

import sqlalchemy as sa

from e2i_assets.adapters.postgres.address import Owner
from e2i_assets.adapters.postgres.database import Database

# Nobody logs to MLflow's experiment "Default"; through the server its artifacts would go to the server's own root.
_DEFAULT_EXPERIMENT_ROOT = "mlflow-artifacts:/"


def _prepare_optuna(url: str) -> None:
    from optuna.storages import RDBStorage

    storage = RDBStorage(url, skip_compatibility_check=True)
    storage.upgrade()
    storage.remove_session()
    storage.engine.dispose()


def _prepare_mlflow(url: str) -> None:
    import importlib

    # Untyped, and the tables are not a public part of MLflow: what its own `mlflow db upgrade` does, without a
    # password on a command line.
    tables = importlib.import_module("mlflow.store.db.utils")
    store = importlib.import_module("mlflow.store.tracking.sqlalchemy_store")

    engine = sa.create_engine(url)
    if tables._is_empty_database(engine):
        tables._initialize_tables(engine)
    else:
        tables._upgrade_db(engine)
    engine.dispose()
    # Opening the store makes the experiment "Default", which is as racy as the tables.
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
    # The lock of `migrate` dies with its process, but this one may outlive it for a moment.
    with database.advisory_lock("e2i schema preparation"):
        for owner in cast("list[Owner]", sys.argv[1:]):
            PREPARATIONS[owner](database.url_for(owner))
