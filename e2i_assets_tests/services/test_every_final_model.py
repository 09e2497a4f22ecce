"""The contract and its checks hold for each algorithm with each final model; `test_final_folds` is the short form."""

from pathlib import Path
from typing import get_args

import pandas as pd
import pytest
from finished_project import made
from sklearn.datasets import load_breast_cancer

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.settings import Settings
from e2i_assets.core.algorithms import registry
from e2i_assets.core.contracts.contract import TrainingOutput
from e2i_assets.core.experiments.experiment import FinalModel
from e2i_assets.core.metrics import ProblemType
from e2i_assets.services.checks.catalogue import CHECKS
from e2i_assets.services.checks.check import evaluated
from e2i_assets.services.project import Project

# A trial of Lasso on related columns may not converge.
pytestmark = [pytest.mark.drill, pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")]

# The target of each problem type, and the columns that contain it.
TARGETS: dict[ProblemType, tuple[str, str]] = {
    "binary_classification": ("target", "size"),
    "multiclass_classification": ("size", "mean area, worst area, area error, target"),
    "regression": ("mean radius", "mean area, mean perimeter, size, target"),
}
KINDS = [(name, kind) for name in registry.installed() for kind in registry.algorithm(name).problem_types]
TEXT = """
name: plain
owner: team:tests
source: {{csv: cells.csv}}
target: {target}
problem_type: {kind}
algorithm: {name}
hpo: {{trials: 2, workers: 1}}
final_model: {final}
columns: {{drop: [{dropped}]}}
"""


@pytest.mark.parametrize("final", get_args(FinalModel))
@pytest.mark.parametrize(("name", "kind"), KINDS)
def test_a_training_passes_every_check_of_its_contract(
    name: str, kind: ProblemType, final: FinalModel, database: Database, tmp_path: Path
) -> None:
    project = Project(Settings(tmp_path, tmp_path / "state", database.url, pictures=False), database)
    frame = load_breast_cancer(as_frame=True).frame.head(300)
    frame = frame.assign(size=pd.qcut(frame["mean area"], 3, labels=["small", "medium", "large"]))
    target, dropped = TARGETS[kind]
    made(project, TEXT.format(target=target, kind=kind, name=name, final=final, dropped=dropped), frame)
    of = ("hpo_study", "best_hyperparameters", "trained_model")
    own = [one for one in CHECKS if one.asset in of and one.severity == "ERROR"]
    found = {one.name: evaluated(one, project, "plain") for one in own}
    assert len(own) > 5
    assert {check: verdict.why for check, verdict in found.items() if not verdict.passed} == {}
    output: TrainingOutput = project.read(TrainingOutput, "trained_model", "plain")
    assert output.trained_model.final_model == final
    assert len(output.trained_model.fold_rounds) in ((0, 5) if final == "folds" else (0,))
