"""The commands of `e2i`. Each imports its implementation when it is called, so that the help appears instantly."""

import gc
from pathlib import Path
from typing import Annotated

import typer

from e2i_assets.adapters.library_versions import library_version
from e2i_assets.adapters.processes.quick_exit import quick_exit
from e2i_assets.cli import db, experiments, memory, model_commands, state
from e2i_assets.cli.console import ignore_width_of_zero, with_error_messages

app = typer.Typer(
    name="e2i",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""Hyperparameter search as Dagster assets, with traceable models and a memory of past studies.

    [bold]First steps[/]

      e2i init my_project         make a project folder with a sample experiment
      e2i experiment list         list the experiments
      e2i run                     run all experiments, then print a table
      e2i up                      show the results in a browser, until Ctrl-C
      e2i experiment new churn    start your own experiment

    PostgreSQL is included and starts when it is needed. To use your own server,
    set E2I_DATABASE_URL, for example to postgresql://user:password@host:5432/e2i
    """,
)
app.add_typer(experiments.app, name="experiment")
app.add_typer(memory.app, name="memory")
app.add_typer(db.app, name="db")
app.add_typer(state.app, name="state")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"e2i_assets {library_version('e2i_assets')}")
        raise typer.Exit


@app.callback()
def options(
    _: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


@app.command()
@with_error_messages
def init(folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="The folder to make.")] = Path()) -> None:
    """Make a project folder: a sample experiment, and the settings as comments.

    A project is any folder with experiments/. The commands work in it and in
    its subfolders; E2I_HOME names another one. No file is overwritten.

    [bold]Examples[/]

      e2i init                        in this folder
      e2i init churn_models
    """
    from e2i_assets.cli import init as making

    making.init(folder)


@app.command()
@with_error_messages
def run(
    names: Annotated[list[str] | None, typer.Argument(help="Experiments to run; by default all.")] = None,
    parallel: Annotated[int, typer.Option(help="Number of concurrent experiments; 0 for one per core.", min=0)] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of progress and a table.")] = False,
) -> None:
    """Tune, train and check experiments: all assets, from the rows to the memory.

    Finished work is not repeated: after an interruption, a changed file or a
    larger budget, run it again and only the missing parts are computed. Ends
    with a table of results.

    [bold]Examples[/]

      e2i run                         every file in experiments/
      e2i run rand_visits             one experiment
      e2i run --parallel 1            one after the other
      e2i run --json > results.json   JSON for a program
    """
    from e2i_assets.cli import run as running

    running.run(names or [], parallel, json)


@app.command()
@with_error_messages
def check(
    names: Annotated[list[str] | None, typer.Argument(help="Experiments; by default all registered ones.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    junit: Annotated[Path | None, typer.Option(help="Also write the results to this file as JUnit XML.")] = None,
) -> None:
    """Evaluate all checks on the stored values; nothing is trained or changed.

    Exit status 0: all checks passed (warnings count as passed). 1: a check
    failed. 2: a check was not evaluated, or there is nothing to evaluate.

    [bold]Examples[/]

      e2i check                       all experiments
      e2i check rand_visits --json    one experiment, as JSON
      e2i check --junit checks.xml    JUnit XML for a CI server
    """
    from e2i_assets.cli import check as checking

    checking.check(names, json, junit)


for command in (model_commands.predict, model_commands.compare, model_commands.holdout, model_commands.report):
    app.command()(command)


@app.command()
@with_error_messages
def track(
    names: Annotated[list[str] | None, typer.Argument(help="Experiments; by default all.")] = None,
    catch_up: Annotated[
        bool, typer.Option("--catch-up", help="Send what MLflow missed, and close runs that a crash left open.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Show which trainings are in MLflow, and send those that it missed.

    Models are trained and stored also when MLflow is unavailable. Trainings
    that are not in MLflow wait; sending one twice has no effect. With
    --catch-up, the exit status is 1 if a training still waits.

    [bold]Examples[/]

      e2i track
      e2i track --catch-up            after MLflow was unavailable
    """
    from e2i_assets.cli import track as tracking

    tracking.track(names or [], catch_up, json)


@app.command()
@with_error_messages
def doctor(json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False) -> None:
    """Look for what is wrong with this installation, and say what to do. Nothing is changed.

    Packages, experiment files, disk, database (tables, role, connections,
    pgvector), MLflow, Dagster's daemon and runs. Exit status 1: an error.
    """
    from e2i_assets.cli import doctor as looking

    looking.doctor(json)


@app.command()
@with_error_messages
def up(
    port: Annotated[int, typer.Option(help="Port of the Dagster UI.", min=1, max=65535)] = 3000,
    mlflow_port: Annotated[int, typer.Option(help="Port of MLflow.", min=1, max=65535)] = 5000,
    optuna_port: Annotated[int, typer.Option(help="Port of the Optuna dashboard.", min=1, max=65535)] = 8080,
    host: Annotated[str, typer.Option(help="Address to listen on. There is no password.")] = "127.0.0.1",
) -> None:
    """Serve Dagster, MLflow and the Optuna dashboard on this machine, until Ctrl-C.

    Starts PostgreSQL if needed, registers the experiments, prints each address
    when it answers, and stops all processes at the end. If a port is in use,
    the next free port is used.

    [bold]Examples[/]

      e2i up
      e2i up --port 3100 --mlflow-port 5100
    """
    from e2i_assets.cli.up import serve

    raise typer.Exit(serve(host, port, mlflow_port, optuna_port))


def main() -> None:
    """Run the command line."""
    ignore_width_of_zero()
    # Most of a command's time are imports, and a fifth of that was Python's search for garbage in them.
    gc.set_threshold(50_000)
    try:
        app()
    except SystemExit as ended:
        quick_exit(ended.code)


if __name__ == "__main__":
    main()
