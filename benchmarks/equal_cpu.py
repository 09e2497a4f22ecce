"""One validation split or folds, the space of the contract or a wider one: the error on unseen rows at equal CPU.

The baseline searches on one validation split. Every other way of searching ends when it has used the CPU seconds of
the baseline. Each result is refitted on the train and validation rows, as in the product, and evaluated on the test
and holdout rows, which no search and no fit has seen. The error is 1 - ROC AUC, log loss or RMSE, relative to that of
the baseline. A second call continues where the first stopped, and adds the ways that a pair lacks.
"""

import argparse
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import optuna

from benchmarks import corpus, recorded, report
from benchmarks.final_model import error
from e2i_assets.core.data.split_tables import SearchRows
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.final_fit import final_fit_context, final_rows
from e2i_assets.core.fitting.fit_context import Rows, target_codes
from e2i_assets.core.search import tuning
from e2i_assets.core.search.study import search
from e2i_assets.core.search.trials import TrialRecord

DATA_SETS = (
    *("attrition", "contraceptive", "hmda", "wage", "thyroid", "hpc_class"),
    *("credit_data", "nmes_visits", "phoneme"),
)
# A search with cheaper trials than the baseline may run more of them: so many times its number.
_MORE_TRIALS = 4
ALGORITHMS = ("LightGBM", "XGBoost")
BASELINE = "validation, contract"
FOLDS: dict[str, Any] = {"objective": "cross_validation"}
WAYS: dict[str, dict[str, Any]] = {
    BASELINE: {},
    "folds, contract": {"hpo": FOLDS},
    "validation, wide": {"hpo": {"preset": "wide"}},
    "folds, wide": {"hpo": {**FOLDS, "preset": "wide"}},
    "validation, wide, patience 30": {"hpo": {"preset": "wide"}, "early_stopping": {"patience": 30}},
    "3 folds, contract": {"hpo": {**FOLDS, "folds": 3}},
    "folds, contract, all trials": {"hpo": FOLDS},
}
# It has the trials of the baseline instead of its CPU seconds.
UNLIMITED = "folds, contract, all trials"
# The share of the baseline's CPU after which the best trial so far is also measured.
POINTS = (0.35, 1.0)
MOST_ROWS = 12_000

Record = dict[str, Any]


class _Spent(Exception):
    """The CPU seconds of a search are used up."""


def searched(experiment: Experiment, rows: SearchRows, limit: float) -> list[Record]:
    """Search until the trials or the CPU seconds are used up.

    Returns:
        The trials in the order in which they ended, with the CPU seconds of the search up to their end.
    """
    began = time.process_time()
    found: list[Record] = []

    def on_trial(trial: TrialRecord, _: float | None) -> None:
        seconds = time.process_time() - began
        found.append({"state": trial.state, "value": trial.value, "params": trial.params, "seconds": seconds})
        if seconds >= limit:
            raise _Spent

    try:
        plan = tuning.plan(experiment, "benchmark")
        search(tuning.objective(experiment, rows), plan, optuna.storages.InMemoryStorage(), on_trial=on_trial)
    except _Spent:
        pass
    return found


def measured(
    options: argparse.Namespace, pair: tuple[str, str, int], sections: Mapping[str, Any], limit: float
) -> Record:
    """Search in one way, and measure the best trial at each share of the CPU seconds."""
    name, algorithm, seed = pair
    most = options.trials * (1 if np.isinf(limit) else _MORE_TRIALS)
    hpo = {"trials": most, "seed": seed, "workers": 1, **sections.get("hpo", {})}
    given = {**sections, "hpo": hpo, "split": {"seed": seed}}
    folder = corpus.folder(options.corpus)
    experiment, rows, unseen = corpus.problem_with_unseen(folder, name, algorithm, MOST_ROWS, **given)
    trials = searched(experiment, rows, limit)
    seconds = trials[-1]["seconds"]
    whole = min(limit, seconds) if np.isfinite(limit) else seconds
    return {
        "seconds": seconds,
        "trials": len(trials),
        "pruned": sum(trial["state"] == "PRUNED" for trial in trials),
        **{str(share): _at(experiment, rows, unseen, trials, share * whole) for share in POINTS},
    }


def _at(experiment: Experiment, rows: SearchRows, unseen: Rows, trials: Sequence[Record], limit: float) -> Record:
    """Refit the best of the trials that ended within the CPU seconds, or the first one if none did."""
    completed = [trial for trial in trials if trial["value"] is not None and trial["state"] == "COMPLETE"]
    within = [trial for trial in completed if trial["seconds"] <= limit * (1 + 1e-9)] or completed[:1]
    best = max(within, key=lambda trial: trial["value"])
    learnt = final_rows(experiment, rows)
    context = final_fit_context(experiment, rows.facts, rows.train, learnt)
    began = time.process_time()
    fit = context.fit(best["params"])
    fit_seconds = time.process_time() - began
    return {
        "error": error(experiment, target_codes(unseen.target, rows.facts.classes), context.on(fit, unseen)),
        "trials": len(within),
        "seconds": within[-1]["seconds"],
        "final fit": fit_seconds,
        "params": best["params"],
    }


