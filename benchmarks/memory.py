"""The gain of the memory: studies of unseen tables with different warm starts, compared trial by trial.

For each table, the memory contains the studies of the other tables with the same problem type (mined by
`benchmarks.starter_memory`), except those from its own source. The variants differ in the first trials; afterwards all
use the product's search, without pruning and with early stopping. Validation regret: 0 is the best of the cold studies,
1 a median random configuration. Test regret is the distance to the models that the cold studies would have trained, in
units of their distance to a median random configuration: 0 is equally good, below 0 is better.
"""

import argparse
import json
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from benchmarks import corpus, memory_report, rivals
from benchmarks.judging import Judge, judge, oriented
from benchmarks.starter_memory import defaults_in_space, shared_configurations, trials_path
from e2i_assets.core.fitting.fit_context import target_codes
from e2i_assets.core.memory.meta_features import meta_features
from e2i_assets.core.memory.meta_vector import meta_vector, similarity
from e2i_assets.core.memory.portfolio import tries
from e2i_assets.core.memory.warm_start import Pattern, WarmStart, warm_start
from e2i_assets.core.metrics import metric
from e2i_assets.core.search import tuning
from e2i_assets.core.search.goals import metric_goal
from e2i_assets.core.search.objective import Objective
from e2i_assets.core.search.proposals import Proposal, Proposer, in_order
from e2i_assets.core.search.study import search

# Data sets that share rows.
SAME_SOURCE = {"loans_rate": "loans", "loan_grade": "loans", "optdigits": "digits", "digits": "digits"}
SEEDS = (0, 1, 2)
BUDGET = 60
LONG = ("cold", "ours")
DRAWN = "random configurations, rounds drawn"
AT_MOST = 10
RANDOM = 24

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Course:
    """The results of a study, trial by trial: shape (trials,) each.

    Attributes:
        validation, test: Values of each trial, higher is better.
        seconds: CPU seconds of each fit.
    """

    validation: list[float]
    test: list[float]
    seconds: list[float]


def past(options: argparse.Namespace, name: str, algorithm: str) -> list[Pattern]:
    """Return the patterns of the other data sets, most similar first."""
    index = corpus.index(corpus.folder(options.corpus))
    kind = index.loc[name, "problem_type"]
    here = json.loads((options.work / f"{name}.meta.json").read_text())
    found = []
    for other in index.index[index["problem_type"] == kind]:
        path = trials_path(options.work, other, algorithm)
        same = other == name or SAME_SOURCE.get(other, other) == SAME_SOURCE.get(name, name)
        if same or not path.exists():
            continue
        judged = judge_lightly(options, other, algorithm)
        trials = sorted(judged, key=lambda one: -one["value"])
        there = json.loads((options.work / f"{other}.meta.json").read_text())
        found.append(
            Pattern(
                pattern_id=other,
                study_name=other,
                similarity=similarity(meta_vector(here), meta_vector(there)),
                top=tuple(trials[: options.top]),
                trials=tuple(judged),
            )
        )
    return sorted(found, key=lambda one: -one.similarity)


def judge_lightly(options: argparse.Namespace, name: str, algorithm: str) -> list[Values]:
    """Return the mined configurations of a data set and their values, from a small cached file."""
    path = options.work / f"{name}.{algorithm}.light.json"
    if not path.exists():
        judged = judge(options.work, corpus.folder(options.corpus), name, algorithm)
        tried = json.loads(trials_path(options.work, name, algorithm).read_text())
        found = [{"values": one, "value": oriented(judged.judged(one), judged.experiment)} for one in tried]
        path.write_text(json.dumps(found))
    light: list[Values] = json.loads(path.read_text())
    return light


