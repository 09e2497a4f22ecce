"""The commands that use trained models. Each imports its implementation when it is called."""

from pathlib import Path
from typing import Annotated

import typer

from e2i_assets.cli.console import with_error_messages


@with_error_messages
def predict(
    name: Annotated[str, typer.Argument(help="The experiment.")],
    to: Annotated[Path, typer.Option("--out", help="The file of predictions: .csv or .parquet.")],
    csv: Annotated[Path | None, typer.Option(help="A CSV file with the new rows.")] = None,
    parquet: Annotated[Path | None, typer.Option(help="A Parquet file, or a folder of them.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file of predictions if it exists.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Add the top reasons of each prediction.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Score new rows with the champion of an experiment: the model in use.

    The file is read like the rows of the experiment, without the target. A
    missing column or a cell of another type is an error, and nothing is
    written; other columns are ignored, and new categories are counted.

    [bold]Examples[/]

      e2i predict rand_visits --csv new.csv --out scored.csv --explain
      e2i predict rand_visits --parquet new.parquet --out scored.parquet --force
    """
    from e2i_assets.cli import predict as predicting

    predicting.predict(name, csv, parquet, to, force, explain, json)


@with_error_messages
def compare(
    names: Annotated[list[str], typer.Argument(help="Two or more experiments; the first is the reference.")],
    metric: Annotated[str | None, typer.Option(help="The metric; by default the optimised one of the first.")] = None,
    html: Annotated[Path | None, typer.Option(help="Also write the comparison to this file, as a page.")] = None,
    user: Annotated[str | None, typer.Option(help="Name to record; by default E2I_USER or your account.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Compare the models of experiments on the same test rows.

    The metric with the paired interval of its difference, calibration, cost and
    size, segments, and the settings that differ. Refused if the test rows
    differ. The use of the test rows is recorded.

    [bold]Examples[/]

      e2i compare rand_inpatient_logistic rand_inpatient
      e2i compare rand_inpatient_logistic rand_inpatient --html compared.html
    """
    from e2i_assets.cli import compare as comparing

    comparing.compare(names, metric, html, user, json)


@with_error_messages
def holdout(
    name: Annotated[str, typer.Argument(help="The experiment.")],
    why: Annotated[str, typer.Option(help="The reason, which is recorded; required.")] = "",
    user: Annotated[str | None, typer.Option(help="Name to record; by default E2I_USER or your account.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Open the holdout: evaluate the stored model on rows that were never used.

    No other command reads these rows. User, time, reason and results of each
    access are recorded, because rows that were used once are no longer unseen.

    [bold]Example[/]

      e2i holdout rand_visits --why "before the pilot in March"
    """
    from e2i_assets.cli import holdout as opening

    opening.holdout(name, why, user, json)


@with_error_messages
def report(
    name: Annotated[str, typer.Argument(help="The experiment.")],
    show: Annotated[bool, typer.Option("--open", help="Open the report in a browser on this machine.")] = False,
) -> None:
    """Print the path of the report of an experiment's latest training, a self-contained HTML file.

    The report has the configuration, the data, the trials, the result with its
    uncertainty, and the intended use of the model. You can send or print it.

    [bold]Examples[/]

      e2i report rand_visits
      e2i report rand_visits --open
    """
    from e2i_assets.cli import report as reporting

    reporting.report(name, show)
