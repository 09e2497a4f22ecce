"""Whether concurrent trials or threads inside one fit use cores better.

Every line is a search of the product on the same queued configurations, unpruned and with early stopping, so that all
lines do the same work; TPE would sample other configurations with another number of concurrent trials. Each runs in a
separate process.
"""

import argparse
import json
import math
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import optuna

from benchmarks import corpus, report
from e2i_assets.core.search import tuning
from e2i_assets.core.search.proposals import Proposal, in_order
from e2i_assets.core.search.study import search
from e2i_assets.core.search_space.space import suggest

ALGORITHMS = ("XGBoost", "LightGBM")
# Concurrent trials, and threads of each fit.
SETTINGS = ((1, 1), (2, 1), (4, 1), (1, 2))


def one(options: argparse.Namespace) -> dict[str, float]:
    """Run one search and return its time and CPU time."""
    algorithm, workers, threads = options.one
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    experiment, rows = corpus.problem(
        corpus.folder(options.corpus),
        options.data_set,
        algorithm,
        hpo={"trials": options.trials, "workers": int(workers), "pruner": "none"},
        fixed={"n_jobs": int(threads)},
    )
    prepared = tuning.objective(experiment, rows)
    drawing = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=options.seed))
    drawn = [suggest(drawing.ask(), experiment.search_space()) for _ in range(options.trials)]
    queued = [Proposal(values, "warm_start", {}) for values in drawn]
    began, cpu = time.perf_counter(), time.process_time()
    result = search(prepared, tuning.plan(experiment, "benchmark"), optuna.storages.InMemoryStorage(), in_order(queued))
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    values = [trial.value for trial in result.trials if trial.value is not None]
    if len(values) != options.trials:
        raise SystemExit(f"{options.trials - len(values)} trials have no value")
    return {"seconds": seconds, "cpu": cpu, "sum": math.fsum(values)}


def measured(options: argparse.Namespace, algorithm: str) -> list[dict[str, float]]:
    """Return the fastest repetition of each setting; the settings alternate, so that other load affects all."""
    fastest: list[dict[str, float]] = [{"seconds": math.inf} for _ in SETTINGS]
    for _ in range(options.repetitions):
        for place, (workers, threads) in enumerate(SETTINGS):
            command = [sys.executable, "-m", "benchmarks.parallel", "--corpus", str(corpus.folder(options.corpus))]
            command += ["--data-set", options.data_set, "--trials", str(options.trials), "--seed", str(options.seed)]
            command += ["--one", algorithm, str(workers), str(threads)]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            fastest[place] = min(fastest[place], found, key=lambda figures: figures["seconds"])
    return fastest


def lines(options: argparse.Namespace, algorithm: str) -> Sequence[Sequence[object]]:
    """Return a row of figures for each setting, compared with one worker with one thread."""
    found = measured(options, algorithm)
    return [
        [
            algorithm,
            workers,
            threads,
            options.trials * 60 / figures["seconds"],
            found[0]["seconds"] / figures["seconds"],
            figures["cpu"] / figures["seconds"],
            figures["cpu"] / found[0]["cpu"],
            "yes" if figures["sum"] == found[0]["sum"] else f"to {abs(figures['sum'] / found[0]['sum'] - 1):.0e}",
        ]
        for (workers, threads), figures in zip(SETTINGS, found, strict=True)
    ]


def main() -> None:
    """Measure every setting with every algorithm and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", help="folder of the data sets; default E2I_CORPUS")
    parser.add_argument("--data-set", default="california")
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--algorithms", nargs="+", default=ALGORITHMS)
    parser.add_argument("--one", nargs=3, metavar=("ALGORITHM", "WORKERS", "THREADS"), help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, default=report.RESULTS / "parallel.md")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one(options)))
        return
    columns = ["algorithm", "workers", "threads in a fit", "trials / min", "times one worker"]
    columns += ["cores busy", "CPU, times one worker", "same values"]
    rows = [row for algorithm in options.algorithms for row in lines(options, algorithm)]
    report.write(
        options.output,
        "Concurrent trials compared with threads inside a fit",
        report.machine("optuna", "xgboost", "lightgbm"),
        [
            report.Table(
                f"{options.data_set}: {options.trials} configurations, the fastest of {options.repetitions} runs",
                columns,
                rows,
                "Aim: 1.8 times the trials per minute with two workers on two cores. Studies in memory; wall clock of "
                "the search alone, rows prepared before. Cores busy is CPU time over wall clock: if it is below the "
                "cores of a setting, other work used the machine.",
            )
        ],
        command=f".venv/bin/python -m benchmarks.parallel --data-set {options.data_set} --trials {options.trials}",
    )


if __name__ == "__main__":
    main()
