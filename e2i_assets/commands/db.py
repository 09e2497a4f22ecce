"""`e2i db`: the one PostgreSQL database: its address, its tables, and a way in."""

import os
import shlex
import signal
import subprocess
import threading
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from e2i_assets.commands.console import document, err, for_a_program, out, speaking

if TYPE_CHECKING:
    from e2i_assets.adapters.postgres.database import Database

# How psql is told what an address may say after its question mark.
_VARIABLES = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "options": "PGOPTIONS",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "application_name": "PGAPPNAME",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
}

app = typer.Typer(no_args_is_help=True, help="The PostgreSQL database: its address, its tables, and a way in.")


@app.command()
@speaking
def url(
    export: Annotated[bool, typer.Option("--export", help="As a line for the shell to evaluate.")] = False,
    owner: Annotated[
        Literal["e2i", "dagster", "optuna", "mlflow"] | None,
        typer.Option(help="The address at which this owner finds its own schema."),
    ] = None,
) -> None:
    """Print the address of the database, with its password.

    Its tables are prepared. The embedded server runs only while something uses
    it: e2i run, e2i up, or e2i db serve in another terminal.

    [bold]Examples[/]

      eval "$(e2i db url --export)"      for dagster dev, dg launch and others
      psql "$(e2i db url)"
      optuna studies --storage "$(e2i db url --owner optuna)"
    """
    from e2i_assets.adapters.settings import DATABASE_URL

    database, embedded = _prepared()
    # psql reads the plain spelling; the libraries need the one that names the driver.
    address = database.url_for(owner) if owner else database.url if export else database.libpq_url
    typer.echo(f"export {DATABASE_URL}={shlex.quote(address)}" if export else address)
    if embedded:
        err.print("The embedded server runs only while something uses it: `e2i db serve` keeps it up.", style="dim")


@app.command()
@speaking
def serve() -> None:
    """Keep the embedded server up, with its tables prepared, until Ctrl-C."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    database, embedded = _prepared()
    if not embedded:
        out.print(f"E2I_DATABASE_URL names a server of yours, {database.redacted}: there is nothing to keep up.")
        return
    out.print(f"[green]PostgreSQL[/] {database.redacted} until Ctrl-C. In another terminal:", highlight=False)
    out.print('  eval "$(e2i db url --export)"', highlight=False)
    stop.wait()


@app.command()
@speaking
def migrate(json: Annotated[bool, typer.Option("--json", help="A document instead of sentences.")] = False) -> None:
    """Create the tables, or bring them up to date; without anything to do it only looks."""
    from e2i_assets.adapters.postgres import server
    from e2i_assets.adapters.preparation import prepare
    from e2i_assets.commands.project import settings

    found = settings()
    database = server.database(found)
    with for_a_program(json), out.status("Preparing the tables (the first time takes half a minute) ..."):
        report = prepare(database, found.sql)
    if json:
        document({"applied": list(report.applied), "prepared": list(report.prepared)})
        return
    for name in report.applied:
        out.print(f"applied [green]{name}[/]", highlight=False)
    for owner in report.prepared:
        out.print(f"prepared the tables of [green]{owner}[/]", highlight=False)
    if not report.changed:
        out.print("Everything is up to date.")


@app.command(context_settings={"ignore_unknown_options": True})
@speaking
def psql(
    arguments: Annotated[list[str] | None, typer.Argument(help="For psql; put -- before them.")] = None,
) -> None:
    """Open psql on the database.

    [bold]Examples[/]

      e2i db psql
      e2i db psql -- -c "SELECT study_name, best_value FROM ml_hpo_studies"
    """
    from e2i_assets.adapters.postgres.binaries import client_program

    database, _ = _prepared()
    program = client_program("psql")
    # While psql runs, Ctrl-C is for it: it cancels a query and stays.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    environment = {**os.environ, **_libpq_environment(database)}
    ended = subprocess.run([program, *(arguments or [])], env=environment, check=False)
    raise typer.Exit(ended.returncode)


def _prepared() -> tuple["Database", bool]:
    """Return the database with its tables there, and whether it is the embedded one."""
    from e2i_assets.commands.project import settings, workspace

    embedded = settings().database_url is None
    return workspace().database, embedded


def _libpq_environment(database: "Database") -> dict[str, str]:
    """Return the address as the variables that psql reads: arguments, unlike these, are visible to everybody."""
    import sqlalchemy as sa

    parsed = sa.make_url(database.url_for("e2i"))
    values = {
        "PGHOST": parsed.host,
        "PGPORT": parsed.port,
        "PGUSER": parsed.username,
        "PGPASSWORD": parsed.password,
        "PGDATABASE": parsed.database,
        **{_VARIABLES[key]: value for key, value in parsed.query.items() if key in _VARIABLES},
    }
    return {name: str(value) for name, value in values.items() if value is not None}
