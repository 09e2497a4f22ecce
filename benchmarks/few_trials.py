"""What the memory is for: the error on unseen rows after 3, 6 and 12 trials, against as many trials without it.

The memory is the shipped one without the patterns of the data set itself. The experiments have `hpo.objective: auto`
and the default final model. With up to 2,400 rows for the split, `auto` evaluates most trials on folds. The error is
1 - ROC AUC, log loss or RMSE on the test and holdout rows and on rows of the table that the split does not have.

- cold: no memory. The defaults are first, then the sampler.
- ours: the warm start of the product, which fills up to five of few trials, but not the last one.
- ours, a quarter: the same with at most a quarter of the trials, at least one.
- the others: configurations of the memory fill all trials but the last, up to ten. The last one is for the defaults if
  none was as good. Ours first: by similarities, surrogates and results, as in the product. Nearest first: the best of
  each past study, the most similar first. Portfolio first: by surrogates alone, all past studies count the same. Plain
  portfolio first: the same without surrogates, from the best of each past study and its values in the others.
- former: 60 trials on one validation split, and a model of the train rows alone.

Fits are not repeated between the ways of a pair; each way is charged with the CPU seconds of all its fits. A second
call continues where the first stopped.
"""

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import optuna

from benchmarks import corpus, few_trials_report, recorded, report
from benchmarks.few_trials_ways import COLD, FORMER, OURS, OURS_FIRST, WAYS, shipped, start
from benchmarks.final_model import by_product, error
from benchmarks.repeated_fits import Repeated
from e2i_assets.core.data.split_tables import SearchRows, TrainingRows
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.fitting.fit_context import Rows
from e2i_assets.core.search import tuning
from e2i_assets.core.search.final_model_choice import used_final_model
from e2i_assets.core.search.proposals import Proposer
from e2i_assets.core.search.study import search
from e2i_assets.core.search.study_output import hpo_output

BUDGETS = (3, 6, 12)
FORMER_TRIALS = 60
MOST_CLASSES = 5
ALGORITHMS = ("LightGBM", "XGBoost")
MOST_ROWS, MOST_UNSEEN, FEWEST_ROWS = 2_400, 8_000, 1_400

Record = dict[str, float]
Start = Callable[[Experiment], tuple[Proposer, int]]
Pair = tuple[str, str, int]


@dataclass(slots=True)
class Problem:
    """A data set with an algorithm and a split, and what the ways share."""

    experiment: Experiment
    rows: SearchRows
    unseen: Rows
    fits: Repeated
    final: dict[str, Record] = field(default_factory=dict)

    def measured(self, way: str, budget: int) -> Record:
        """Search and train as the product does, and return the error on unseen rows and the CPU seconds."""
        return self.searched(budget, lambda experiment: start(way, budget, experiment, self.rows, experiment.name))

    def searched(self, budget: int, start: Start) -> Record:
        """Do the same with what `start` returns: what is tried first, and how many trials that are."""
        experiment = self.experiment.model_copy(
            update={"hpo": self.experiment.hpo.model_copy(update={"trials": budget})}
        )
        began, saved = time.process_time(), self.fits.saved
        proposer, first = start(experiment)
        plan = tuning.plan(experiment, "benchmark")
        plan = replace(plan, startup_trials=first or plan.startup_trials)
        objective = tuning.objective(experiment, self.rows, self.fits)
        study = search(objective, plan, optuna.storages.InMemoryStorage(), proposer)
        seconds = time.process_time() - began + self.fits.saved - saved
        output = hpo_output(experiment, "benchmark", study)
        key = json.dumps(output.best_hyperparameters, sort_keys=True, default=str)
        if key not in self.final:
            self.final[key] = self._trained(experiment, output)
        final = self.final[key]
        best = float("nan") if study.best is None or study.best.value is None else study.best.value
        return {
            "error": final["error"],
            "seconds": seconds + final["seconds"],
            "trials": len(study.trials),
            "value": best,
            "warm": sum(trial.origin == "warm_start" for trial in study.trials),
        }

    def _trained(self, experiment: Experiment, output: Any) -> Record:
        began = time.process_time()
        rows = TrainingRows(self.rows.facts, self.rows.train, self.rows.validation, self.unseen)
        fits = by_product(experiment, used_final_model(experiment, rows.facts), rows, output)
        seconds = time.process_time() - began
        return {"error": error(experiment, *fits.predictions["test"]), "seconds": seconds}


