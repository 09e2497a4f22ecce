"""`e2i experiment new`: it looks at the rows, asks on a terminal only, and leaves nothing that trains unfinished."""

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from e2i_assets.adapters.files.experiment_files import read_experiment
from e2i_assets.services.automation.new_experiments import ExperimentScanner
from e2i_assets.services.project import Project

RunCli = Callable[..., Result]


def rows(root: Path, encoding: str = "utf-8", above: str = "") -> None:
    """Write visits of patients: each has three; the weights have a decimal comma."""
    random = np.random.default_rng(1)
    age, weight = random.integers(20, 80, 300), random.normal(70, 12, 300)
    back = np.where(age + weight / 2 + random.normal(0, 9, 300) > 80, "ja", "nein")
    cells = [
        f"{number};P{number // 3:03};{age[number]};{weight[number]:.1f}".replace(".", ",")
        + f";{('Köln', 'Graz', 'Linz')[number % 3]};{back[number]}\n"
        for number in range(300)
    ]
    text = "Besuch Nr;Patient;Alter;Gewicht;Ort;Wieder da\n" + "".join(cells)
    (root / "data").mkdir(exist_ok=True)
    (root / "data" / "visits.csv").write_bytes((above + text).encode(encoding))


def test_new_looks_at_the_file_and_writes_one_that_validates(run_cli: RunCli, root: Path) -> None:
    rows(root, "cp1252", "Besuche;;;;;\n")
    answer = run_cli("experiment", "new", "visits", "--csv", "data/visits.csv", "--owner", "team:wards")
    assert answer.exit_code == 0, answer.output
    for words in ("300 rows", "Gewicht", "number", "P000", "Target: Wieder da, a binary classification"):
        assert words in answer.stdout
    experiment = read_experiment(root / "experiments" / "visits.yaml")
    assert experiment.source.csv is not None
    assert experiment.source.csv.options == {"delimiter": ";", "encoding": "cp1252", "skip_rows": 1}
    assert (experiment.target.column, experiment.positive_label) == ("Wieder da", "ja")
    assert (experiment.columns.id, experiment.columns.group) == (("Besuch Nr",), "Patient")
    assert experiment.description == "Predicts Wieder da from data/visits.csv."
    assert "check that Köln is spelt correctly" in (root / "experiments" / "visits.yaml").read_text()
    again = run_cli("experiment", "validate", "visits", "--data")
    assert (again.exit_code, again.stderr) == (0, "")


def test_the_target_and_the_problem_type_can_be_given(run_cli: RunCli, root: Path) -> None:
    rows(root)
    words = ("--target", "Ort", "--problem", "multiclass_classification", "--algorithm", "LightGBM")
    answer = run_cli("experiment", "new", "visits", "--csv", "data/visits.csv", *words)
    assert answer.exit_code == 0, answer.output
    experiment = read_experiment(root / "experiments" / "visits.yaml")
    assert (experiment.target.column, experiment.metric, experiment.algorithm) == ("Ort", "f1_weighted", "LightGBM")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--target", "Ot"), "'Ot' is not a column; did you mean 'Ort'"),
        (("--problem", "regression", "--target", "Ort"), "a regression needs numbers"),
        (("--algorithm", "Ridge"), "the problem types of Ridge"),
    ],
)
def test_a_target_that_does_not_fit_is_refused(
    run_cli: RunCli, root: Path, words: tuple[str, ...], message: str
) -> None:
    rows(root)
    answer = run_cli("experiment", "new", "visits", "--csv", "data/visits.csv", *words)
    assert message in answer.stderr


def test_a_file_that_cannot_be_read_is_refused_and_nothing_is_written(run_cli: RunCli, root: Path) -> None:
    rows(root)
    (root / "data" / "visits.csv").write_text("a,b,c\n1,2\n3,4\n")
    answer = run_cli("experiment", "new", "visits", "--csv", "data/visits.csv")
    assert answer.exit_code == 1
    assert "line 2 has 2 (1 | 2)" in answer.stderr
    assert not list((root / "experiments").iterdir())


def test_a_file_with_blanks_is_trained_by_nothing(run_cli: RunCli, root: Path, project: Project) -> None:
    assert run_cli("experiment", "new", "visits").exit_code == 0
    blanks = [
        "source: nothing is filled in yet",
        "target: nothing is filled in yet",
        "problem_type: nothing is filled in",
    ]
    for command in (["experiment", "validate"], ["run"], ["run", "visits"]):
        answer = run_cli(*command)
        assert answer.exit_code == 1
        for blank in blanks:
            assert blank in answer.stderr
    seen = ExperimentScanner().scan(project)
    assert (seen.active, seen.requests, [*seen.invalid]) == ([], [], ["visits.yaml"])
    assert project.experiments.list() == []
    assert run_cli("experiment", "new", "again", "--run").exit_code == 1


def test_on_a_terminal_it_asks_for_the_target(root: Path) -> None:
    rows(root)
    outer, inner = pty.openpty()
    command = [sys.executable, "-m", "e2i_assets.cli.main", "experiment", "new", "visits", "--csv", "data/visits.csv"]
    process = subprocess.Popen(command, stdin=inner, stdout=inner, stderr=inner, env={**os.environ})
    os.close(inner)
    shown = b""
    while b"[Wieder da]:" not in shown:
        shown += os.read(outer, 4096)
    os.write(outer, b"Alter\n")
    assert process.wait(60) == 0
    os.close(outer)
    experiment = read_experiment(root / "experiments" / "visits.yaml")
    assert (experiment.target.column, experiment.problem_type) == ("Alter", "regression")


@pytest.mark.processes
@pytest.mark.usefixtures("project")
def test_one_command_leads_from_a_file_to_a_report(root: Path) -> None:
    rows(root)
    words = ("experiment", "new", "visits", "--csv", "data/visits.csv", "--algorithm", "LogisticRegression", "--run")
    command = [sys.executable, "-m", "e2i_assets.cli.main", *words]
    answer = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    report = next((root / ".e2i" / "reports").rglob("report.html"))
    text = report.read_text().replace(' class="figure"', "")
    assert "Predicts Wieder da from data/visits.csv." in text
    assert "No description" not in text
    assert "<td>Patient</td><td>text</td><td>0</td><td>100</td><td></td><td>A999</td><td>group</td>" in text
