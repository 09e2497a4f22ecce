"""The CPU seconds of each plot and of the report of a training, on experiments that have run before.

    .venv/bin/e2i run && .venv/bin/python -m benchmarks.pictures rand_inpatient rand_visits

CPU seconds are used because other load does not change them. Libraries are imported before the measurement.
"""

import argparse
import os
import time
from collections.abc import Callable
from typing import Any

from e2i_assets.adapters.files import asset_values
from e2i_assets.adapters.files.experiment_files import read_experiment
from e2i_assets.adapters.settings import Settings, from_environment
from e2i_assets.core.contracts.contract import HpoOutput
from e2i_assets.core.data.split_tables import TrainingRows
from e2i_assets.core.plots import search_history
from e2i_assets.core.plots.study import study_pictures
from e2i_assets.core.plots.training import model_pictures, validation_importance
from e2i_assets.core.search.samplers import STARTUP_TRIALS
from e2i_assets.core.search.tuning import Tuned
from e2i_assets.core.training import trained


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", help="experiments that were run")
    settings = from_environment(os.environ)
    print("| experiment | training | history | Optuna's | permutation | of the model | kB in all |")
    print("|---|---|---|---|---|---|---|")
    for name in parser.parse_args().names:
        measured(settings, name)  # the first call also loads imports and fonts
        print(f"| {name} | {' | '.join(measured(settings, name))} |")


def measured(settings: Settings, name: str) -> list[str]:
    """Return the cells of one experiment."""

    def read(kind: type[Any], asset: str) -> Any:
        return asset_values.read(kind, settings.assets / asset / name)

    experiment = read_experiment(settings.experiments / f"{name}.yaml")
    tuned, rows = read(Tuned, "hpo_study"), read(TrainingRows, "validation_splits")
    hpo = read(HpoOutput, "best_hyperparameters")
    training, fitting = timed(lambda: trained(experiment, rows, hpo))
    history, first = timed(lambda: search_history.optimisation_history(tuned.result, experiment.metric, STARTUP_TRIALS))
    drawn, second = timed(lambda: study_pictures(tuned.result, experiment.search_space(), {}, experiment.metric))
    lost, third = timed(lambda: validation_importance(experiment, rows, training))
    of_model, fourth = timed(lambda: model_pictures(experiment, rows, hpo, training, lost))
    size = sum(map(len, (history, *drawn.values(), *of_model.values()))) / 1000
    return [*(f"{seconds:.2f}" for seconds in (fitting, first, second, third, fourth)), f"{size:.0f}"]


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return the result of a function and its CPU seconds."""
    began = time.process_time()
    given = work()
    return given, time.process_time() - began


if __name__ == "__main__":
    main()
