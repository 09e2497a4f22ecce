"""Mine the starter memory: studies of public tables on folds, with every metric for each configuration.

For a table and an algorithm there are three steps, on train and validation rows only: the defaults and the same
quasi-random configurations for all tables, which make problems comparable; a TPE study on top of them; and the best
configurations of the other tables of the same problem type, so that what a warm start proposes was tried elsewhere.

A study ends after a number of configurations or of CPU seconds, but has a minimum number of configurations. The
algorithms of a table are mined one after the other, cheap tables first: a run that is ended early has all algorithms of
some tables, and not some algorithms of all tables, which would decide which algorithm counts as the best one.

The records are in a work folder; a second call continues where the first stopped, and tries further configurations of
other tables. `benchmarks.starter_file` writes the shipped file from them.
"""

import argparse
import json
import os
import sys
import time
import warnings
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypedDict

import optuna

from benchmarks import corpus
from benchmarks.few_trials_ways import described
from e2i_assets.core.algorithms import registry
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.fitting.fit_context import merged
from e2i_assets.core.metrics import METRICS
from e2i_assets.core.search import tuning
from e2i_assets.core.search.goals import metric_goal
from e2i_assets.core.search.samplers import sampler
from e2i_assets.core.search.schemes import Scheme
from e2i_assets.core.search_space.space import adapted_to, settled, suggest

# The data of the shipped experiments: the starter memory must not contain their studies.
SHIPPED = ("randhie", "medexp")
# Enough rows to distinguish configurations on folds, and few enough to fit each of them five times.
MOST_ROWS = {"binary": 4_000, "regression": 4_000, "multiclass": 2_500}
SHARED = 10
# Most studies are of these, and their spaces are the largest. The others get a third of the seconds.
BOOSTED = ("LightGBM", "XGBoost")
SEED = 7

Values = dict[str, Any]


class Tried(TypedDict):
    """A configuration, its value by each metric in the usual sign, and the CPU seconds of its fits."""

    values: Values
    measures: dict[str, float]
    seconds: float


@dataclass(slots=True)
class Mined:
    """The record of an algorithm on a table: a file, written when a step ends.

    Attributes:
        experiment: The experiment to search.
        scheme: Its folds.
        path: The file.
        tried: The configurations in the order of trying, the defaults first.
    """

    experiment: Experiment
    scheme: Scheme
    path: Path
    tried: list[Tried] = field(default_factory=list)

    def value(self, values: Values) -> float:
        """Return the experiment's metric of a configuration, higher is better; fit it unless it is recorded.

        Raises:
            E2iError: The configuration cannot be evaluated on these rows.
        """
        found = next((one for one in self.tried if one["values"] == values), None)
        if found is None:
            found = self._tried(values)
            self.tried.append(found)
        return oriented(found, self.experiment)

    def spent(self) -> float:
        """Return the CPU seconds of all fits."""
        return sum(one["seconds"] for one in self.tried)

    def keep(self) -> None:
        """Write the file atomically."""
        unfinished = self.path.with_suffix(".part")
        unfinished.write_text(json.dumps(self.tried))
        unfinished.replace(self.path)

    def _tried(self, values: Values) -> Tried:
        began = time.process_time()
        drawn = settled(dict(values), self.experiment.search_space())
        parameters = merged(tuning.defaults(self.experiment), drawn, tuning.fixed(self.experiment))
        goals = [metric_goal(metric) for metric in METRICS[self.experiment.problem_type].values()]
        outcome = self.scheme.outcome(parameters, goals, tuning.patience(self.experiment))
        measures = {name: float(f"{value:.7g}") for name, value in outcome.measures.items()}
        return {"values": values, "measures": measures, "seconds": round(time.process_time() - began, 4)}


def oriented(found: Tried, experiment: Experiment) -> float:
    """Return the experiment's metric of a configuration, higher is better."""
    return METRICS[experiment.problem_type][experiment.metric].oriented(found["measures"][experiment.metric])


def prepared(options: argparse.Namespace, name: str, algorithm: str) -> Mined:
    """Return the record of an algorithm on a table, with the rows prepared; write the table's meta-features once."""
    os.environ["OMP_NUM_THREADS"] = "1"
    warnings.simplefilter("ignore")  # of fits that do not converge
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    folder = corpus.folder(options.corpus)
    kind = str(corpus.index(folder).loc[name, "problem_type"])
    experiment, rows, _ = corpus.problem_with_test(
        folder, name, algorithm, MOST_ROWS[kind], hpo={"objective": "cross_validation", "workers": 1}
    )
    if not meta_path(options.work, name).exists():
        meta_path(options.work, name).write_text(json.dumps(described(experiment, rows)))
    path = record_path(options.work, name, algorithm)
    tried = json.loads(path.read_text()) if path.exists() else []
    return Mined(experiment, tuning.scheme(experiment, rows), path, tried)


