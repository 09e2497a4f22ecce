"""The table of `e2i experiment list`: the experiment files with their state, and how their models stand."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from rich import box
from rich.markup import escape
from rich.table import Table

from e2i_assets.adapters.files.experiment_files import ExperimentFolder, read_folder, strict
from e2i_assets.adapters.repositories.experiments import ExperimentRow
from e2i_assets.adapters.settings import Settings
from e2i_assets.cli.dagster_home import dagster_instance
from e2i_assets.cli.leaderboards import leaderboard_document
from e2i_assets.core.content_hash import content_hash
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.figures import figure, span
from e2i_assets.services.overview import Attention, Standing, overview
from e2i_assets.services.project import Project

_COLUMNS = (
    *("experiment\n  state\n  owner", "algorithm\n  problem type\n  source"),
    *("metric on test\n  95 % interval\n  trials", "model in use\n  since\n  checks"),
)
# A table whose least widths are more than the terminal has loses what is beyond its edge, without a sign.
_WIDTHS = (14, 12, 12, 14)
_SHOWN = {"changed": "[yellow]changed[/]", "file gone": "[yellow]file deleted[/]"}
_COLOURS = {"failed": "red", "not evaluated": "magenta", "warning": "yellow"}


def experiment_documents(settings: Settings, project: Project | None) -> list[dict[str, Any]]:
    """Return the contents of `experiment_table` as documents for ``--json``."""
    folder, rows, standings = _read(settings, project)
    good = [
        {
            "name": name,
            "state": _word(experiment, rows.get(name)),
            "owner": experiment.owner,
            "algorithm": experiment.algorithm_text,
            "problem_type": experiment.problem_type,
            "metric": experiment.metric,
            "trials": experiment.hpo.trials if experiment.hpo.enabled else 0,
            "source": experiment.source.kind,
            **_result(standings.get(name)),
            "leaderboard": leaderboard_document(project, name) if project else None,
        }
        for name, experiment in folder.experiments.items()
    ]
    bad = [{"name": path.stem, "state": "not valid", "error": str(why)} for path, why in folder.invalid.items()]
    others = [
        {"name": name, "state": word, "owner": standings[name].owner, **_result(standings[name])}
        for name, word in _without_file(folder, rows).items()
    ]
    return [*good, *bad, *others]


def experiment_table(settings: Settings, project: Project | None) -> tuple[Table, list[Attention]]:
    """Return the table, and what needs attention. Without a project, no experiment has been registered."""
    folder, rows, standings = _read(settings, project)
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column, width in zip(_COLUMNS, _WIDTHS, strict=True):
        table.add_column(column, overflow="fold", min_width=width)
    for name, experiment in folder.experiments.items():
        table.add_row(*_cells(experiment, _word(experiment, rows.get(name)), standings.get(name)))
    for path, mistakes in folder.invalid.items():
        count = len(mistakes.violations)
        table.add_row(_lines(path.stem, f"[red]not valid: {count} mistake{'s' if count > 1 else ''}[/]"))
    for name, word in _without_file(folder, rows).items():
        one = standings[name]
        state = f"retired {one.retired_at:%Y-%m-%d}" if one.retired_at else f"{_SHOWN.get(word, word)}{_trained(one)}"
        what = _lines(one.algorithm, one.problem_type.removesuffix("_classification"))
        table.add_row(_lines(name, state, one.owner), what, *_standing_cells(one, ""))
    # That an experiment was not trained is its state, and needs no second line.
    return table, [line for one in standings.values() if one.trained_at for line in one.attention]


def attention_lines(found: Sequence[Attention]) -> Iterator[str]:
    """Yield what needs attention as lines with Rich's markup."""
    for one in found:
        since = f" (since {one.since:%Y-%m-%d})" if one.since else ""
        yield f"[bold]{one.experiment}[/]{since}: {escape(one.what)}"
        yield f"  [bold]What to do:[/] {escape(one.action)}"


def _read(
    settings: Settings, project: Project | None
) -> tuple[ExperimentFolder, dict[str, ExperimentRow], dict[str, Standing]]:
    folder = strict(read_folder(settings.experiments))
    rows = {row.experiment_name: row for row in project.experiments.list(retired_too=True)} if project else {}
    return folder, rows, {one.experiment: one for one in _standings(project, rows)} if project else {}


