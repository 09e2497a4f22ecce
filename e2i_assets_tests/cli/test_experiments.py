"""`e2i experiment`: new files, the validation of files, and the state of experiments."""

import io
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from rich.console import Console

from e2i_assets.adapters.files.experiment_files import read_experiment
from e2i_assets.cli.experiment_list import experiment_table
from e2i_assets.core.experiments.schema import json_schema_text
from e2i_assets.services.project import Project
from e2i_assets.services.register import registered

RunCli = Callable[..., Result]
Written = Callable[..., Path]


def test_new_writes_a_valid_file_with_the_given_options(run_cli: RunCli, root: Path) -> None:
    words = (
        "--csv",
        "data/my rows.csv",
        "--target",
        "left early",
        "--algorithm",
        "LightGBM",
        "--problem",
        "regression",
    )
    answer = run_cli("experiment", "new", "churn", *words)
    assert answer.exit_code == 0
    assert "e2i run churn" in answer.stdout
    experiment = read_experiment(root / "experiments" / "churn.yaml")
    assert (experiment.source.place, experiment.target.column) == ("data/my rows.csv", "left early")
    assert (experiment.algorithm, experiment.problem_type) == ("LightGBM", "regression")
    assert run_cli("experiment", "validate", "churn").exit_code == 0


def test_new_never_overwrites(run_cli: RunCli, root: Path) -> None:
    assert run_cli("experiment", "new", "churn").exit_code == 0
    path = root / "experiments" / "churn.yaml"
    path.write_text("mine")
    answer = run_cli("experiment", "new", "churn")
    assert answer.exit_code == 1
    assert "experiments/churn.yaml exists already" in answer.stderr
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("Churn-1",), "must consist of lower-case letters"),
        (("../churn",), "must consist of lower-case letters"),
        (("churn", "--algorithm", "XGBost"), "did you mean 'XGBoost'?"),
        (("churn", "--algorithm", "Ridge", "--problem", "binary_classification"), "the problem types of Ridge"),
        (("churn", "--csv", "/etc/rows.csv"), "source.csv"),
        (("churn", "--csv", "a.csv", "--parquet", "a.parquet"), "not both"),
        (("churn", "--owner", "somebody"), "must be a team"),
    ],
)
def test_new_with_invalid_options_writes_nothing(
    run_cli: RunCli, root: Path, words: tuple[str, ...], message: str
) -> None:
    answer = run_cli("experiment", "new", *words)
    assert answer.exit_code == 1
    assert message in answer.stderr
    assert list((root / "experiments").rglob("*.yaml")) == []


def test_validate_reports_valid_files_and_every_error_of_invalid_ones(run_cli: RunCli, written: Written) -> None:
    written("good")
    bad = written("bad")
    bad.write_text(bad.read_text().replace("XGBoost", "XGBost") + "metric: rmse\nhpo: {trials: 0}\n")
    answer = run_cli("experiment", "validate")
    assert answer.exit_code == 1
    assert answer.stdout == "ok good\n"
    for mistake in ("did you mean 'XGBoost'?", "metric: 'rmse'", "hpo.trials: 0 must be at least 1"):
        assert mistake in answer.stderr


@pytest.mark.parametrize(("text", "message"), [("a: [", "bad.yaml"), ("just words", "bad.yaml"), ("- a\n", "bad.yaml")])
def test_a_file_that_is_not_an_experiment_is_an_error_that_names_it(
    run_cli: RunCli, written: Written, text: str, message: str
) -> None:
    written("bad", text)
    answer = run_cli("experiment", "validate")
    assert answer.exit_code == 1
    assert message in answer.stderr


def test_validate_accepts_names_and_paths(run_cli: RunCli, written: Written, tmp_path: Path) -> None:
    written("churn")
    draft = tmp_path / "draft.yaml"
    draft.write_text("name: draft\n")
    answer = run_cli("experiment", "validate", "churn", str(draft), "chrun")
    assert answer.exit_code == 1
    assert answer.stdout == "ok churn\n"
    assert "source: nothing is missing: this key is required" in answer.stderr
    assert "there is no experiment 'chrun'; did you mean 'churn'?" in answer.stderr


def test_validate_checks_the_rows_with_data(run_cli: RunCli, written: Written, root: Path) -> None:
    written("churn")
    assert run_cli("experiment", "validate").exit_code == 0
    missing = run_cli("experiment", "validate", "--data")
    assert missing.exit_code == 1
    assert "data/rows.csv" in missing.stderr
    (root / "data").mkdir()
    (root / "data" / "rows.csv").write_text("age,went\n1,0\n2,1\n")
    wrong = run_cli("experiment", "validate", "--data")
    assert wrong.exit_code == 1
    assert "'left'" in wrong.stderr


