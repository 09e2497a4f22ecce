"""Permissions in the database: a worker writes, a reader reads, and neither can drop or truncate tables."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import ProgrammingError

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.postgres.migrations import MigrationRefused, migrate
from e2i_assets.adapters.postgres.roles import LoginRefused, Role, as_worker, grant_roles, make_login

SQL = Path(__file__).parents[2] / "sql"
SCHEMAS = ("e2i", "dagster", "optuna", "mlflow")
Login = Callable[..., Database]


def done(database: Database, statement: str) -> None:
    with database.begin() as connection:
        connection.exec_driver_sql(statement)


@pytest.fixture
def login(database: Database) -> Iterator[Login]:
    """Create an account with a role, or without any; it is dropped after the test."""
    made: list[Database] = []

    def make(role: Role | None, name: str = "some one's") -> Database:
        if role:
            made.append(make_login(database, name, role))
        else:
            done(database, f"""CREATE ROLE "{name}" LOGIN PASSWORD 'x'""")
            url = sa.make_url(database.url).set(username=name, password="x")
            made.append(Database(url.render_as_string(hide_password=False)))
        return made[-1]

    yield make
    for one in made:
        one.dispose()
        done(database, f"""DROP ROLE "{sa.make_url(one.url).username}" """)


DESTRUCTION = [
    "DROP TABLE ml_experiments",
    "DROP SCHEMA optuna CASCADE",
    "TRUNCATE mlflow.runs CASCADE",
    "ALTER TABLE ml_hpo_trials DROP COLUMN value",
    "CREATE TABLE e2i.mine (x int)",
    "CREATE OR REPLACE FUNCTION e2i.touch_updated_at() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "SELECT * FROM pg_authid",
    "COPY ml_experiments TO PROGRAM 'cat'",
    "SELECT pg_read_file('/etc/passwd')",
    "INSERT INTO schema_migrations (version, name, checksum) VALUES (900, 'x', 'x')",
    "UPDATE optuna.alembic_version SET version_num = 'x'",
    "CREATE ROLE another",
    "SET ROLE e2i_owner",
]
WRITING = [
    "DELETE FROM ml_experiments",
    "INSERT INTO optuna.studies (study_name) VALUES ('x')",
    "UPDATE dagster.runs SET status = 'SUCCESS'",
    "SELECT nextval('optuna.studies_study_id_seq')",
]


def test_a_worker_works_in_all_four_schemas_and_can_destroy_nothing(login: Login) -> None:
    worker = login("worker")
    for statement in DESTRUCTION:
        with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
            done(worker, statement)
    for statement in WRITING:
        done(worker, statement)


def test_a_reader_reads_everything_and_can_change_nothing(login: Login) -> None:
    reader = login("reader")
    for statement in (*DESTRUCTION, *WRITING):
        with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
            done(reader, statement)
    with reader.connect() as connection:
        names = "SELECT format('%%I.%%I', schemaname, tablename) FROM pg_tables WHERE schemaname = ANY(%s)"
        tables = list(connection.exec_driver_sql(names, (list(SCHEMAS),)).scalars())
        assert len(tables) > 90
        for table in tables:
            connection.exec_driver_sql(f"SELECT 1 FROM {table} LIMIT 1")


def test_an_account_without_a_role_sees_nothing(login: Login) -> None:
    with pytest.raises(ProgrammingError, match="permission denied for schema e2i"):
        done(login(None), "SELECT * FROM e2i.ml_experiments")


def test_an_owner_who_is_no_superuser_migrates(login: Login, database: Database, tmp_path: Path) -> None:
    for path in SQL.glob("*.sql"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    newer = "ALTER TABLE e2i.ml_experiments ADD COLUMN newer int; CREATE TABLE e2i.newer (x int);"
    (tmp_path / "990_newer.sql").write_text(newer)
    with pytest.raises(MigrationRefused, match=r"990_newer\), which this account may not do: must be owner"):
        migrate(login("worker", "a_worker"), tmp_path)
    assert migrate(login("owner", "an_owner"), tmp_path).applied == ("990_newer",)
    done(as_worker(database), "INSERT INTO newer VALUES (1)")  # the roles have rights on new tables at once


def test_runs_act_as_the_worker_role_for_any_login(database: Database) -> None:
    worker = as_worker(database)
    assert as_worker(worker) == worker
    with worker.connect() as connection:
        assert connection.exec_driver_sql("SELECT current_user").scalar() == "e2i_worker"
    assert worker.redacted == database.redacted
    assert worker.acting_as(None) == database
    for owner in ("dagster", "optuna", "mlflow"):
        with sa.create_engine(worker.url_for(owner)).connect() as connection:
            found = connection.exec_driver_sql("SELECT current_user, current_schema()").one()
            assert found == ("e2i_worker", owner)


def test_without_the_right_to_create_roles_the_account_itself_is_used(
    login: Login, database: Database, empty_database: Database
) -> None:
    """A managed server: the account owns its database, and has no other rights."""
    account = login(None, "tenant")
    own = sa.make_url(account.url).set(database=sa.make_url(empty_database.url).database)
    done(empty_database, f'ALTER DATABASE "{own.database}" OWNER TO tenant')
    tenant = Database(own.render_as_string(hide_password=False))
    report = migrate(tenant, SQL)
    assert "009_roles" in report.applied
    assert not grant_roles(tenant)
    assert as_worker(tenant) == tenant
    assert not migrate(tenant, SQL).changed
    tenant.dispose()
    done(empty_database, f'ALTER DATABASE "{own.database}" OWNER TO e2i')
    done(empty_database, "REASSIGN OWNED BY tenant TO e2i; DROP OWNED BY tenant")


def test_a_new_account_takes_nothing_along_of_the_one_that_made_it(login: Login, database: Database) -> None:
    """The query of an address overrides the parts before it."""
    url = sa.make_url(database.url)
    account = {"user": str(url.username), "password": str(url.password), "sslpassword": "of-a-key", "passfile": "/x"}
    spelled = url.set(username=None, password=None).update_query_dict(account)
    made = make_login(Database(spelled.render_as_string(hide_password=False)), "grafana", "reader")
    assert str(url.password) not in made.url
    assert not {"of-a-key", "passfile"} & set(re.split("[=&?]", made.url))
    with made.connect() as connection:
        assert connection.exec_driver_sql("SELECT current_user").scalar() == "grafana"
    made.dispose()
    done(database, "DROP ROLE grafana")


def test_a_role_can_be_reset_on_purpose(database: Database) -> None:
    """It guards against mistakes: docs/security.md says so."""
    with as_worker(database).connect() as connection:
        connection.exec_driver_sql("RESET ROLE")
        assert connection.exec_driver_sql("SELECT current_user").scalar() == "e2i_worker"
        connection.exec_driver_sql("SET ROLE NONE")
        assert connection.exec_driver_sql("SELECT current_user").scalar() == sa.make_url(database.url).username


def test_an_account_that_is_there_is_not_made_again(login: Login, database: Database) -> None:
    login("reader", "ada")
    with pytest.raises(LoginRefused, match="The account ada exists already"):
        make_login(database, "ada", "reader")


def test_a_missing_right_to_create_accounts_is_reported(login: Login) -> None:
    with pytest.raises(LoginRefused, match="does not let this account create the account ada: permission denied"):
        make_login(login("worker"), "ada", "owner")
