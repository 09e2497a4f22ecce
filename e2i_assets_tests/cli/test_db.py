"""`e2i db` on an external server: its address, its tables, and access without a visible password."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import Result
from sqlalchemy.exc import ProgrammingError

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.postgres.roles import as_worker
from e2i_assets.services.project import Project

RunCli = Callable[..., Result]


def test_url_works_with_psql(run_cli: RunCli, project: Project) -> None:
    answer = run_cli("db", "url")
    assert answer.exit_code == 0
    assert answer.stdout == f"{as_worker(project.database).libpq_url}\n"
    assert answer.stderr == ""


def test_url_of_an_owner_sets_its_schema(run_cli: RunCli, project: Project) -> None:
    url = run_cli("db", "url", "--owner", "optuna").stdout.strip()
    assert url == as_worker(project.database).url_for("optuna")
    with sa.create_engine(url).connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM studies")).scalar_one() == 0


def test_export_prints_a_shell_assignment(run_cli: RunCli, project: Project) -> None:
    (word, assignment) = shlex.split(run_cli("db", "url", "--export").stdout)
    assert word == "export"
    assert assignment == f"E2I_DATABASE_URL={as_worker(project.database).url}"


def test_login_prints_the_address_of_an_account_with_the_rights_of_its_role(run_cli: RunCli, project: Project) -> None:
    answer = run_cli("db", "login", "grafana", "--role", "reader")
    try:
        assert answer.exit_code == 0, answer.output
        grafana = Database(answer.stdout.strip())
        with grafana.connect() as connection:
            assert connection.exec_driver_sql("SELECT current_user, count(*) FROM ml_experiments").one() == (
                "grafana",
                0,
            )
            with pytest.raises(ProgrammingError, match="permission denied"):
                connection.exec_driver_sql("DELETE FROM ml_experiments")
        grafana.dispose()
        again = run_cli("db", "login", "grafana", "--role", "reader")
        assert again.exit_code == 1
        assert "The account grafana exists already" in again.stderr
    finally:
        with project.database.begin() as connection:
            connection.exec_driver_sql("DROP ROLE IF EXISTS grafana")


def test_newer_migrations_are_an_error_without_a_traceback(run_cli: RunCli, project: Project) -> None:
    with project.database.begin() as connection:
        newer = "INSERT INTO schema_migrations (version, name, checksum) VALUES (900, '900_future', 'x')"
        connection.exec_driver_sql(newer)
    for words in (("db", "migrate"), ("run",), ("check",), ("db", "url")):
        answer = run_cli(*words)
        assert answer.exit_code == (2 if words == ("check",) else 1)
        assert "900_future, which this program does not know: it was set up by a newer version" in answer.stderr
        assert "Update this program, or give it another database" in answer.stderr
        assert "Traceback" not in answer.output


def test_a_database_of_other_migrations_is_refused_and_can_be_backed_up(
    run_cli: RunCli, project: Project, tmp_path: Path
) -> None:
    """The thirteen migrations before the baseline: some names are the same, some numbers are unused now."""
    with project.database.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE schema_migrations SET checksum = 'old', name = name || '_old' WHERE version > 4"
        )
        connection.exec_driver_sql("UPDATE schema_migrations SET checksum = 'old' WHERE version <= 4")
        later = (
            "INSERT INTO schema_migrations (version, name, checksum) SELECT max(version) + 1, 'old', 'x' "
            "FROM schema_migrations"
        )
        connection.exec_driver_sql(later)
    for words in (("db", "migrate"), ("run",), ("check",)):
        answer = run_cli(*words)
        assert answer.exit_code == (2 if words == ("check",) else 1)
        complaint = " ".join(answer.stderr.split())
        assert "made by a development version whose migrations this program does not continue" in complaint
        assert "run `e2i db backup FILE`" in complaint
        assert "remove the state folder (.e2i)" in complaint
        assert "Traceback" not in answer.output
    file = tmp_path / "old.dump"
    assert run_cli("db", "backup", str(file)).exit_code == 0
    answer = run_cli("db", "restore", str(file), "--replace")
    assert answer.exit_code == 1
    assert "The backup was made by a development version" in answer.stderr


@pytest.mark.parametrize("owner", ["optuna", "mlflow", "dagster"])
def test_tables_of_a_newer_library_are_an_error_without_a_traceback(
    run_cli: RunCli, project: Project, owner: str
) -> None:
    with project.database.begin() as connection:
        connection.exec_driver_sql(f"UPDATE {owner}.alembic_version SET version_num = 'v99.of.the.future'")
    answer = run_cli("db", "migrate")
    assert answer.exit_code == 1
    assert f"Error: The tables of {owner} could not be prepared" in answer.stderr
    assert "v99.of.the.future" in answer.stderr
    assert "newer version" in answer.stderr
    assert "Traceback" not in answer.output


def test_migrate_reports_its_changes_and_then_that_all_is_up_to_date(run_cli: RunCli, project: Project) -> None:
    with project.database.begin() as connection:
        connection.execute(sa.text("UPDATE e2i.schema_owners SET library_version = '0' WHERE owner = 'optuna'"))
    assert run_cli("db", "migrate").stdout == "prepared the tables of optuna\n"
    assert run_cli("db", "migrate").stdout == "Everything is up to date.\n"


def test_psql_uses_our_schema_and_returns_its_exit_status(project: Project) -> None:
    psql = [sys.executable, "-m", "e2i_assets.cli.main", "db", "psql", "--", "-X", "-A", "-t"]
    query = "SELECT current_schema(), count(*) FROM ml_experiments"
    found = subprocess.run([*psql, "-c", query], capture_output=True, text=True, check=False)
    assert (found.stdout, found.stderr, found.returncode) == ("e2i|0\n", "", 0)
    wrong = subprocess.run([*psql, "-c", "SELECT nonsense"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 1
    assert "nonsense" in wrong.stderr


def test_psql_shows_no_password_in_the_process_list(project: Project) -> None:
    # \! runs a shell under psql: its parent is psql itself.
    words = ["db", "psql", "--", "-X", "-c", r"\! tr '\0' ' ' < /proc/$PPID/cmdline"]
    found = subprocess.run(
        [sys.executable, "-m", "e2i_assets.cli.main", *words], capture_output=True, text=True, check=True
    )
    assert "psql" in found.stdout
    assert str(sa.make_url(project.database.url).password) not in found.stdout


def test_serve_refuses_an_external_server(run_cli: RunCli, project: Project) -> None:
    answer = run_cli("db", "serve")
    assert answer.exit_code == 0
    assert "there is nothing to start" in answer.stdout
    assert str(sa.make_url(project.database.url).password) not in answer.stdout


def test_a_command_restores_the_environment_of_its_process(project: Project, run_cli: RunCli) -> None:
    before = dict(os.environ)
    answer = run_cli("db", "url")
    assert answer.exit_code == 0, answer.output
    assert dict(os.environ) == before