def test_validate_names_the_columns_that_are_not_features(run_cli: RunCli, written: Written, root: Path) -> None:
    """Without the message a user would miss these columns only in the feature importances."""
    written("churn")
    (root / "data").mkdir()
    rows = "".join(f"{one / 7:.2f},a remark about the visit of person {one},{one % 2}\n" for one in range(400))
    (root / "data" / "rows.csv").write_text(f"age,remark,left\n{rows}")
    answer = run_cli("experiment", "validate", "--data")
    assert "remark is not used as a feature, free text: 400 distinct values in 400 rows" in answer.output


def test_list_works_without_a_database(run_cli: RunCli, written: Written, root: Path) -> None:
    written("churn")
    answer = run_cli("experiment", "list")
    assert answer.exit_code == 0
    for word in ("churn", "XGBoost", "binary", "roc_auc", "100 trials", "rows.csv", "new"):
        assert word in answer.stdout
    assert not (root / ".e2i").exists()


def test_list_shows_the_state_of_each_experiment(run_cli: RunCli, written: Written, project: Project) -> None:
    for name in ("kept", "changed", "gone", "invalid", "removed"):
        written(name)
    registered(project, [])
    assert run_cli("experiment", "remove", "removed").exit_code == 0
    changed, gone, invalid = (project.settings.experiments / f"{name}.yaml" for name in ("changed", "gone", "invalid"))
    changed.write_text(changed.read_text() + "hpo: {trials: 7}\n")
    gone.unlink()
    invalid.write_text(invalid.read_text() + "metric: nothing\n")
    written("fresh")
    lines = [line.strip() for line in run_cli("experiment", "list").stdout.splitlines()]

    def state_of(name: str) -> str:
        place = next(place for place, line in enumerate(lines) if line.split()[:1] == [name])
        return lines[place + 1]

    assert state_of("kept").startswith("registered, not trained")
    assert state_of("changed").startswith("changed, not trained")
    assert "7 trials" in lines[lines.index(state_of("changed")) + 1]
    assert state_of("gone").startswith("file deleted, not trained")
    assert state_of("removed").startswith("retired 20")
    assert state_of("invalid") == "not valid: 1 mistake"
    assert state_of("fresh").startswith("new: not registered")
    assert "fresh" not in {row.experiment_name for row in project.experiments.list()}


@pytest.mark.parametrize("width", [80, 60])
def test_list_loses_nothing_in_a_narrow_terminal(finished: Project, width: int) -> None:
    """At 80 columns, the last column was cut: "46 passed, 1 warning" lost its 1."""

    def printed(columns: int) -> Counter[str]:
        console = Console(width=columns, file=io.StringIO())
        console.print(experiment_table(finished.settings, finished)[0])
        assert isinstance(console.file, io.StringIO)
        return Counter(one for one in console.file.getvalue() if one.isalnum())

    assert printed(width) == printed(200)


def test_the_schema_is_written_for_editors(run_cli: RunCli, root: Path) -> None:
    assert run_cli("experiment", "schema").exit_code == 0
    assert (root / "docs" / "experiment.schema.json").read_text() == json_schema_text()


def test_the_schema_of_the_rows_is_overwritten_only_with_force(run_cli: RunCli, root: Path) -> None:
    (root / "rows.csv").write_text("a,b,y\n" + "".join(f"{n % 7},{n * 3 % 11},{n * 5 % 13}\n" for n in range(200)))
    words = ("--csv", "rows.csv", "--target", "y", "--algorithm", "Ridge", "--problem", "regression")
    assert run_cli("experiment", "new", "sums", *words).exit_code == 0
    path = root / "experiments" / "schemas" / "sums.yaml"
    answer = run_cli("experiment", "schema", "sums")
    assert (answer.exit_code, answer.stdout) == (0, "Wrote experiments/schemas/sums.yaml: enforced from now on.\n")
    path.write_text(path.read_text().replace("less_than_or_equal_to: 20.0", "less_than_or_equal_to: 5.0"))
    assert run_cli("experiment", "validate", "sums", "--data").exit_code == 1
    assert "a breaks" not in run_cli("experiment", "validate", "sums", "--data").stderr
    assert "b breaks less_than_or_equal_to(5.0) in " in run_cli("experiment", "validate", "sums", "--data").stderr
    again = run_cli("experiment", "schema", "sums")
    assert (again.exit_code, "edit it or add --force" in again.stderr) == (1, True)
    assert run_cli("experiment", "schema", "sums", "--force").exit_code == 0
    assert run_cli("experiment", "validate", "sums", "--data").exit_code == 0
