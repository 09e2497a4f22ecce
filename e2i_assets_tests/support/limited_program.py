"""A program with a trial in a child process that would take hours; tests kill it.

Argument: the folder of the rows. It prints "fitting" when the trial has started.
"""

import sys
from pathlib import Path

from e2i_assets.adapters.files import asset_values
from e2i_assets.adapters.trial_processes.limited import objective_within_limits
from e2i_assets.core.data.split_tables import SearchRows
from e2i_assets.core.experiments.file import parse_experiment

ENDLESS = """
name: cells
owner: team:tests
source: {csv: cells.csv}
target: target
problem_type: binary_classification
algorithm: XGBoost
early_stopping: {enabled: false}
fixed: {n_estimators: 50000000}
hpo: {trials: 1, workers: 1, trial_seconds: 3600, pruner: none}
"""


def main() -> None:
    """Evaluate the defaults, which takes forever."""
    experiment = parse_experiment(ENDLESS, "test")
    rows: SearchRows = asset_values.read(SearchRows, Path(sys.argv[1]) / "validation_splits" / "cells")
    with objective_within_limits(experiment, rows) as objective_until:
        objective = objective_until(float("inf"))

        def told(step: int, value: float) -> None:
            if step > 5:
                print("fitting", flush=True)

        objective.scheme.outcome({**objective.defaults, **objective.fixed}, objective.goals, None, told)


if __name__ == "__main__":
    main()
