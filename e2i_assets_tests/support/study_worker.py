"""A process that works on a shared study until its budget is spent, for tests of the study storage.

Arguments: the database URL, the study's id in our tables, its name, its budget, and the trial (a number of this
process, from 0) in which it stops after its first report, or -1. It prints "in a trial" when it has stopped.
"""

import sys
import time

import optuna
from optuna.storages import RDBStorage

from e2i_assets.adapters.optuna_storage.storage import StudyStorage
from e2i_assets.adapters.optuna_storage.study_session import worker
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.core.errors import BudgetSpent


def main() -> None:
    """Work on the study."""
    url, study_id, name, budget, stops_in = sys.argv[1:]
    done = 0

    def objective(trial: optuna.Trial) -> float:
        nonlocal done
        value = trial.suggest_float("x", 0, 1)
        trial.report(value / 2, 1)
        if done == int(stops_in):
            print("in a trial", flush=True)
            time.sleep(600)
        done += 1
        return value

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    database = Database(url)
    with worker(database) as lock:
        storage = StudyStorage(database, RDBStorage(database.url_for("optuna")), study_id, int(budget), lock)
        study = optuna.load_study(study_name=name, storage=storage, sampler=optuna.samplers.RandomSampler())
        try:
            study.optimize(objective)
        except BudgetSpent:
            print(done, flush=True)


if __name__ == "__main__":
    main()