def mined(options: argparse.Namespace, name: str, algorithm: str) -> str:
    """Try the defaults, the shared configurations and those of a study on top."""
    path = record_path(options.work, name, algorithm)
    if path.exists():
        return f"{name} {algorithm}: there"
    record = prepared(options, name, algorithm)
    space = record.experiment.search_space()
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(
            seed=SEED, n_startup_trials=SHARED, multivariate=True, group=any(one.when for one in space.values())
        ),
    )
    study.enqueue_trial(defaults_in_space(record.experiment))
    for values in shared_configurations(record.experiment, SHARED - 1):
        study.enqueue_trial(values)

    def enough(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        if trial.number + 1 >= SHARED and record.spent() > seconds_for(options, algorithm):
            study.stop()

    study.optimize(
        lambda trial: record.value(suggest(trial, space)),
        n_trials=options.trials,
        catch=(E2iError, ValueError),
        callbacks=[enough],
    )
    record.keep()
    return f"{name} {algorithm}: {len(record.tried)} configurations, {record.spent():.0f} s"


def crossed(options: argparse.Namespace, name: str, algorithm: str, others: Sequence[Values]) -> str:
    """Try the best configurations of the other tables on this one, of cheap tables first, while there are seconds."""
    record = prepared(options, name, algorithm)
    began, before = record.spent(), len(record.tried)
    most = seconds_for(options, algorithm) / 2
    for values in others:
        if record.spent() - began > most or len(record.tried) >= options.trials:
            break
        try:
            record.value(values)
        except (E2iError, ValueError) as error:
            print(f"{name} {algorithm} {values}: {error}", file=sys.stderr)
    record.keep()
    return f"{name} {algorithm}: {len(record.tried) - before} of other tables, {record.spent() - began:.0f} s"


def seconds_for(options: argparse.Namespace, algorithm: str) -> float:
    """Return the CPU seconds for the study of an algorithm on a table."""
    return float(options.seconds if algorithm in BOOSTED else options.seconds / 3)


def defaults_in_space(experiment: Experiment) -> Values:
    """Return the algorithm's defaults as a configuration of the space."""
    space = experiment.search_space()
    defaults = experiment.default_parameters()
    values, _ = adapted_to({name: defaults[name] for name in defaults if name in space}, space)
    return values


def shared_configurations(experiment: Experiment, count: int) -> list[Values]:
    """Return the same quasi-random configurations for every table."""
    space = experiment.search_space()
    study = optuna.create_study(sampler=sampler("qmc", SEED, space))
    # The first point that a QMC sampler draws is independent of the sequence.
    study.optimize(lambda trial: float(bool(suggest(trial, space))), n_trials=count + 1)
    return [dict(trial.params) for trial in study.trials[1:]]


def record_path(work: Path, name: str, algorithm: str) -> Path:
    """Return the path of the record of an algorithm on a table."""
    return work / f"{name}.{algorithm}.json"


def meta_path(work: Path, name: str) -> Path:
    """Return the path of the meta-features of a table."""
    return work / f"{name}.meta.json"


def tasks(options: argparse.Namespace) -> list[tuple[str, str]]:
    """Return each table with each algorithm that can learn it, the cheapest table first."""
    index = corpus.index(corpus.folder(options.corpus))
    found = []
    for name, facts in index.iterrows():
        kind = str(facts["problem_type"])
        if str(name).startswith(SHIPPED) or kind not in options.kinds:
            continue
        cost = min(facts["n_rows"], MOST_ROWS[kind]) * max(1, facts["n_classes"] - 1) * facts["n_features"]
        algorithms = [one for one in options.algorithms if corpus.KINDS[kind] in registry.algorithm(one).problem_types]
        found += [(cost, str(name), algorithm) for algorithm in algorithms]
    names = list(dict.fromkeys(name for _, name, _ in sorted(found)))[: options.tables]
    return [entry[1:] for entry in sorted(found) if entry[1] in names]


def main() -> None:
    """Mine every table with every algorithm."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", help="folder of the data sets; default E2I_CORPUS")
    parser.add_argument("--work", type=Path, required=True, help="folder for the records; a second call continues")
    parser.add_argument("--algorithms", nargs="+", default=registry.installed())
    parser.add_argument("--kinds", nargs="+", default=list(corpus.KINDS), choices=list(corpus.KINDS))
    parser.add_argument("--tables", type=int, help="only so many tables, the cheapest ones")
    parser.add_argument("--trials", type=int, default=100, help="most configurations of a study")
    parser.add_argument("--seconds", type=float, default=30, help="CPU seconds of a study of boosted trees")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    found = tasks(options)
    with ProcessPoolExecutor(options.processes) as pool:
        _told(pool.map(mined, [options] * len(found), *zip(*found, strict=True)))
        best = {task: _best(options, *task) for task in found}
        others = [_others(options, best, *task) for task in found]
        _told(pool.map(crossed, [options] * len(found), *zip(*found, strict=True), others))


def _best(options: argparse.Namespace, name: str, algorithm: str) -> Values:
    facts = corpus.index(corpus.folder(options.corpus)).loc[name]
    experiment = corpus.experiment_of(facts, name, algorithm)
    tried: list[Tried] = json.loads(record_path(options.work, name, algorithm).read_text())
    return max(tried, key=lambda one: oriented(one, experiment))["values"]


def _others(
    options: argparse.Namespace, best: dict[tuple[str, str], Values], name: str, algorithm: str
) -> list[Values]:
    kinds = corpus.index(corpus.folder(options.corpus))["problem_type"]
    return [
        values
        for (other, one), values in best.items()
        if one == algorithm and other != name and kinds[other] == kinds[name]
    ]


def _told(lines: Iterable[str]) -> None:
    for line in lines:
        print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
