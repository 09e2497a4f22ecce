"""The command line as a whole: fast help with examples, one message for an error, and exit codes."""

import subprocess
import sys
from collections.abc import Callable

import pytest
import sqlalchemy as sa
import typer
from click.testing import Result

from e2i_assets.cli.console import err, with_error_messages
from e2i_assets.core.errors import E2iError
from e2i_assets.services.project import Project

RunCli = Callable[..., Result]
HEAVY = ("dagster", "mlflow", "numpy", "optuna", "pandas", "pydantic", "sklearn", "sqlalchemy")


def test_help_imports_no_slow_library() -> None:
    code = "import sys, e2i_assets.cli.main; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not set(loaded) & set(HEAVY)


@pytest.mark.parametrize(
    "words",
    [
        (),
        *(("run",), ("check",), ("track",), ("up",)),
        *(("experiment", "new"), ("experiment", "validate")),
        *(("db", "url"), ("db", "psql")),
    ],
)
def test_help_shows_an_example(run_cli: RunCli, words: tuple[str, ...]) -> None:
    answer = run_cli(*words, "--help")
    assert answer.exit_code == 0
    assert f"e2i {' '.join(words)}".strip() in answer.stdout.partition("Examples")[2] or not words


@pytest.mark.parametrize("words", [(), ("db",), ("experiment",)])
def test_a_group_without_a_command_lists_its_commands(run_cli: RunCli, words: tuple[str, ...]) -> None:
    answer = run_cli(*words)
    assert "Commands" in answer.stdout + answer.stderr


@pytest.mark.parametrize("words", [("nothing",), ("run", "--parallel", "many"), ("up", "--port", "0"), ("db", "what")])
def test_a_usage_error_exits_with_2(run_cli: RunCli, words: tuple[str, ...]) -> None:
    assert run_cli(*words).exit_code == 2


def test_error_is_one_message_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    @with_error_messages
    def command() -> None:
        raise E2iError("column [b]age[/b] is missing")

    with pytest.raises(typer.Exit) as leaving:
        command()
    assert leaving.value.exit_code == 1
    assert capsys.readouterr().err == "Error: column [b]age[/b] is missing\n"


def test_a_lost_database_is_one_message_that_says_what_to_do(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killed PostgreSQL showed the user a traceback before."""
    address = "postgresql+psycopg2://ada:hidden@127.0.0.1:9/e2i"
    monkeypatch.setenv("E2I_DATABASE_URL", address)

    @with_error_messages
    def command() -> None:
        sa.create_engine(address).connect()

    with pytest.raises(typer.Exit) as leaving:
        command()
    output = capsys.readouterr().err
    assert leaving.value.exit_code == 1
    assert output.startswith("Error: the database failed: ")
    assert "Connection refused" in output
    assert "run the same command again" in output
    assert "hidden" not in output


def test_an_interruption_exits_with_130_and_says_that_nothing_is_lost(capsys: pytest.CaptureFixture[str]) -> None:
    @with_error_messages
    def command() -> None:
        raise KeyboardInterrupt

    with pytest.raises(typer.Exit) as leaving:
        command()
    assert leaving.value.exit_code == 130
    assert "Finished work is saved" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("run",), ("up",), ("db", "migrate"), ("db", "url"), ("experiment", "list")])
def test_an_unreachable_database_is_one_message_without_the_password(
    run_cli: RunCli, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.setenv("E2I_DATABASE_URL", "postgresql://me:secret@127.0.0.1:1/e2i")
    answer = run_cli(*words)
    assert answer.exit_code == 1
    assert answer.stderr == "Error: No database answers at postgresql://me:***@127.0.0.1:1/e2i. " + (
        "Start it, or correct the host and the port.\n"
    )
    assert answer.stdout == ""


def test_a_wrong_password_is_one_message_without_the_password(
    run_cli: RunCli, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = sa.make_url(project.database.url).set(password="not-this-one")
    monkeypatch.setenv("E2I_DATABASE_URL", wrong.render_as_string(hide_password=False))
    answer = run_cli("run")
    assert answer.exit_code == 1
    assert 'The database refused the password of user "e2i"' in answer.stderr
    assert "not-this-one" not in answer.stderr + answer.stdout


def test_a_folder_that_is_not_a_project_is_an_error_that_names_it(
    run_cli: RunCli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("E2I_HOME", "/proc")
    answer = run_cli("run")
    assert answer.exit_code == 1
    assert "/proc is not a project folder" in answer.stderr


def test_errors_go_to_standard_error() -> None:
    assert err.stderr