def described(options: argparse.Namespace, name: str) -> None:
    """Store the meta-features of a data set."""
    path = options.work / f"{name}.meta.json"
    if path.exists():
        return
    folder = corpus.folder(options.corpus)
    kind = str(corpus.index(folder).loc[name, "problem_type"])
    from benchmarks.judging import MOST_ROWS

    experiment, rows, _ = corpus.problem_with_test(folder, name, "LightGBM", MOST_ROWS[kind])
    codes = target_codes(rows.train.target, rows.facts.classes)
    path.write_text(json.dumps(meta_features(rows.train.features, codes, experiment.problem_type)))


def course(judged: Judge, proposer: Proposer, startup: int, seed: int, trials: int) -> Course:
    """Search with the product and return the result of each trial, also on test rows."""
    experiment = judged.experiment
    goal = metric_goal(metric(experiment.metric, experiment.problem_type))
    objective = Objective(
        judged,
        (goal,),
        experiment.search_space(),
        tuning.defaults(experiment),
        tuning.fixed(experiment),
        tuning.patience(experiment),
    )
    plan = replace(
        tuning.plan(experiment, "benchmark"), trials=trials, seed=seed, pruner="none", workers=1, startup_trials=startup
    )
    result = search(lambda deadline: objective, plan, optuna.storages.InMemoryStorage(), proposer)
    found = [judged.judged(trial.sampled) for trial in result.trials]
    return Course(
        validation=[oriented(one, experiment) for one in found],
        test=[oriented(one, experiment, "test") for one in found],
        seconds=[one["seconds"] for one in found],
    )


def courses(options: argparse.Namespace, name: str, algorithm: str) -> None:
    """Run every kind of start on one data set and store the results."""
    path = options.work / "courses" / f"{name}.{algorithm}.json"
    known: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    judged = judge(options.work, corpus.folder(options.corpus), name, algorithm)
    if DRAWN not in known:
        known[DRAWN] = _drawn(options, name, algorithm)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(known))
    if all(way in known for way in options.ways):
        return
    default = defaults_in_space(judged.experiment)
    random = [judged.judged(one) for one in [default, *shared_configurations(judged.experiment, RANDOM - 1)]]
    known["random configurations"] = {
        "validation": [oriented(one, judged.experiment) for one in random],
        "test": [oriented(one, judged.experiment, "test") for one in random],
    }
    memory = past(options, name, algorithm)
    for way in options.ways:
        if way in known:
            continue
        seeds = SEEDS[:1] if way in rivals.WAYS else SEEDS if way in LONG else SEEDS[:2]
        known[way] = [_as_json(_begun(way, options, judged, memory, default, seed)) for seed in seeds]
        judged.keep()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(known))


def _drawn(options: argparse.Namespace, name: str, algorithm: str) -> dict[str, list[float]]:
    """Return the results of random configurations with sampled rounds and no early stopping, a common yardstick."""
    judged = judge(
        options.work,
        corpus.folder(options.corpus),
        name,
        algorithm,
        ".drawn",
        early_stopping={"enabled": False},
        hpo={"rounds": "searched"},
    )
    found = [judged.judged(one) for one in shared_configurations(judged.experiment, RANDOM)]
    return {
        "validation": [oriented(one, judged.experiment) for one in found],
        "test": [oriented(one, judged.experiment, "test") for one in found],
    }


def _as_json(one: Course) -> dict[str, Any]:
    return {"validation": one.validation, "test": one.test, "seconds": one.seconds}


def _begun(
    way: str, options: argparse.Namespace, judged: Judge, memory: Sequence[Pattern], default: Values, seed: int
) -> Course:
    if way in rivals.WAYS:
        return Course(**rivals.run(judged, options.flaml_iterations))
    random = np.random.default_rng(seed)
    best = [one.top[0]["values"] for one in memory]
    ours = _ours(judged, memory, default)
    ways: Mapping[str, Callable[[], tuple[Proposer, int, int]]] = {
        "cold": lambda: (_listed([default]), 10, BUDGET),
        "nearest": lambda: (_listed(best[:1]), 10, 20),
        "five nearest": lambda: (_listed(best[:5]), 5, 20),
        "five random others": lambda: (_listed([best[i] for i in random.permutation(len(best))[:5]]), 5, 20),
        "FLAML zero-shot": lambda: (_listed([rivals.zero_shot(judged), default]), 10, 20),
        "portfolio of ten": lambda: (_planned(ours), ours.tries, 20),
        "ours": lambda: (ours.proposer(), ours.tries, BUDGET),
        "ours alone": lambda: (replace_tries(ours, 20).proposer(), 20, 20),
        "ours, random memory": lambda: (_ours(judged, _shuffled(memory, random), default).proposer(), ours.tries, 20),
    }
    proposer, startup, trials = ways[way]()
    return course(judged, proposer, startup, seed, trials)


