"""What an experiment gets: the settings of this release, a refit, and FLAML at equal CPU, on unseen rows.

The baseline is the former product: 100 trials on one validation split, and a model of the train rows alone. The same
search is followed by a refit on train and validation rows, and by the default final model (`final_model: auto`): the
mean of fold models where its rule says so. Search and fits are those of the product. FLAML has the same train and
validation rows as a table, the same algorithm and metric, its own splits, and retrains its best model on all of them;
it ends when it has used the CPU seconds of the default settings (its clock counts CPU seconds here, because this
machine may be shared). The error is 1 - ROC AUC, log loss or RMSE on the test and holdout rows. A second call continues
where the first stopped.

FLAML is not in the lock: `.venv/bin/python scripts/install_group.py benchmarks` adds it.
"""

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import optuna

from benchmarks import corpus, recorded, report, rivals
from benchmarks.final_model import by_product, error
from e2i_assets.core.data.split_tables import SearchRows, TrainingRows
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.fitting.fit_context import Rows
from e2i_assets.core.search import tuning
from e2i_assets.core.search.final_model_choice import used_final_model
from e2i_assets.core.search.study import search
from e2i_assets.core.search.study_output import hpo_output

FORMER, REFIT, DEFAULTS = "former: 100 trials, train rows", "100 trials, refit", "defaults: 100 trials, auto"
RIVAL = "FLAML, CPU of the defaults"
WAYS: dict[str, Literal["train_only", "refit", "auto"]] = {FORMER: "train_only", REFIT: "refit", DEFAULTS: "auto"}
ALGORITHMS = {"LightGBM": "lgbm", "XGBoost": "xgboost"}
MOST_ROWS = 6_000

Record = dict[str, float]
Pair = tuple[str, str, int]


def data_sets(folder: Path) -> list[str]:
    """Return every fourth data set of each problem type, by name, with at most seven classes."""
    index = corpus.index(folder)
    few = index[index["n_classes"] <= 7]
    return [name for _, group in few.groupby("problem_type") for name in sorted(group.index)[1::4]]


def by_this_product(folder: Path, pair: Pair) -> dict[str, Record]:
    """Search once and train in each way as the product does, and return errors on unseen rows and CPU seconds."""
    experiment, searched, unseen = _problem(folder, pair)
    began = time.process_time()
    plan = tuning.plan(experiment, "benchmark")
    study = search(tuning.objective(experiment, searched), plan, optuna.storages.InMemoryStorage())
    output = hpo_output(experiment, "benchmark", study)
    seconds = time.process_time() - began
    rows = TrainingRows(searched.facts, searched.train, searched.validation, unseen)
    found = {}
    for way, kind in WAYS.items():
        began = time.process_time()
        of = experiment.model_copy(update={"final_model": kind})
        fits = by_product(of, used_final_model(of, rows.facts), rows, output)
        spent = seconds + time.process_time() - began
        found[way] = {
            "error": error(experiment, *fits.predictions["test"]),
            "seconds": spent,
            "trials": len(study.trials),
            "folds": len(fits.unseen),
        }
    return found


def by_flaml(folder: Path, pair: Pair, limit: float) -> Record:
    """Search with FLAML until the CPU seconds are used up, with the same algorithm."""
    return rivals.at_equal_cpu(*_problem(folder, pair), pair[2], limit, [ALGORITHMS[pair[1]]])


def _problem(folder: Path, pair: Pair) -> tuple[Experiment, SearchRows, Rows]:
    name, algorithm, seed = pair
    given = {"hpo": {"seed": seed, "workers": 1}, "split": {"seed": seed}, "metric": corpus.metric_of(folder, name)}
    return corpus.problem_with_unseen(folder, name, algorithm, MOST_ROWS, **given)


def records(options: argparse.Namespace) -> dict[Pair, dict[str, Record]]:
    """Measure every pair and way that the work folder lacks."""
    folder = corpus.folder(options.corpus)
    found: dict[Pair, dict[str, Record]] = {}
    for pair in [
        (n, a, s) for s in range(options.splits) for n in options.data_sets or data_sets(folder) for a in ALGORITHMS
    ]:
        path = options.work / "{}.{}.{}.json".format(*pair)
        known: dict[str, Record] = json.loads(path.read_text()) if path.exists() else {}
        if not known and not options.only_report:
            known = by_this_product(folder, pair)
            path.write_text(json.dumps(known))
        if RIVAL not in known and not options.only_report:
            known[RIVAL] = by_flaml(folder, pair, known[DEFAULTS]["seconds"])
            path.write_text(json.dumps(known))
            print(*pair, known, flush=True)
        if len(known) == len(WAYS) + 1:
            found[pair] = known
    return found


def _row(name: str, group: Sequence[Mapping[str, Record]], way: str, reference: str) -> list[object]:
    errors = np.array([one[way]["error"] / one[reference]["error"] for one in group])
    cpu = np.array([one[way]["seconds"] / one[reference]["seconds"] for one in group])
    trials = float(np.median([one[way]["trials"] for one in group]))
    return [
        name,
        len(group),
        report.geometric_mean(errors),
        float(np.median(errors)),
        f"{(errors < 1).mean():.0%}",
        report.geometric_mean(cpu),
        trials,
    ]


def tables(found: Mapping[Pair, Mapping[str, Record]]) -> list[report.Table]:
    """Return the comparisons with the former product, a refit and FLAML, and the errors by data set."""
    every = list(found.values())
    columns = ["pairs", "error", "median", "better", "CPU", "trials"]
    groups: dict[str, list[Mapping[str, Record]]] = defaultdict(list)
    for (name, algorithm, _), one in found.items():
        groups[algorithm].append(one)
        groups[name].append(one)
    notes = (
        "Error on the test and holdout rows relative to the reference: geometric mean and median over the pairs of "
        "data set, algorithm and split; better: the share of pairs with a smaller error. CPU: of search and final fit, "
        "relative to the reference. Trials: the median number."
    )
    ways = (*WAYS, RIVAL)
    return [
        report.Table(
            "Against the former product",
            ["way", *columns],
            [_row(way, every, way, FORMER) for way in ways if way != FORMER],
            notes,
        ),
        report.Table("Against a refit", ["way", *columns], [_row(DEFAULTS, every, DEFAULTS, REFIT)], notes),
        report.Table(
            "Against FLAML", ["way", *columns], [_row(way, every, way, RIVAL) for way in ways if way != RIVAL], notes
        ),
        report.Table(
            "Error against the former product",
            ["group", "pairs", *(way for way in ways if way != FORMER)],
            [
                [name, len(group), *(_row(name, group, way, FORMER)[2] for way in ways if way != FORMER)]
                for name, group in groups.items()
            ],
        ),
    ]


def main() -> None:
    """Measure what the work folder lacks, and write the report."""
    parser = recorded.parser("defaults", __doc__)
    parser.add_argument("--splits", type=int, default=1)
    parser.add_argument("--data-sets", nargs="+", help="default: every fourth of each problem type")
    options = recorded.begun(parser)
    report.write(
        options.output,
        "The default settings, a refit, and FLAML",
        report.machine("optuna", "xgboost", "lightgbm", "scikit-learn", "flaml"),
        tables(records(options)),
        command=f"E2I_CORPUS=... .venv/bin/python -m benchmarks.defaults --splits {options.splits}",
    )


if __name__ == "__main__":
    main()
