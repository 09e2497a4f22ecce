"""The output of `e2i run`: a table of results and the commands to inspect them."""

from collections.abc import Sequence
from typing import Any

from rich import box
from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from e2i_assets.adapters.files.asset_values import AssetMissing
from e2i_assets.adapters.repositories.results import ResultRow, result_rows
from e2i_assets.cli.console import command_name
from e2i_assets.cli.leaderboards import leaderboard_document, leaderboard_lines
from e2i_assets.core.data.split_tables import SplitFacts
from e2i_assets.core.evaluation import measures
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.metrics import metric
from e2i_assets.core.search import tuning
from e2i_assets.services.project import Project

_HEADERS = (
    *("experiment,\nalgorithm", "\nmetric", "defaults on\nvalidation", "tuned on\nvalidation", "tuned\non test"),
    "trials run /\npruned / failed",
)
# 78 columns with the gaps, to fit an unknown terminal width of 80. Longer words are folded.
_WIDTHS = (18, 11, 11, 10, 8, 15)
_NONE = "-"


def results(project: Project, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the contents of `results_table` by experiment, as documents for ``--json``."""
    experiments, found = _found(project, names)
    documents: dict[str, dict[str, Any]] = {}
    for name, row in found.items():
        default, tuned, test = _values(experiments[name], row)
        documents[name] = {
            "algorithm": row.algorithm,
            "metric": experiments[name].metric,
            "defaults_on_validation": default,
            "tuned_on_validation": tuned,
            "tuned_on_test": test,
            "trials": {"completed": row.n_completed, "pruned": row.n_pruned, "failed": row.n_failed},
            "study": row.study_name,
            "mlflow_run_id": row.mlflow_run_id,
            "leaderboard": leaderboard_document(project, name),
        }
    return documents


def results_table(project: Project, names: Sequence[str]) -> Table:
    """Return the table of the experiments' current results, with metrics in their natural orientation."""
    experiments, found = _found(project, names)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, show_lines=True)
    table.add_column(_line(_HEADERS), no_wrap=False)
    for name in names:
        table.add_row(_block(experiments[name], found.get(name), leaderboard_lines(project, experiments[name])))
    return table


def next_commands() -> str:
    """Return the commands that open the results."""
    program = command_name()
    return (
        f"\nView these results in a browser with [bold]{program} up[/] (in a checkout, make dev is the same):\n"
        "  Dagster            http://127.0.0.1:3000\n"
        "  MLflow             http://127.0.0.1:5000\n"
        "  Optuna dashboard   http://127.0.0.1:8080\n"
        f"or in SQL: [bold]{program} db psql -- -c 'SELECT * FROM training_run_links'[/]"
    )


def _found(project: Project, names: Sequence[str]) -> tuple[dict[str, Experiment], dict[str, ResultRow]]:
    experiments = {name: project.experiment(name) for name in names}
    identities = [hash for name in names if (hash := _identity(project, experiments[name]))]
    return experiments, result_rows(project.database, identities)


def _identity(project: Project, experiment: Experiment) -> str | None:
    try:
        facts: SplitFacts = project.read(SplitFacts, "validation_splits", experiment.name)
        return tuning.spec_hash(project.decided_experiment(experiment.name), facts)
    except AssetMissing:
        return None


def _block(experiment: Experiment, row: ResultRow | None, compared: Sequence[tuple[str, str]]) -> Group:
    title = Text(experiment.name, style="bold cyan")
    if row is None:
        return Group(title, Text(f"no finished training yet: e2i run {experiment.name}", style="dim"))
    trials = f"{row.n_completed} / {row.n_pruned} / {row.n_failed}"
    figures = _line((row.algorithm, experiment.metric, *map(_number, _values(experiment, row)), trials))
    return Group(title, figures, *(Padding(_link(*link), (0, 0, 0, 2)) for link in [*compared, *_links(row)]))


def _values(experiment: Experiment, row: ResultRow) -> tuple[float | None, float | None, float | None]:
    """Return the metric of the defaults and the tuned model on validation, and of the tuned model on test."""
    natural = metric(experiment.metric, experiment.problem_type).oriented
    reported = measures.measure(experiment.metric, experiment.problem_type)
    name = reported.name if reported else experiment.metric
    test = row.test_metrics.get(name)
    if row.study_name is None:  # without a search the model has the default hyperparameters
        return row.validation_metrics.get(name), None, test
    default, tuned = (None if one is None else natural(one) for one in (row.default_value, row.best_value))
    return default, tuned, test


def _links(row: ResultRow) -> list[tuple[str, str]]:
    patterns = "1 pattern" if row.patterns == 1 else f"{row.patterns} patterns"
    return [
        ("warm-started from", f"{patterns}, the most similar of {row.most_similar}" if row.patterns else _NONE),
        ("study", row.study_name or _NONE),
        ("MLflow run", row.mlflow_run_id or _NONE),
    ]


def _link(label: str, value: str) -> Text:
    return Text.assemble((f"{label} ", "dim"), value, overflow="fold")


def _line(cells: Sequence[str]) -> Table:
    line = Table.grid(padding=(0, 1, 0, 0), pad_edge=False)
    for place, width in enumerate(_WIDTHS):
        line.add_column(width=width, overflow="fold", justify="left" if place < 2 else "right")
    line.add_row(*cells)
    return line


def _number(value: float | None) -> str:
    return _NONE if value is None else f"{value:.5g}"
