"""`e2i db backup` and `e2i db restore`: a restore is complete or changes nothing."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import Result
from finished_project import PLAIN, made
from sklearn.datasets import load_breast_cancer
from table_contents import contents

from e2i_assets.adapters.postgres.address import DatabaseAddressInvalid
from e2i_assets.adapters.postgres.backup import SEAL, BackupFailed, backup, is_sealed
from e2i_assets.adapters.postgres.client_programs import client_environment, programs_for
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.postgres.errors import PostgresUnavailable
from e2i_assets.services.memory_files.starter_memory import load_starter
from e2i_assets.services.project import Project

RunCli = Callable[..., Result]
SEARCHED = PLAIN.replace("hpo: {enabled: false}", "hpo: {trials: 3}")
# Text that needs escaping: quotes, tabs, line ends, a backslash, the end marker of COPY, and SQL.
AWKWARD = 'it\'s a "name" \t with\n\\.\nCOPY e2i.ml_experiments (id) FROM stdin;\n$$ ; DROP TABLE x -- 数据'


def executed(database: Database, statement: str, **values: object) -> None:
    with database.begin() as connection:
        connection.execute(sa.text(statement), values)


@pytest.fixture
def with_rows(project: Project) -> Project:
    """A project with rows whose text needs escaping."""
    load_starter(project.database)  # as the first command would
    key = "INSERT INTO dagster.dynamic_partitions (partitions_def_name, partition) VALUES ('experiment', :key)"
    executed(project.database, key, key=AWKWARD)
    executed(project.database, "INSERT INTO optuna.studies (study_name) VALUES (:name)", name=AWKWARD[:400])
    return project


def use_database(monkeypatch: pytest.MonkeyPatch, database: Database) -> Database:
    monkeypatch.setenv("E2I_DATABASE_URL", database.url)
    return database


def test_a_restore_into_another_database_is_complete_and_passes_every_check(
    with_rows: Project, empty_database: Database, run_cli: RunCli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(with_rows, SEARCHED)
    before, file = contents(with_rows.database), tmp_path / "kept.dump"
    assert before["e2i.ml_hpo_trials"][0] == before["optuna.trials"][0] == 3
    assert before["mlflow.runs"][0] == 1
    assert len(before) > 90
    answer = run_cli("db", "backup", str(file))
    assert answer.exit_code == 0, answer.output
    assert file.stat().st_mode & 0o777 == 0o600
    assert {path.name for path in tmp_path.iterdir()} == {"project", "kept.dump"}

    other = use_database(monkeypatch, empty_database)
    answer = run_cli("db", "restore", str(file))
    assert answer.exit_code == 0, answer.output
    assert f"{sum(count for count, _ in before.values())} rows in {len(before)} tables" in answer.stdout
    assert contents(other) == before
    assert run_cli("check", "plain").exit_code == 0
    index = "SELECT to_regclass('e2i.ml_hpo_patterns_by_vector') IS NOT NULL"
    with with_rows.database.connect() as here, other.connect() as there:
        assert here.exec_driver_sql(index).scalar() is there.exec_driver_sql(index).scalar() is True
        # Sequences continue from their last value.
        for connection in (here, there):
            connection.exec_driver_sql("INSERT INTO optuna.studies (study_name) VALUES ('the next one')")
        newest = "SELECT max(study_id) FROM optuna.studies"
        assert here.exec_driver_sql(newest).scalar() == there.exec_driver_sql(newest).scalar()


def test_a_restore_changes_a_database_with_tables_only_with_replace(
    with_rows: Project, other_database: Database, run_cli: RunCli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, before = tmp_path / "kept.dump", contents(with_rows.database)
    assert run_cli("db", "backup", str(file), "--json").exit_code == 0
    other = use_database(monkeypatch, other_database)
    executed(other, "INSERT INTO optuna.studies (study_name) VALUES ('of this one')")
    executed(other, "CREATE TABLE e2i.of_nobody (x int); CREATE TABLE public.of_somebody (x int)")
    there = contents(other)
    refused = run_cli("db", "restore", str(file))
    assert refused.exit_code == 1
    assert "is not empty" in refused.stderr
    assert "--replace" in refused.stderr
    assert contents(other) == there
    replaced = run_cli("db", "restore", str(file), "--replace", "--json")
    assert replaced.exit_code == 0, replaced.output
    assert json.loads(replaced.stdout)["rows"]["optuna.studies"] == 1
    assert contents(other) == before
    executed(other, "SELECT x FROM public.of_somebody")


@pytest.mark.parametrize(
    ("demand", "value", "refusal"),
    [
        ("sslmode", "verify-full", "SSL"),
        ("channel_binding", "require", "channel binding required"),
        ("require_auth", "none", "authentication method requirement"),
        ("target_session_attrs", "standby", "not in hot standby mode"),
        ("options", "-c no_such_setting=1", "no_such_setting"),
        ("no_such_parameter", "1", "syntax error in service file"),
        ("keepalives_idle", "30", ""),
        ("sslpassword", "of-a-key", ""),
    ],
)
def test_client_programs_use_the_encryption_settings_of_the_address(
    server: Database, demand: str, value: str, refusal: str
) -> None:
    """The embedded server refuses each required encryption mode with its own message."""
    url = sa.make_url(server.url).difference_update_query([demand]).update_query_dict({demand: value})
    with client_environment(Database(url.render_as_string(hide_password=False))) as environment:
        file = Path(environment["PGSERVICEFILE"])
        assert file.stat().st_mode & 0o777 == 0o600
        psql = [programs_for(18) / "psql", "-Atc", "SELECT 1"]
        ended = subprocess.run(psql, env=environment, capture_output=True, text=True, check=False)
    assert not file.exists()
    assert (refusal in ended.stderr) if refusal else (ended.stdout == "1\n"), ended.stderr
    assert "of-a-key" not in ended.stderr


def test_a_line_break_in_an_address_cannot_add_a_line_to_the_service_file(server: Database) -> None:
    url = sa.make_url(server.url).update_query_dict({"application_name": "x\nhost=192.0.2.1"})
    environment = client_environment(Database(url.render_as_string(hide_password=False)))
    with pytest.raises(DatabaseAddressInvalid, match="line break"), environment:
        pass


def test_a_large_backup_is_verified_in_little_memory(tmp_path: Path) -> None:
    file = tmp_path / "large.dump"
    content = bytes(range(256)) * 400_000
    seal = SEAL + hashlib.sha256(content).hexdigest().encode()
    file.write_bytes(content + seal)
    tracemalloc.start()
    assert is_sealed(file)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()
    for damaged in (content[1:] + seal, content + seal[:-1], content + b"x" + seal, seal[1:], b""):
        file.write_bytes(damaged)
        assert not is_sealed(file)


OTHERS = """
    CREATE SCHEMA team;
    CREATE VIEW team.studies AS SELECT study_name FROM e2i.ml_hpo_studies;
    CREATE TABLE team.notes (experiment uuid CONSTRAINT of_ours REFERENCES e2i.ml_experiments, pattern e2i.hstore_like);
    CREATE TABLE public.ml_experiments (x int)
