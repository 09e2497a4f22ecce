"""An experiment whose state is in object storage: every asset is made where only its address is known."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from object_storage import new_bucket, object_storage, objects
from sklearn.datasets import load_breast_cancer

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.settings import from_environment
from e2i_assets.cli.check import found
from e2i_assets.services.data_gates import schema_in_force
from e2i_assets.services.project import Project
from e2i_assets.services.run_progress import CHAIN
from e2i_assets.services.write_report import latest_report

CELLS = """
name: cells
owner: team:tests
source: {csv: cells.csv}
target: {name: kind, column: target, bins: [0], labels: [malignant, benign]}
problem_type: binary_classification
algorithm: LogisticRegression
hpo: {trials: 2}
success_criteria: {roc_auc: 0.6}
"""
PROGRAM = Path(__file__).parents[1] / "support" / "assets_of_their_own.py"

# It takes a minute: in CI, the tests of the store itself run on the same server (`adapters/test_stores.py`).
pytestmark = pytest.mark.drill


def test_each_asset_is_made_in_a_process_with_an_empty_folder_and_judged_from_another(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, scratch = tmp_path / "project", tmp_path / "scratch"
    (root / "experiments").mkdir(parents=True)
    (root / "experiments" / "cells.yaml").write_text(CELLS)
    load_breast_cancer(as_frame=True).frame.to_csv(root / "cells.csv", index=False)
    with object_storage() as reached:
        for name, value in reached.items():
            monkeypatch.setenv(name, value)
        bucket = new_bucket(reached)
        ours = {"E2I_HOME": str(root), "E2I_STATE": f"s3://{bucket}/e2i", "E2I_DATABASE_URL": database.url}
        environment = {**os.environ, **ours, "E2I_CORES": "1"}
        command = [sys.executable, str(PROGRAM), "cells", str(scratch), *CHAIN]
        made = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=280)
        assert made.returncode == 0, (made.stdout + made.stderr)[-4000:]

        elsewhere = from_environment({**environment, "E2I_SCRATCH": str(tmp_path / "elsewhere")})
        project = Project(elsewhere, database)
        findings = found(project, ["cells"])
        not_passed = [(one.check_spec.name, one.check_result.why) for one in findings if one.fails]
        not_evaluated = [one for one in findings if one.check_result.outcome == "not evaluated"]
        assert (not_passed, not_evaluated) == ([], [])
        assert "<html" in latest_report(elsewhere, "cells").read_text(encoding="utf-8")

        # The step that searches has no test rows on its machine, and the state is nowhere else.
        copies = {path.name for path in (scratch / "hpo_study").rglob("*.parquet")}
        assert copies == {"train.parquet", "validation.parquet"}
        assert sorted(path.name for path in root.rglob("*")) == ["cells.csv", "cells.yaml", "experiments"]
        schema = schema_in_force(elsewhere, project.experiment("cells"))
        assert schema is not None
        assert schema[1] == f"s3://{bucket}/e2i/schemas/cells.yaml"
        stored = {key.split("/")[1] for key in objects(reached, bucket)}
        assert stored == {"assets", "models", "champions", "reports", "mlflow-artifacts", "schemas"}
        (link,) = project.training_runs.links("cells")
        prefix = f"e2i/mlflow-artifacts/e2i_cells/{link.mlflow_run_id}/artifacts/"
        logged = {key.removeprefix(prefix).partition("/")[0] for key in objects(reached, bucket) if prefix in key}
        assert {"model", "report.html"} <= logged
