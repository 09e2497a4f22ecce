"""Objects that a process opens once: the project, and the connection of Dagster's storages."""

import os
from typing import Any

import pytest
import sqlalchemy as sa

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.defs.instance_storage import ProjectPostgresStorage
from e2i_assets.defs.resources import ProjectResource


def server_process(storage: Any) -> int:
    """Return the id of the server process that executes a statement of a storage."""
    with storage.index_connection() if hasattr(storage, "index_connection") else storage.connect() as connection:
        return int(connection.execute(sa.text("SELECT pg_backend_pid()")).scalar_one())


@pytest.fixture
def storage(project) -> ProjectPostgresStorage:
    return ProjectPostgresStorage.from_config_value(None, {})


def test_dagsters_storages_share_one_connection_for_successive_statements(storage):
    parts = [storage.run_storage, storage.event_log_storage] * 3
    assert len({server_process(part) for part in parts}) == 1


def test_a_statement_after_a_closed_connection_succeeds_on_a_new_one(storage, project):
    first = server_process(storage.event_log_storage)
    with project.project.database.begin() as connection:
        connection.execute(sa.text("SELECT pg_terminate_backend(:process, 5000)"), {"process": first})
    assert server_process(storage.run_storage) != first


def test_a_process_opens_a_project_once_for_each_database_address(project, other_database: Database):
    first = ProjectResource(database_url=os.environ["E2I_DATABASE_URL"], mlflow_tracking_uri=None)
    assert first.open() is first.model_copy().open()
    other = ProjectResource(database_url=other_database.url, mlflow_tracking_uri=None).open()
    assert other.database.url != first.open().database.url