def _ours(judged: Judge, memory: Sequence[Pattern], default: Values) -> WarmStart:
    return warm_start(memory, default, judged.experiment.search_space(), tries(BUDGET, AT_MOST), {}, "benchmark")


def replace_tries(start: WarmStart, count: int) -> WarmStart:
    """Return a warm start of this number of trials."""
    return start.model_copy(update={"tries": min(count, len(start.configurations) - 1)})


def _planned(start: WarmStart) -> Proposer:
    return in_order([one.proposal() for one in start.configurations[: start.tries]])


def _listed(values: Sequence[Values]) -> Proposer:
    return in_order([Proposal(dict(one), "warm_start", {}) for one in values])


def _shuffled(memory: Sequence[Pattern], random: np.random.Generator) -> list[Pattern]:
    """Return a wrong memory: the values of each study are permuted among its configurations."""
    wrong = []
    for one in memory:
        values = [trial["values"] for trial in one.trials]
        order = random.permutation(len(values))
        trials = [{**trial, "values": values[i]} for trial, i in zip(one.trials, order, strict=True)]
        top = sorted(trials, key=lambda trial: -trial["value"])[: len(one.top)]
        wrong.append(one.model_copy(update={"trials": tuple(trials), "top": tuple(top)}))
    return wrong


WAYS = (
    "cold",
    "ours",
    "FLAML zero-shot",
    "nearest",
    "five nearest",
    "five random others",
    "portfolio of ten",
    "ours alone",
    "ours, random memory",
    "FLAML AutoML",
)


def chosen_sets(options: argparse.Namespace) -> list[str]:
    """Return every second data set by name, with at most 20,000 rows and five classes."""
    index = corpus.index(corpus.folder(options.corpus))
    small = index[
        (index["n_rows"] <= 20_000) & (index["n_classes"] <= 5) & ~index.index.str.startswith(("randhie", "medexp"))
    ]
    found = []
    for _, group in small.groupby("problem_type"):
        found += sorted(group.index)[::2]
    return found


def main() -> None:
    """Run what is not stored yet, and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", help="folder of the data sets; default E2I_CORPUS")
    parser.add_argument("--work", type=Path, required=True, help="folder of what benchmarks.starter_memory has mined")
    parser.add_argument("--sets", nargs="+")
    parser.add_argument("--algorithms", nargs="+", default=["LightGBM", "XGBoost"])
    parser.add_argument("--ways", nargs="+", default=list(WAYS))
    parser.add_argument("--top", type=int, default=5, help="configurations of each pattern")
    parser.add_argument("--flaml-iterations", type=int, default=100)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    parser.add_argument("--report-only", action="store_true")
    options = parser.parse_args()
    sets = options.sets or chosen_sets(options)
    if not options.report_only:
        names = corpus.index(corpus.folder(options.corpus)).index
        with ProcessPoolExecutor(options.processes) as pool:
            list(pool.map(partial(described, options), names))
            pairs = [(name, algorithm) for name in sets for algorithm in options.algorithms]
            for done in pool.map(partial(_course_of, options), pairs):
                print(*done, flush=True)
    memory_report.write(options.work / "courses", sets, options.algorithms, options.ways)


def _course_of(options: argparse.Namespace, pair: tuple[str, str]) -> tuple[str, str]:
    courses(options, *pair)
    return pair


if __name__ == "__main__":
    main()
