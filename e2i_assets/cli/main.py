"""What can be typed after `e2i`. The work is in `commands/`, imported by the command that does it: help is instant."""

import gc
from pathlib import Path
from typing import Annotated

import typer

from e2i_assets.cli import db, experiments, memory
from e2i_assets.cli.console import ignore_width_of_zero, speaking

app = typer.Typer(
    name="e2i",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="""Hyperparameter search as Dagster assets: tuned, trained and traceable models, with a memory.

    [bold]First steps[/]

      e2i experiment list         what there is to run
      e2i run                     all of it for every experiment, then a table
      e2i up                      the results in a browser, until Ctrl-C
      e2i experiment new churn    a problem of your own

    PostgreSQL comes with the package and is started when it is needed. To use a
    server of yours, set E2I_DATABASE_URL, for example to
    postgresql://user:password@host:5432/e2i
    """,
)
app.add_typer(experiments.app, name="experiment")
app.add_typer(memory.app, name="memory")
app.add_typer(db.app, name="db")


@app.command()
@speaking
def run(
    names: Annotated[list[str] | None, typer.Argument(help="Experiments to run; all when none is named.")] = None,
    parallel: Annotated[int, typer.Option(help="Experiments at a time; 0 is one for each core.", min=0)] = 0,
    json: Annotated[bool, typer.Option("--json", help="A document instead of progress and a table.")] = False,
) -> None:
    """Tune, train and check experiments: everything from the rows to the memory.

    What is done already is kept: run it again after an interruption, a changed
    file or a larger budget, and only what is missing is made. Ends with a table
    of results.

    [bold]Examples[/]

      e2i run                         every file in experiments/
      e2i run rand_visits             one of them
      e2i run --parallel 1            one after the other
      e2i run --json > results.json   for a program
    """
    from e2i_assets.cli import run as running

    running.run(names or [], parallel, json)


@app.command()
@speaking
def check(
    names: Annotated[
        list[str] | None, typer.Argument(help="Experiments; all registered ones when none is named.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="A document for each promise instead of a table.")] = False,
    junit: Annotated[Path | None, typer.Option(help="Write the same to this file as JUnit XML.")] = None,
) -> None:
    """Judge every promise on what is stored; nothing is trained or changed.

    Leaves with 0 when all hold (a warning counts as held), with 1 when one is
    broken, and with 2 when there was nothing to look at.

    [bold]Examples[/]

      e2i check                       all experiments
      e2i check rand_visits --json    one of them, for a program
      e2i check --junit checks.xml    for a build server
    """
    from e2i_assets.cli import check as checking

    checking.check(names, json, junit)


@app.command()
@speaking
def holdout(
    name: Annotated[str, typer.Argument(help="The experiment.")],
    why: Annotated[str, typer.Option(help="The reason: it is recorded, and without one nothing is opened.")] = "",
    who: Annotated[str | None, typer.Option(help="Who opens it; default E2I_WHO, else your account.")] = None,
    json: Annotated[bool, typer.Option("--json", help="A document instead of a table.")] = False,
) -> None:
    """Open the holdout: judge the stored model on the rows that nobody has seen.

    Nothing else ever looks at them. Who opened them, when, why and what came
    out is kept; rows that were seen once are not unseen a second time.

    [bold]Example[/]

      e2i holdout rand_visits --why "before the pilot in March"
    """
    from e2i_assets.cli import holdout as opening

    opening.holdout(name, why, who, json)


@app.command()
@speaking
def track(
    names: Annotated[list[str] | None, typer.Argument(help="Experiments; all when none is named.")] = None,
    catch_up: Annotated[
        bool, typer.Option("--catch-up", help="Send what MLflow missed, and close what a crash left open.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="A document instead of a table.")] = False,
) -> None:
    """Say which trainings MLflow has, and send it those that it missed.

    A model is trained and kept whether MLflow is there or not. What it did not
    take waits; sent twice is sent once. Leaves with 1 when something still waits
    after a catching up.

    [bold]Examples[/]

      e2i track
      e2i track --catch-up            after MLflow was away
    """
    from e2i_assets.cli import track as tracking

    tracking.track(names or [], catch_up, json)


@app.command()
@speaking
def report(
    name: Annotated[str, typer.Argument(help="The experiment.")],
    show: Annotated[bool, typer.Option("--open", help="Open it in the browser of this machine.")] = False,
) -> None:
    """Say where the report of an experiment's latest training is: one HTML file that needs nothing else.

    What was asked, what data, what was tried, what won, how sure it is and what
    the model may be used for. Send it to somebody who was not there, or print it.

    [bold]Examples[/]

      e2i report rand_visits
      e2i report rand_visits --open
    """
    from e2i_assets.cli import report as reporting

    reporting.report(name, show)


@app.command()
@speaking
def up(
    port: Annotated[int, typer.Option(help="Of the Dagster UI.", min=1, max=65535)] = 3000,
    mlflow_port: Annotated[int, typer.Option(help="Of MLflow.", min=1, max=65535)] = 5000,
    optuna_port: Annotated[int, typer.Option(help="Of the Optuna dashboard.", min=1, max=65535)] = 8080,
    host: Annotated[str, typer.Option(help="Address to listen on; nothing asks for a password.")] = "127.0.0.1",
) -> None:
    """Serve Dagster, MLflow and the Optuna dashboard on this machine, until Ctrl-C.

    Starts PostgreSQL when it has to, registers the experiments, prints each
    address as soon as it answers, and leaves no process behind. A port that is
    taken is replaced by the next free one.

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
    app()


if __name__ == "__main__":
    main()
