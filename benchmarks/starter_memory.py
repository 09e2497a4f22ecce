"""Mine the starter memory: studies of public tables, with every metric for each configuration.

There are three steps for a data set and an algorithm, on train and validation rows only: the defaults and the same
quasi-random configurations for all data sets, which make problems comparable; a TPE study on top of them; and the best
configuration of every other data set of the same problem type, so that proposed configurations were tried elsewhere.

The records are in a work folder; a second call continues where the first stopped. `benchmarks.starter_file` writes the
shipped file from them.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import optuna

from benchmarks import corpus
from benchmarks.judging import MOST_ROWS, Judge, judge, oriented
from e2i_assets.core.algorithms import registry
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.search.samplers import sampler
from e2i_assets.core.search_space.space import adapted_to, suggest

# The data of the shipped experiments: the starter memory must not contain their studies.
SHIPPED = ("randhie", "medexp")
TRIALS = 60
SHARED = 24
SEED = 7

Values = dict[str, Any]


def mined(options: argparse.Namespace, name: str, algorithm: str) -> str:
    """Evaluate the defaults, the shared configurations and those of a study on top; store the list of them."""
    path = trials_path(options.work, name, algorithm)
    if path.exists():
        return f"{name} {algorithm}: there"
    began = time.process_time()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    judged = judge(options.work, corpus.folder(options.corpus), name, algorithm)
    space = judged.experiment.search_space()
    tried: list[Values] = []

    def objective(trial: optuna.Trial) -> float:
        values = suggest(trial, space)
        found = oriented(judged.judged(values), judged.experiment)
        tried.append(values)
        return found

    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(
            seed=SEED, n_startup_trials=options.shared, multivariate=True, group=any(one.when for one in space.values())
        ),
    )
    study.enqueue_trial(defaults_in_space(judged.experiment))
    for values in shared_configurations(judged.experiment, options.shared - 1):
        study.enqueue_trial(values)
    study.optimize(objective, n_trials=options.trials, catch=(Exception,))
    judged.keep()
    path.write_text(json.dumps(tried))
    return f"{name} {algorithm}: {time.process_time() - began:.0f} s"


def crossed(options: argparse.Namespace, name: str, algorithm: str, others: Sequence[Values]) -> str:
    """Evaluate the best configurations of the other data sets on this one."""
    began = time.process_time()
    judged: Judge = judge(options.work, corpus.folder(options.corpus), name, algorithm)
    path = trials_path(options.work, name, algorithm)
    tried = json.loads(path.read_text())
    for values in others:
        if values in tried:
            continue
        try:
            judged.judged(values)
        except Exception as error:  # noqa: BLE001  # a configuration that fails here is no news of the others
            print(f"{name} {algorithm} {values}: {error}", file=sys.stderr)
            continue
        tried.append(values)
    judged.keep()
    path.write_text(json.dumps(tried))
    return f"{name} {algorithm}: crossed, {time.process_time() - began:.0f} s"


def defaults_in_space(experiment: Experiment) -> Values:
    """Return the algorithm's defaults as a configuration of the space."""
    space = experiment.search_space()
    defaults = experiment.default_parameters()
    values, _ = adapted_to({name: defaults[name] for name in defaults if name in space}, space)
    return values


def shared_configurations(experiment: Experiment, count: int) -> list[Values]:
    """Return the same quasi-random configurations for every data set."""
    space = experiment.search_space()
    study = optuna.create_study(sampler=sampler("qmc", SEED, space))
    # The first point that a QMC sampler draws is independent of the sequence.
    study.optimize(lambda trial: float(bool(suggest(trial, space))), n_trials=count + 1)
    return [dict(trial.params) for trial in study.trials[1:]]


def trials_path(work: Path, name: str, algorithm: str) -> Path:
    """Return the path of the list of tried configurations, in order."""
    work.mkdir(parents=True, exist_ok=True)
    return work / f"{name}.{algorithm}.trials.json"


def best_values(options: argparse.Namespace, name: str, algorithm: str) -> Values:
    """Return the best configuration of the study of a data set, by the default metric of its problem type."""
    judged = judge(options.work, corpus.folder(options.corpus), name, algorithm)
    tried: list[Values] = json.loads(trials_path(options.work, name, algorithm).read_text())[: options.trials]
    return max(tried, key=lambda values: oriented(judged.judged(values), judged.experiment))


def tasks(options: argparse.Namespace) -> list[tuple[str, str, str]]:
    """Return data set, algorithm and kind of each step to mine, the shortest first."""
    index = corpus.index(corpus.folder(options.corpus))
    found = []
    for name, facts in index.iterrows():
        kind = str(facts["problem_type"])
        if str(name).startswith(SHIPPED) or kind not in options.kinds:
            continue
        for algorithm in options.algorithms:
            if corpus.KINDS[kind] in registry.algorithm(algorithm).problem_types:
                cost = min(facts["n_rows"], MOST_ROWS[kind]) * max(1, facts["n_classes"] - 1) * facts["n_features"]
                found.append((cost, str(name), algorithm, kind))
    return [entry[1:] for entry in sorted(found)]


def main() -> None:
    """Mine every data set with every algorithm."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", help="folder of the data sets; default E2I_CORPUS")
    parser.add_argument("--work", type=Path, required=True, help="folder for the records; a second call continues")
    parser.add_argument("--algorithms", nargs="+", default=registry.installed())
    parser.add_argument("--kinds", nargs="+", default=list(corpus.KINDS), choices=list(corpus.KINDS))
    parser.add_argument(
        "--trials", type=int, default=TRIALS, help="configurations per data set besides those of other sets"
    )
    parser.add_argument(
        "--shared", type=int, default=SHARED, help="number of these that are the same for every data set"
    )
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    options = parser.parse_args()
    found = tasks(options)
    with ProcessPoolExecutor(options.processes) as pool:
        names, algorithms = [name for name, _, _ in found], [algorithm for _, algorithm, _ in found]
        same = [options] * len(found)
        _told(pool.map(mined, same, names, algorithms))
        best = dict(zip(found, pool.map(best_values, same, names, algorithms), strict=True))
        _told(pool.map(crossed, same, names, algorithms, [_others(best, *task) for task in found]))


def _others(best: Mapping[tuple[str, str, str], Values], name: str, algorithm: str, kind: str) -> list[Values]:
    return [values for (other, one, k), values in best.items() if (one, k) == (algorithm, kind) and other != name]


def _told(lines: Iterable[str]) -> None:
    for line in lines:
        print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
