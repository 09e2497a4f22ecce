"""Every command and snippet of README and docs works: it is run if that is quick, and else only checked.

`test_tutorial` runs the snippets of the tutorial from beginning to end.
"""

import re
import shlex
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from snippets import REPOSITORY, Snippet, all_snippets, pages, snippets

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.core.algorithms.algorithm import Algorithm
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.file import parse_experiment
from e2i_assets.core.metrics import Metric

LANGUAGES = {"", "sh", "yaml", "python", "sql", "text"}
# The experiment that a fragment extends. The fragment about grow_policy needs XGBoost.
BASE = {
    "name": "fragment",
    "owner": "team:tests",
    "source": {"csv": "rows.csv"},
    "target": "target",
    "problem_type": "binary_classification",
    "algorithm": "XGBoost",
}
# Fragments of other files: their top-level keys, and the kind of file.
OTHERS = {
    frozenset({"columns", "strict"}): "a schema of rows, in pandera's format",
    frozenset({"e2i_checks"}): "a job of a build server",
}
# Other programs: those of the installation, and those of the system.
INSTALLED = {"dagster", "dask", "dg", "python", "pre-commit", "uv"}
OF_THE_SYSTEM = {"cd", "pip", "sed", "tar"}


def test_every_block_is_in_a_language_with_tests() -> None:
    assert {one.language for path in pages() for one in snippets(path)} - {"toctree"} <= LANGUAGES


@pytest.mark.parametrize("snippet", all_snippets("yaml"), ids=str)
def test_yaml_is_a_valid_experiment_or_a_part_of_one(snippet: Snippet) -> None:
    document = yaml.safe_load(snippet.text)
    if OTHERS.get(frozenset(document)):
        return
    known = {field.alias or name for name, field in Experiment.model_fields.items()}
    assert set(document) <= known, f"{snippet} is no part of an experiment file, and not one of {list(OTHERS.values())}"
    whole = document if "name" in document else {**BASE, **document}
    experiment = parse_experiment(yaml.safe_dump(whole), str(snippet))
    assert all(experiment.of(name).search_space() is not None for name in experiment.contenders)


@pytest.mark.parametrize(
    ("snippet", "line"),
    [pytest.param(one, line, id=f"{one}: {line[:60]}") for one in all_snippets("sh") for line in one.lines],
)
def test_a_command_exists(snippet: Snippet, line: str) -> None:
    words = shlex.split(line, comments=True)
    if words[0] == "export":
        (name,) = re.findall(r"^(\w+)=", words[1])
        known = [REPOSITORY / ".env.example", *(REPOSITORY / "benchmarks").glob("*.py")]
        assert any(name in path.read_text() for path in known)
    elif words[0] == "make":
        targets = re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
        assert words[1] in targets
    elif words[0] in (".venv/bin/e2i", "e2i"):
        parse_command(words[1:])
    elif words[0] == ".venv/bin/python" and words[1] == "-m":
        assert (REPOSITORY / f"{words[2].replace('.', '/')}.py").is_file()
    elif words[0] == ".venv/bin/python":
        assert words[1] in {one.file for one in all_snippets("python")} | {
            str(path.relative_to(REPOSITORY)) for path in REPOSITORY.glob("scripts/*.py")
        }
    else:
        program = words[0].removeprefix(".venv/bin/")
        assert program in INSTALLED or words[0] in OF_THE_SYSTEM, f"{snippet}: {line}"


def parse_command(words: list[str]) -> None:
    """Parse the words as a command line, without executing the command."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import typer

        from e2i_assets.cli.main import app
    command: Any = typer.main.get_command(app)
    rest = list(words)
    context = click.Context(command, info_name="e2i")
    while hasattr(command, "commands"):
        assert rest, f"e2i {' '.join(words)} names no command"
        name = rest.pop(0)
        assert name in command.commands, f"e2i has no command {name}"
        command = command.commands[name]
        context = click.Context(command, info_name=name, parent=context)
    command.make_context(command.name, rest, parent=context.parent)


@pytest.mark.parametrize("words", [["rum"], ["run", "--paralel", "2"], ["holdout"], ["experiment", "new"]])
def test_an_unknown_command_is_found(words: list[str]) -> None:
    with pytest.raises((AssertionError, click.UsageError)):
        parse_command(words)


@pytest.mark.parametrize("snippet", all_snippets("python"), ids=str)
def test_python_runs_and_makes_the_described_objects(snippet: Snippet, tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "experiments").mkdir()
    monkeypatch.chdir(tmp_path)
    made: dict[str, Any] = {}
    code = compile(snippet.text, str(snippet), "exec")
    if "models:/" in snippet.text:
        return  # it needs a registry with that model: test_mlflow_server loads one so
    if "e2i.open(" in snippet.text:
        return  # it needs a project with rows: test_installed runs it
    exec(code, made)
    if "ALGORITHM" in made:
        check_algorithm(made["ALGORITHM"])
    if isinstance(made.get("metric"), Metric):
        assert made["metric"].function([1.0, 2.0, 4.0], [1.0, 3.0, 8.0]) == 1.0


def check_algorithm(algorithm: Algorithm) -> None:
    for problem_type in algorithm.problem_types:
        assert algorithm.search_space(problem_type)
        estimator = algorithm.estimator({**algorithm.default_values, **algorithm.fixed_values}, problem_type)
        assert estimator.fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0]).predict([[1.0]]).shape == (1,)


@pytest.mark.parametrize("snippet", all_snippets("sql"), ids=str)
def test_sql_runs_on_the_database(snippet: Snippet, tables: Database) -> None:
    # '...' stands for an id that the reader fills in.
    text = snippet.text.replace("'...'", "gen_random_uuid()")
    with tables.connect() as connection:
        for statement in filter(str.strip, text.split(";")):
            connection.exec_driver_sql(statement)


@pytest.mark.parametrize("line", [line for one in all_snippets("sh") for line in one.lines if "psql -- -c" in line])
def test_a_query_on_the_command_line_runs_on_the_database(line: str, tables: Database) -> None:
    with tables.connect() as connection:
        connection.exec_driver_sql(shlex.split(line, comments=True)[-1])


def is_there(target: Path) -> bool:
    """Whether a file is there; the results of a benchmark that there is may come with a later commit than the page."""
    made_by = REPOSITORY / "benchmarks" / f"{target.stem}.py"
    return target.exists() or (target.parent.name == "results" and made_by.exists())


def links(path: Path) -> Mapping[str, Path]:
    found = re.findall(r"\]\(([^)#\s]+)", path.read_text(encoding="utf-8"))
    return {link: (path.parent / link).resolve() for link in found if "://" not in link}


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_the_targets_of_links_exist(path: Path) -> None:
    assert [link for link, target in links(path).items() if not is_there(target)] == []


def test_pictures_are_small_enough_for_a_repository() -> None:
    sizes = {path.name: path.stat().st_size for path in (REPOSITORY / "docs" / "pictures").glob("*.png")}
    assert sizes
    assert {name: size for name, size in sizes.items() if size > 200_000} == {}