"""


def test_a_restore_refuses_to_drop_foreign_dependent_objects(
    with_rows: Project, other_database: Database, run_cli: RunCli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "kept.dump"
    assert run_cli("db", "backup", str(file)).exit_code == 0
    other = use_database(monkeypatch, other_database)
    executed(other, "CREATE DOMAIN e2i.hstore_like AS text")
    executed(other, OTHERS)
    executed(other, "INSERT INTO team.notes (pattern) VALUES ('kept')")
    there = contents(other)
    refused = run_cli("db", "restore", str(file), "--replace")
    assert refused.exit_code == 1
    for lost in ("column team.studies.study_name", "constraint of_ours of team.notes", "column team.notes.pattern"):
        assert lost in refused.stderr
    assert "public.ml_experiments" not in refused.stderr
    assert contents(other) == there
    executed(other, "SELECT experiment, pattern FROM team.notes")


def test_a_damaged_file_restores_nothing(
    with_rows: Project, other_database: Database, run_cli: RunCli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "kept.dump"
    run_cli("db", "backup", str(file))
    whole = file.read_bytes()
    other = use_database(monkeypatch, other_database)
    before = contents(other)
    for place in (0.3, 0.6, 0.95):
        file.write_bytes(whole[: int(len(whole) * place)])
        answer = run_cli("db", "restore", str(file), "--replace")
        assert answer.exit_code == 1
        assert "cannot be read as a backup" in answer.stderr
        assert "Traceback" not in answer.output
        assert contents(other) == before


@pytest.mark.parametrize("content", [b"", b"no backup\n", b"-- PostgreSQL database dump\n"])
def test_a_file_that_is_not_a_backup_is_refused(
    project: Project, run_cli: RunCli, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "file").write_bytes(content)
    for name, words in (("file", "cannot be read as a backup"), ("nothing", "is not a file")):
        answer = run_cli("db", "restore", str(tmp_path / name), "--replace")
        assert answer.exit_code == 1
        assert words in answer.stderr


def test_a_backup_of_a_newer_version_is_refused(project: Project, run_cli: RunCli, tmp_path: Path) -> None:
    future = "INSERT INTO schema_migrations (version, name, checksum) VALUES (900, '900_future', 'x')"
    executed(project.database, future)
    backup(project.database, tmp_path / "newer.dump")
    executed(project.database, "DELETE FROM schema_migrations WHERE version = 900")
    before = contents(project.database)
    answer = run_cli("db", "restore", str(tmp_path / "newer.dump"), "--replace")
    assert answer.exit_code == 1
    assert "The backup has the migration 900_future, which this program does not know" in answer.stderr
    assert contents(project.database) == before


def test_a_backup_never_overwrites_a_file_even_concurrently(project: Project, tmp_path: Path) -> None:
    file = tmp_path / "kept.dump"

    def once(_: int) -> int | str:
        try:
            return backup(project.database, file)
        except BackupFailed as error:
            return str(error)

    with ThreadPoolExecutor(2) as both:
        ended = list(both.map(once, range(2)))
    (size,) = [one for one in ended if isinstance(one, int)]
    (refusal,) = [one for one in ended if isinstance(one, str)]
    assert "name another file" in refusal
    assert file.stat().st_size == size
    assert [path.name for path in tmp_path.iterdir() if "dump" in path.name] == ["kept.dump"]
    with pytest.raises(BackupFailed, match="exists already"):
        backup(project.database, file)
    with pytest.raises(BackupFailed, match="is not writable"):
        backup(project.database, tmp_path / "no folder" / "kept.dump")


def test_a_failed_backup_leaves_no_file_and_shows_no_password(project: Project, tmp_path: Path) -> None:
    """The role of the address cannot read every table: a partial backup would be worse than none."""
    executed(project.database, "CREATE ROLE half_reader LOGIN PASSWORD 'recognisable-secret'")
    try:
        url = sa.make_url(project.database.url).set(username="half_reader", password="recognisable-secret")
        half = Database(url.render_as_string(hide_password=False))
        with pytest.raises(BackupFailed, match="permission denied") as raised:
            backup(half, tmp_path / "kept.dump")
        half.dispose()
        assert "recognisable-secret" not in str(raised.value)
        assert [path for path in tmp_path.iterdir() if "dump" in path.name] == []
    finally:
        executed(project.database, "DROP ROLE half_reader")


def test_client_programs_older_than_the_server_are_not_used(tmp_path: Path) -> None:
    for name in ("pg_dump", "pg_restore", "psql"):
        (tmp_path / name).write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 99.1'\n")
        (tmp_path / name).chmod(0o755)
    assert programs_for(18, {"PATH": str(tmp_path)}) != tmp_path
    assert programs_for(99, {"PATH": str(tmp_path)}) == tmp_path
    with pytest.raises(PostgresUnavailable, match=r"server is PostgreSQL 100.* 18 in .*, 99 in ") as raised:
        programs_for(100, {"PATH": str(tmp_path)})
    assert "postgresql-client-100" in str(raised.value)


@pytest.mark.drill
@pytest.mark.timeout(900)
def test_a_run_after_a_restore_without_the_state_folder_repeats_no_trial(
    project: Project, empty_database: Database, tmp_path: Path
) -> None:
    """docs/how-to/backup.md guarantees this for a backup without the state folder."""
    root, file = project.settings.root, tmp_path / "kept.dump"
    (root / "experiments" / "cells.yaml").write_text(SEARCHED.replace("plain", "cells"))
    load_breast_cancer(as_frame=True).frame.to_csv(root / "cells.csv", index=False)

    def e2i(database: Database, *words: str) -> str:
        command = [sys.executable, "-m", "e2i_assets.cli.main", *words]
        environment = {**os.environ, "E2I_DATABASE_URL": database.url}
        ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=170)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    e2i(project.database, "run")
    before = contents(project.database)
    assert before["dagster.event_logs"][0] > 50
    e2i(project.database, "db", "backup", str(file))
    e2i(empty_database, "db", "restore", str(file))
    assert contents(empty_database) == before
    e2i(empty_database, "check")
    shutil.rmtree(project.settings.state)
    e2i(empty_database, "run")
    after = contents(empty_database)
    assert after["e2i.ml_hpo_trials"] == before["e2i.ml_hpo_trials"]
    assert after["optuna.trials"] == before["optuna.trials"]
    e2i(empty_database, "check")
