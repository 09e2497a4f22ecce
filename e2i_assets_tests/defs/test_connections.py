"""What a process opens once: the project, and the connection of Dagster's storages."""

import os
from typing import Any

import pytest
import sqlalchemy as sa

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.defs.instance_storage import ProjectPostgresStorage
from e2i_assets.defs.resources import ProjectResource


def server_process(storage: Any) -> int:
    """The process of the server that answers one statement of a storage."""
    with storage.index_connection() if hasattr(storage, "index_connection") else storage.connect() as connection:
        return int(connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one())


@pytest.fixture
def storage(project) -> ProjectPostgresStorage:
    return ProjectPostgresStorage.from_config_value(None, {})


def test_dagsters_storages_use_one_connection_for_one_statement_after_the_other(storage):
    parts = [storage.run_storage, storage.event_log_storage] * 3
    assert len({server_process(part) for part in parts}) == 1


def test_a_connection_that_the_server_has_closed_costs_no_statement(storage, project):
    first = server_process(storage.event_log_storage)
    with project.project.database.begin() as connection:
        connection.execute(sa.text("SELECT pg_terminate_backend(:process, 5000)"), {"process": first})
    assert server_process(storage.run_storage) != first


def test_the_project_is_set_up_once_in_a_process_and_again_for_another_address(project, other_database: Database):
    first = ProjectResource(database_url=os.environ["E2I_DATABASE_URL"], mlflow_tracking_uri=None)
    assert first.open() is first.model_copy().open()
    other = ProjectResource(database_url=other_database.url, mlflow_tracking_uri=None).open()
    assert other.database.url != first.open().database.url