def _import_libraries(options: argparse.Namespace) -> None:
    """Search once without a record, so that no search is charged with the imports."""
    for algorithm in options.algorithms:
        few = argparse.Namespace(corpus=options.corpus, trials=12)
        measured(few, (options.data_sets[0], algorithm, 0), {}, float("inf"))


def pairs(options: argparse.Namespace) -> Iterator[tuple[str, str, int]]:
    """Return the pairs, all data sets with one split before the next split."""
    for seed in range(options.splits):
        for name in options.data_sets:
            for algorithm in options.algorithms:
                yield name, algorithm, seed


def records(options: argparse.Namespace) -> dict[tuple[str, str, int], dict[str, Record]]:
    """Measure every pair and way that the work folder lacks, and return those with something to compare."""
    found: dict[tuple[str, str, int], dict[str, Record]] = {}
    for pair in pairs(options):
        path = options.work / ("{}.{}.{}".format(*pair) + f".{options.trials}.json")
        known: dict[str, Record] = json.loads(path.read_text()) if path.exists() else {}
        for way in WAYS if options.ways is None else [BASELINE, *options.ways]:
            if way not in known and not options.only_report:
                limit = float("inf") if way in (BASELINE, UNLIMITED) else known[BASELINE]["seconds"]
                known[way] = measured(options, pair, WAYS[way], limit)
                path.write_text(json.dumps(known))
                print(*pair, way, {point: known[way][str(point)]["error"] for point in POINTS}, flush=True)
        if len(known) > 1:
            found[pair] = known
    return found


def _compared(group: Sequence[dict[str, Record]], way: str, share: float) -> list[object]:
    """Return the pairs, the error and the share of better pairs relative to the baseline, with CPU and trials."""
    point, group = str(share), [one for one in group if way in one]
    if not group:
        return [0, "", "", "", "", ""]
    errors = np.array([one[way][point]["error"] / one[BASELINE]["1.0"]["error"] for one in group])
    cpu = np.array([one[way][point]["seconds"] / one[BASELINE]["1.0"]["seconds"] for one in group])
    trials = float(np.median([one[way][point]["trials"] for one in group]))
    return [
        len(group),
        report.geometric_mean(errors),
        float(np.median(errors)),
        f"{(errors < 1).mean():.0%}",
        report.geometric_mean(cpu),
        trials,
    ]


def tables(found: Mapping[tuple[str, str, int], dict[str, Record]]) -> list[report.Table]:
    """Return the summary, and the ratio of each way by algorithm and by data set."""
    every = list(found.values())
    ways = [way for way in WAYS if any(way in one for one in every)]
    summary = [
        [way, share, *_compared(every, way, share)]
        for way in ways
        for share in POINTS
        if (way, share) != (BASELINE, 1.0)
    ]
    groups = {
        **{algorithm: [one for pair, one in found.items() if pair[1] == algorithm] for algorithm in ALGORITHMS},
        **{
            name: [one for pair, one in found.items() if pair[0] == name] for name in dict.fromkeys(p[0] for p in found)
        },
    }
    others = [way for way in ways if way != BASELINE]
    by_group = [
        [name, len(group), float(np.median([one[BASELINE]["seconds"] for one in group]))]
        + [_compared(group, way, 1.0)[1] for way in others]
        for name, group in groups.items()
        if group
    ]
    notes = (
        "Error: geometric mean over the pairs, relative to the baseline after all its trials, and the median of the "
        "ratios. Better: the share of pairs with a smaller error. CPU: the seconds of the search up to the last trial "
        "that counts, relative to the baseline. Trials: the median number of completed trials."
    )
    return [
        report.Table(
            f"{len(every)} pairs of data set, algorithm and split",
            ["way", "share of CPU", "pairs", "error", "median", "better", "CPU", "trials"],
            summary,
            notes,
        ),
        report.Table("Error at the end", ["group", "pairs", "baseline CPU s", *others], by_group),
    ]


def main() -> None:
    """Measure what the work folder lacks, and write the report."""
    parser = recorded.parser("equal_cpu", __doc__)
    parser.add_argument("--trials", type=int, default=60, help="trials of the baseline, and the most of any search")
    parser.add_argument("--splits", type=int, default=2)
    parser.add_argument("--data-sets", nargs="+", default=DATA_SETS)
    parser.add_argument("--algorithms", nargs="+", default=ALGORITHMS)
    parser.add_argument("--ways", nargs="+", choices=[way for way in WAYS if way != BASELINE], help="default: all")
    options = recorded.begun(parser)
    if not options.only_report:
        _import_libraries(options)
    found = records(options)
    report.write(
        options.output,
        "Validation split or folds, contract or wide space, at equal CPU",
        report.machine("optuna", "xgboost", "lightgbm", "scikit-learn"),
        tables(found),
        command=f"E2I_CORPUS=... .venv/bin/python -m benchmarks.equal_cpu --trials {options.trials} "
        f"--splits {options.splits}",
    )


if __name__ == "__main__":
    main()
