"""A process that logs a training to MLflow; tests kill it meanwhile.

Arguments: the database URL, the project folder, the folder of the model, the Dagster run id.
"""

import sys
from dataclasses import replace
from pathlib import Path

from e2i_assets.adapters.mlflow.tracked_run import TrackedRun
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.settings import Settings
from e2i_assets.services.project import Project


def run(dagster_run_id: str) -> TrackedRun:
    """Return a minimal training."""
    return TrackedRun(
        experiment_name="e2i_killed",
        run_key="the same training",
        run_name="Ridge",
        dagster_run_id=dagster_run_id,
        params={"hp_alpha": 0.25},
    )


def main() -> None:
    """Log the training as the asset does."""
    url, folder, model, dagster_run_id = sys.argv[1:]
    project = Project(Settings(root=Path(folder), state=Path(folder)), Database(url))
    print(project.tracker().log(replace(run(dagster_run_id), model_folder=Path(model))))


if __name__ == "__main__":
    main()