def _standings(project: Project, rows: Mapping[str, ExperimentRow]) -> list[Standing]:
    """Return how the experiments stand, with the checks that Dagster has evaluated if there is a model."""
    found = overview(project, {})
    if all(one.trained_at is None for one in found):
        return found
    # Dagster takes a second to import.
    from e2i_assets.defs.check_results import check_results
    from e2i_assets.defs.namespace import namespace_of

    components = [name for name, row in rows.items() if row.upstream is not None]
    with dagster_instance(project.settings) as instance:
        return overview(project, check_results(instance, namespace_of(project.settings), components))


def _without_file(folder: ExperimentFolder, rows: Mapping[str, ExperimentRow]) -> dict[str, str]:
    """Return the state of each registered experiment without a file, the active ones first."""
    names = rows.keys() - folder.experiments.keys() - {path.stem for path in folder.invalid}
    found = {name: _state_without_file(rows[name]) for name in sorted(names)}
    return dict(sorted(found.items(), key=lambda item: item[1] == "retired"))


def _state_without_file(row: ExperimentRow) -> str:
    if not row.is_active:
        return "retired"
    return "file gone" if row.upstream is None else "component"


def _cells(experiment: Experiment, word: str, standing: Standing | None) -> tuple[str, ...]:
    hpo, source = experiment.hpo, experiment.source
    where = source.sql.url_env if source.sql else Path(source.place).name
    state = "new: not registered" if word == "new" else f"{_SHOWN.get(word, word)}{_trained(standing)}"
    trials = f"{hpo.trials} trials" if hpo.enabled else "no search"
    kind = experiment.problem_type.removesuffix("_classification")
    return (
        _lines(experiment.name, state, experiment.owner),
        _lines(
            _algorithm(experiment, standing),
            kind,
            f"{source.kind} {where}",
        ),
        *(_standing_cells(standing, trials) if standing else (_lines(experiment.metric, "", trials), "")),
    )


def _algorithm(experiment: Experiment, standing: Standing | None) -> str:
    """Return the algorithm; of several, that of the model with their number, or all before there is one."""
    count = len(experiment.contenders)
    if count == 1 or standing is None or standing.trained_at is None:
        return experiment.algorithm_text
    return f"{standing.algorithm} (of {count})"


def _standing_cells(one: Standing, trials: str) -> tuple[str, str]:
    """Return the cells of the metric and of the model in use."""
    value = one.metric if one.value is None else f"{one.metric} {figure(one.value)}"
    interval = span(one.low, one.high)
    if one.trained_at is None or one.retired_at is not None:
        return _lines(value, interval, trials), ""
    version, since = (f"version {one.version}", f"since {one.since:%Y-%m-%d}") if one.since else ("none", "")
    worst = one.not_passed[0].word if one.not_passed else None
    checks = f"[{_COLOURS[worst]}]{one.checks_text}[/]" if worst else one.checks_text
    return _lines(value, interval, trials), _lines(version, since, checks)


def _lines(first: str, *others: str) -> str:
    return "\n  ".join([f"[bold]{first}[/]", *others])


def _word(experiment: Experiment, row: ExperimentRow | None) -> Literal["new", "changed", "registered"]:
    if row is None or not row.is_active:
        return "new"
    return "changed" if row.spec_hash != content_hash(experiment.model_dump(mode="json")) else "registered"


def _trained(one: Standing | None) -> str:
    return ", not trained" if one is None or one.trained_at is None else ", trained"


def _result(one: Standing | None) -> dict[str, Any]:
    """Return the model and the checks of an experiment as the part of a document."""
    moments: dict[str, datetime | None] = {
        "trained_at": one.trained_at if one else None,
        "in_use_since": one.since if one else None,
        "retired_at": one.retired_at if one else None,
    }
    return {
        "test_metric": one.metric if one else None,
        "test_value": one.value if one else None,
        "test_interval": [one.low, one.high] if one and one.low is not None else None,
        "model_in_use": one.version if one else None,
        **moments,
        "needs_attention": [
            {"what": line.what, "since": line.since, "what_to_do": line.action}
            for line in (one.attention if one else ())
        ],
        "checks": None if one is None or not one.checks else _counts(one),
    }


def _counts(one: Standing) -> dict[str, Any]:
    def named(word: str) -> list[str]:
        return [check.name for check in one.checks if check.word == word]

    return {
        "passed": len(named("passed")),
        **{word.replace(" ", "_"): named(word) for word in ("warning", "failed", "not evaluated")},
    }
