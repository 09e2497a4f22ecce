"""`e2i experiment`: a new file, what is wrong with files, and what became of them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from e2i_assets.adapters.files.experiment_files import read_experiment
from e2i_assets.core.experiments.schema import json_schema_text
from e2i_assets.services.project import Project
from e2i_assets.services.register import registered

Said = Callable[..., Result]
Written = Callable[..., Path]


def test_new_file_holds_what_was_asked_for_and_is_valid(said: Said, root: Path) -> None:
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
    answer = said("experiment", "new", "churn", *words)
    assert answer.exit_code == 0
    assert "e2i run churn" in answer.stdout
    experiment = read_experiment(root / "experiments" / "churn.yaml")
    assert (experiment.source.place, experiment.target.column) == ("data/my rows.csv", "left early")
    assert (experiment.algorithm, experiment.problem_type) == ("LightGBM", "regression")
    assert said("experiment", "validate", "churn").exit_code == 0


def test_new_never_overwrites(said: Said, root: Path) -> None:
    assert said("experiment", "new", "churn").exit_code == 0
    path = root / "experiments" / "churn.yaml"
    path.write_text("mine")
    answer = said("experiment", "new", "churn")
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
def test_new_that_would_not_be_valid_writes_nothing(
    said: Said, root: Path, words: tuple[str, ...], message: str
) -> None:
    answer = said("experiment", "new", *words)
    assert answer.exit_code == 1
    assert message in answer.stderr
    assert list((root / "experiments").rglob("*.yaml")) == []


def test_validate_says_ok_of_the_good_and_everything_of_the_bad(said: Said, written: Written) -> None:
    written("good")
    bad = written("bad")
    bad.write_text(bad.read_text().replace("XGBoost", "XGBost") + "metric: rmse\nhpo: {trials: 0}\n")
    answer = said("experiment", "validate")
    assert answer.exit_code == 1
    assert answer.stdout == "ok good\n"
    for mistake in ("did you mean 'XGBoost'?", "metric: 'rmse'", "hpo.trials: 0 must be at least 1"):
        assert mistake in answer.stderr


@pytest.mark.parametrize(("text", "message"), [("a: [", "bad.yaml"), ("just words", "bad.yaml"), ("- a\n", "bad.yaml")])
def test_file_that_is_no_experiment_is_named(said: Said, written: Written, text: str, message: str) -> None:
    written("bad", text)
    answer = said("experiment", "validate")
    assert answer.exit_code == 1
    assert message in answer.stderr


def test_validate_takes_names_and_files_from_anywhere(said: Said, written: Written, tmp_path: Path) -> None:
    written("churn")
    draft = tmp_path / "draft.yaml"
    draft.write_text("name: draft\n")
    answer = said("experiment", "validate", "churn", str(draft), "chrun")
    assert answer.exit_code == 1
    assert answer.stdout == "ok churn\n"
    assert "source: nothing is missing: this key is required" in answer.stderr
    assert "there is no experiment 'chrun'; did you mean 'churn'?" in answer.stderr


def test_validate_judges_the_rows_when_asked(said: Said, written: Written, root: Path) -> None:
    written("churn")
    assert said("experiment", "validate").exit_code == 0
    missing = said("experiment", "validate", "--data")
    assert missing.exit_code == 1
    assert "data/rows.csv" in missing.stderr
    (root / "data").mkdir()
    (root / "data" / "rows.csv").write_text("age,went\n1,0\n2,1\n")
    wrong = said("experiment", "validate", "--data")
    assert wrong.exit_code == 1
    assert "'left'" in wrong.stderr


def test_validate_names_the_columns_that_will_not_be_learnt_from(said: Said, written: Written, root: Path) -> None:
    """Dropped without a word, a person would look for them in the importances for a long time."""
    written("churn")
    (root / "data").mkdir()
    rows = "".join(f"{number},place {number % 60},{number % 2}\n" for number in range(400))
    (root / "data" / "rows.csv").write_text(f"age,place,left\n{rows}")
    answer = said("experiment", "validate", "--data")
    assert "place is not used as a feature, free text: 60 distinct values, and a category has up to 50" in answer.output


def test_list_needs_no_database_before_there_is_one(said: Said, written: Written, root: Path) -> None:
    written("churn")
    answer = said("experiment", "list")
    assert answer.exit_code == 0
    for word in ("churn", "XGBoost", "binary", "roc_auc", "100 trials", "rows.csv", "new"):
        assert word in answer.stdout
    assert not (root / ".e2i").exists()


def test_list_says_what_became_of_each(said: Said, written: Written, project: Project) -> None:
    for name in ("kept", "changed", "gone", "broken"):
        written(name)
    registered(project, [])
    changed, gone, broken = (project.settings.experiments / f"{name}.yaml" for name in ("changed", "gone", "broken"))
    changed.write_text(changed.read_text() + "hpo: {trials: 7}\n")
    gone.unlink()
    broken.write_text(broken.read_text() + "metric: nothing\n")
    written("fresh")
    lines = [line.strip() for line in said("experiment", "list").stdout.splitlines()]

    def state_of(name: str) -> str:
        place = next(place for place, line in enumerate(lines) if line.split()[:1] == [name])
        return lines[place + 1]

    assert state_of("kept").startswith("registered, not trained")
    assert state_of("changed").startswith("changed, not trained")
    assert "7 trials" in state_of("changed")
    assert state_of("gone") == "file deleted, not trained"
    assert state_of("broken") == "not valid: 1 mistake"
    assert state_of("fresh").startswith("new: not registered")
    assert "fresh" not in {row.experiment_name for row in project.experiments.list()}


def test_schema_is_written_where_editors_look(said: Said, root: Path) -> None:
    assert said("experiment", "schema").exit_code == 0
    assert (root / "docs" / "experiment.schema.json").read_text() == json_schema_text()


def test_the_schema_of_the_rows_is_written_once_and_anew_only_when_asked_for(said: Said, root: Path) -> None:
    (root / "rows.csv").write_text("a,b,y\n" + "".join(f"{n % 7},{n * 3 % 11},{n * 5 % 13}\n" for n in range(200)))
    words = ("--csv", "rows.csv", "--target", "y", "--algorithm", "Ridge", "--problem", "regression")
    assert said("experiment", "new", "sums", *words).exit_code == 0
    path = root / "experiments" / "schemas" / "sums.yaml"
    answer = said("experiment", "schema", "sums")
    assert (answer.exit_code, answer.stdout) == (0, "Wrote experiments/schemas/sums.yaml: enforced from now on.\n")
    path.write_text(path.read_text().replace("less_than_or_equal_to: 20.0", "less_than_or_equal_to: 5.0"))
    assert said("experiment", "validate", "sums", "--data").exit_code == 1
    assert "a breaks" not in said("experiment", "validate", "sums", "--data").stderr
    assert "b breaks less_than_or_equal_to(5.0) in " in said("experiment", "validate", "sums", "--data").stderr
    again = said("experiment", "schema", "sums")
    assert (again.exit_code, "edit it or add --force" in again.stderr) == (1, True)
    assert said("experiment", "schema", "sums", "--force").exit_code == 0
    assert said("experiment", "validate", "sums", "--data").exit_code == 0
