"""The cost of the search compared with a plain loop: scikit-learn estimators, full fits, one report per trial.

Both use the search space of the registry with the same sampler and seed, the same validation rows and metric, and an
in-memory study. The plain loop tunes the rounds; in our search early stopping decides them.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import optuna
import sklearn.compose
import sklearn.metrics
import xgboost

from benchmarks import corpus, report
from e2i_assets.core.algorithms import registry
from e2i_assets.core.algorithms.algorithm import predicted
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.fitting.fit_context import merged, target_codes
from e2i_assets.core.fitting.preprocessing import preprocessing
from e2i_assets.core.metrics import metric
from e2i_assets.core.search import tuning
from e2i_assets.core.search.samplers import sampler
from e2i_assets.core.search.study import search
from e2i_assets.core.search_space.space import parse_space, suggest

DATA_SETS = ("hmda", "hpc_class", "mlc_churn", "california", "adult")
ALGORITHMS = ("XGBoost", "LightGBM")
# Imported before the measurement, so that neither search pays for it.
LIBRARIES = (lightgbm, sklearn.compose, sklearn.metrics, xgboost)
# CPU seconds and the value of a trial, or the best value so far.
Curve = list[tuple[float, float]]


def plain(experiment: Experiment, rows: Any, trials: int, seed: int) -> dict[str, Any]:
    """Search with a plain loop: a new estimator and a full fit for each trial."""
    algorithm = registry.algorithm(experiment.algorithm)
    began = time.process_time()
    prepared = preprocessing(rows.train.features, algorithm.preparation).fit(rows.train.features)
    x_train, x_validation = (
        np.asarray(prepared.transform(part.features), dtype=np.float64) for part in (rows.train, rows.validation)
    )
    y_train, y_validation = (target_codes(part.target, rows.facts.classes) for part in (rows.train, rows.validation))
    score = metric(experiment.metric, experiment.problem_type)
    space = parse_space(algorithm.space)
    curve: Curve = []
    rounds = 0

    def objective(trial: optuna.Trial) -> float:
        nonlocal rounds
        parameters = merged(algorithm.default_values, suggest(trial, space), experiment.fixed_parameters())
        estimator = algorithm.estimator(parameters, experiment.problem_type).fit(x_train, y_train)
        value = score.oriented(score.score(y_validation, predicted(estimator, x_validation, rows.facts.task)))
        trial.report(value, 0)
        rounds += int(parameters["n_estimators"])
        curve.append((time.process_time() - began, value))
        if trial.should_prune():
            raise optuna.TrialPruned
        return value

    study = optuna.create_study(
        direction="maximize", sampler=sampler("tpe", seed, space), pruner=optuna.pruners.MedianPruner(5, 10)
    )
    study.optimize(objective, n_trials=trials)
    return _result(time.process_time() - began, rounds, study.best_value, curve, y_validation)


def ours(experiment: Experiment, rows: Any, trials: int, seed: int) -> dict[str, Any]:
    """Search with the product, on an in-memory study."""
    curve: Curve = []
    began = time.process_time()
    result = search(
        tuning.objective(experiment, rows),
        tuning.plan(experiment, "benchmark"),
        optuna.storages.InMemoryStorage(),
        on_trial=lambda trial, best: curve.append((time.process_time() - began, -np.inf if best is None else best)),
    )
    # Rounds that early stopping grew beyond the best one count as work too.
    patience = tuning.patience(experiment) or 0
    rounds = sum(
        max(trial.intermediate_values, default=0)
        if trial.state == "PRUNED"
        else (trial.rounds or 0) + (patience if trial.stopped_early else 0)
        for trial in result.trials
    )
    best = result.best
    if best is None or best.value is None or result.count("FAIL"):
        raise SystemExit(f"{experiment.name}: {result.count('FAIL')} trials failed")
    done = _result(time.process_time() - began, rounds, best.value, curve, np.empty(0))
    return done | {"pruned": result.count("PRUNED"), "best_rounds": best.rounds}


def _result(seconds: float, rounds: int, best: float, curve: Curve, truth: Any) -> dict[str, Any]:
    spread = float(np.std(truth)) if len(truth) else 1.0
    return {"seconds": seconds, "rounds": rounds, "best": best, "curve": curve, "spread": spread}


SEARCHES: dict[str, Callable[..., dict[str, Any]]] = {"plain": plain, "ours": ours}


def measured(options: argparse.Namespace, which: str, name: str, algorithm: str) -> dict[str, Any]:
    """Run one search in a separate process, so that the searches share no caches."""
    command = [sys.executable, "-m", "benchmarks.search", "--corpus", str(corpus.folder(options.corpus))]
    command += ["--trials", str(options.trials), "--seed", str(options.seed), "--one", which, name, algorithm]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def one(options: argparse.Namespace) -> None:
    """Run the search that `--one` names and print its result as JSON."""
    which, name, algorithm = options.one
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    hpo = {"trials": options.trials, "seed": options.seed, "workers": 1}
    experiment, rows = corpus.problem(corpus.folder(options.corpus), name, algorithm, hpo=hpo)
    print(json.dumps(SEARCHES[which](experiment, rows, options.trials, options.seed)))


def seconds_to(curve: Curve, value: float) -> float | None:
    """Return the CPU seconds until a search reached this value or a better one; None when it never did."""
    return next((seconds for seconds, best in curve if best >= value), None)


def row(name: str, algorithm: str, slow: dict[str, Any], fast: dict[str, Any], regression: bool) -> list[Any]:
    """Return the results of one data set and algorithm."""
    reached = seconds_to(fast["curve"], slow["best"])
    reference = seconds_to(slow["curve"], slow["best"]) or slow["seconds"]
    gain = (fast["best"] - slow["best"]) / (slow["spread"] if regression else 1.0)
    return [
        name,
        algorithm,
        slow["seconds"],
        fast["seconds"],
        fast["seconds"] / slow["seconds"],
        reference,
        "never" if reached is None else reached,
        "-" if reached is None else reached / slow["seconds"],
        slow["rounds"],
        fast["rounds"],
        fast["pruned"],
        slow["best"],
        fast["best"],
        gain,
    ]


def main() -> None:
    """Measure every data set with every algorithm and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", help="folder of the data sets; default E2I_CORPUS")
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--data-sets", nargs="+", default=DATA_SETS)
    parser.add_argument("--algorithms", nargs="+", default=ALGORITHMS)
    parser.add_argument("--one", nargs=3, metavar=("SEARCH", "DATA_SET", "ALGORITHM"), help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, default=report.RESULTS / "search.md")
    options = parser.parse_args()
    if options.one:
        one(options)
        return
    rows = []
    for name in options.data_sets:
        for algorithm in options.algorithms:
            slow, fast = (measured(options, which, name, algorithm) for which in ("plain", "ours"))
            experiment, _ = corpus.problem(corpus.folder(options.corpus), name, algorithm)
            rows.append(row(name, algorithm, slow, fast, experiment.problem_type == "regression"))
            print(rows[-1], file=sys.stderr, flush=True)
    columns = ["data set", "algorithm", "plain CPU s", "ours CPU s", "ratio", "plain s to its best"]
    columns += ["ours s to plain's best", "of plain's end", "plain rounds", "our rounds", "pruned"]
    columns += ["plain best", "our best", "gain"]
    reached = [entry[7] for entry in rows if entry[7] != "-"]
    summary = [
        [
            "CPU to the end, ours / plain, geometric mean",
            report.geometric_mean([entry[4] for entry in rows]),
            "at most 0.25",
        ],
        [
            f"CPU to plain's best / plain's end, geometric mean of the {len(reached)} of {len(rows)} that reached it",
            report.geometric_mean(reached) if reached else "none",
            "at most 0.1",
        ],
        ["gain in the best value, mean", float(np.mean([entry[-1] for entry in rows])), "at least -0.001"],
    ]
    report.write(
        options.output,
        "The search compared with a plain loop",
        report.machine("optuna", "xgboost", "lightgbm", "scikit-learn"),
        [
            report.Table("Summary", ["figure", "value", "aim"], summary),
            report.Table(
                f"{options.trials} trials each, seed {options.seed}",
                columns,
                rows,
                "CPU seconds of the process, data preparation included. Values are oriented: higher is better, an "
                "RMSE is negated; a gain in RMSE is in standard deviations of the validation target.",
            ),
        ],
        command=f".venv/bin/python -m benchmarks.search --trials {options.trials} --seed {options.seed}",
    )


if __name__ == "__main__":
    main()