def problem(folder: Path, pair: Pair, objective: str, **sections: Any) -> Problem:
    """Return a pair with its rows prepared."""
    name, algorithm, seed = pair
    given = {"hpo": {"seed": seed, "workers": 1, "objective": objective}, "split": {"seed": seed}, **sections}
    given["metric"] = corpus.metric_of(folder, name)
    experiment, rows, unseen = corpus.problem_with_unseen(folder, name, algorithm, MOST_ROWS, MOST_UNSEEN, **given)
    return Problem(experiment, rows, unseen, Repeated(tuning.scheme(experiment, rows)))


def completed(folder: Path, pair: Pair, known: Mapping[str, Record], ways: Sequence[str]) -> dict[str, Record]:
    """Return the records of a pair with those of the ways and budgets that it lacks."""
    found = dict(known)
    if FORMER not in found:
        former = problem(folder, pair, "validation", final_model="train_only")
        found[FORMER] = former.measured(FORMER, FORMER_TRIALS)
    missing = [(way, at) for way in ways for at in BUDGETS if f"{way} {at}" not in found]
    if missing:
        today = problem(folder, pair, "auto")
        found |= {f"{way} {at}": today.measured(way, at) for way, at in missing}
    return found


def data_sets(folder: Path) -> list[str]:
    """Return the data sets of the shipped memory, one of each problem type in turn, those with cheap fits first."""
    index = corpus.index(folder)
    cost = {one.table: one.seconds / len(one.trials) for one in shipped() if one.algorithm in ALGORITHMS}
    turns: dict[str, list[str]] = {}
    for name in sorted(cost, key=lambda name: cost[name]):
        if index.loc[name, "n_rows"] >= FEWEST_ROWS and index.loc[name, "n_classes"] <= MOST_CLASSES:
            turns.setdefault(str(index.loc[name, "problem_type"]), []).append(name)
    placed = [(place / len(names), name) for names in turns.values() for place, name in enumerate(names)]
    return [name for _, name in sorted(placed)]


def records(options: argparse.Namespace) -> dict[Pair, dict[str, Record]]:
    """Measure every pair that the work folder lacks, and return all that it has."""
    folder = corpus.folder(options.corpus)
    found: dict[Pair, dict[str, Record]] = {}
    names = options.data_sets or data_sets(folder)[: options.sets]
    for pair in [(n, a, s) for n in names for s in range(options.splits) for a in options.algorithms]:
        path = options.work / "{}.{}.{}.json".format(*pair)
        known: dict[str, Record] = json.loads(path.read_text()) if path.exists() else {}
        if not options.only_report:
            began, before = time.monotonic(), len(known)
            known = completed(folder, pair, known, options.ways)
            path.write_text(json.dumps(known))
            print(*pair, len(known) - before, f"records, {time.monotonic() - began:.0f} s", flush=True)
        if all(f"{way} {at}" in known for way in options.ways for at in BUDGETS):
            found[pair] = known
    return found


def main() -> None:
    """Measure what the work folder lacks, and write the report."""
    parser = recorded.parser("few_trials", __doc__)
    parser.add_argument("--sets", type=int, default=16, help="number of data sets, those with cheap fits first")
    parser.add_argument("--data-sets", nargs="+", help="data sets by name instead")
    parser.add_argument("--splits", type=int, default=2)
    parser.add_argument("--algorithms", nargs="+", default=ALGORITHMS)
    parser.add_argument("--ways", nargs="+", default=WAYS, choices=WAYS)
    options = recorded.begun(parser)
    if not options.only_report:  # so that no way is charged with the imports
        for algorithm in options.algorithms:
            problem(corpus.folder(options.corpus), ("actg175", algorithm, 0), "auto").measured(OURS, 3)
    report.write(
        options.output,
        "The memory with few trials, on unseen rows",
        report.machine("optuna", "xgboost", "lightgbm", "scikit-learn"),
        few_trials_report.tables(records(options), options.ways, BUDGETS, COLD, FORMER, OURS_FIRST),
        command="E2I_CORPUS=... .venv/bin/python -m benchmarks.few_trials "
        + (f"--data-sets {' '.join(options.data_sets)} " if options.data_sets else f"--sets {options.sets} ")
        + f"--splits {options.splits}"
        + (f" --ways {' '.join(options.ways)}" if tuple(options.ways) != WAYS else ""),
    )


if __name__ == "__main__":
    main()
