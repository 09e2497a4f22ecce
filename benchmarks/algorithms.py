"""Algorithms compared in one budget of trials, against each of them alone with all trials of that budget.

Each algorithm is searched alone; then `auto` (a linear model, LightGBM and XGBoost), and a list of all algorithms,
share as many trials, by the functions of the product. What each way chooses is trained as the product does, and
evaluated on the test and holdout rows, which no search and no fit has seen. The error is 1 - ROC AUC, log loss or RMSE,
which the searches optimise too. With `--flaml`, FLAML has the CPU seconds of `auto` for its own choice of learners, and
retrains its best model on all rows. With `--autogluon`, AutoGluon has ten times as many, for its preset `best_quality`
without stacking and LightGBM, XGBoost and CatBoost. A second call continues where the first stopped.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna

from benchmarks import corpus, recorded, report, rivals
from benchmarks.final_model import by_product, error
from e2i_assets.core.algorithms import registry
from e2i_assets.core.data.split_tables import SearchRows, TrainingRows
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.fitting.fit_context import Rows
from e2i_assets.core.search import tuning
from e2i_assets.core.search.algorithm_comparison import compared
from e2i_assets.core.search.final_model_choice import used_final_model
from e2i_assets.core.search.study import search
from e2i_assets.core.search.study_output import hpo_output
from e2i_assets.core.search.study_result import StudyResult

DATA_SETS = ("credit_data", "wage", "contraceptive", "phoneme", "nmes_visits", "attrition")
AUTO, ALL, BEST_VALUE = "auto", "all algorithms", "auto, best value"
FLAML, AUTOGLUON, ENSEMBLE = "FLAML, its own learners", "AutoGluon, best single model", "AutoGluon, ensemble"
BOOSTERS = ("LightGBM", "XGBoost")
_LINEAR = {"binary": "LogisticRegression", "multiclass": "LogisticRegression", "regression": "Ridge"}

Record = dict[str, Any]
Problem = tuple[Experiment, SearchRows, Rows]


def studies(rows: SearchRows) -> Callable[[Experiment], StudyResult]:
    """Return a function that runs or resumes the study of an experiment in memory."""
    storage = optuna.storages.InMemoryStorage()

    def searched(of: Experiment) -> StudyResult:
        plan = tuning.plan(of, tuning.spec_hash(of, rows.facts))
        return search(tuning.objective(of, rows), plan, storage)

    return searched


def trained(experiment: Experiment, rows: SearchRows, unseen: Rows, result: StudyResult | None) -> float:
    """Train the final model as the product does, and return the error on the unseen rows."""
    given = TrainingRows(rows.facts, rows.train, rows.validation, unseen)
    output = hpo_output(experiment, "benchmark", result)
    fits = by_product(experiment, used_final_model(experiment, rows.facts), given, output)
    return error(experiment, *fits.predictions["test"])


def _problem(options: argparse.Namespace, name: str, seed: int, way: str | Sequence[str]) -> Problem:
    folder = corpus.folder(options.corpus)
    return corpus.problem_with_unseen(
        folder,
        name,
        way if isinstance(way, str) else list(way),
        options.rows,
        hpo={"trials": options.trials, "seed": seed, "workers": 1},
        split={"seed": seed},
        metric=corpus.metric_of(folder, name),
    )


def measured(options: argparse.Namespace, name: str, seed: int, way: str | Sequence[str]) -> Record:
    """Search and train in one way: an algorithm, a list of algorithms, or auto; CPU seconds are of both."""
    experiment, rows, unseen = _problem(options, name, seed, way)
    began = time.process_time()
    if len(experiment.contenders) == 1:
        found = trained(experiment, rows, unseen, studies(rows)(experiment))
        return {"error": found, "seconds": time.process_time() - began}
    tuned = compared(experiment, experiment.contenders, rows, studies(rows))
    found = trained(tuned.decided(experiment), rows, unseen, tuned.result)
    seconds = time.process_time() - began
    board = tuned.leaderboard or []
    by_value = max((tuned, *(tuned.others or ())), key=_best_value)
    return {
        "error": found,
        "seconds": seconds,
        "trained": tuned.algorithm,
        "trials": {row.algorithm: row.trials for row in board},
        BEST_VALUE: trained(by_value.decided(experiment), rows, unseen, by_value.result),
        "best": by_value.algorithm,
    }


def _best_value(tuned: tuning.Tuned) -> float:
    best = tuned.result.best if tuned.result else None
    return -np.inf if best is None or best.value is None else best.value


def records(options: argparse.Namespace) -> dict[tuple[str, int], dict[str, Record]]:
    """Measure what the work folder lacks, the rivals and all algorithms last, and return the pairs that have `auto`."""
    found: dict[tuple[str, int], dict[str, Record]] = {}
    for last in (False, True):
        for name, seed in _pairs(options):
            path = options.work / f"{name}.{seed}.{options.trials}.{options.rows}.json"
            known: dict[str, Record] = json.loads(path.read_text()) if path.exists() else {}
            kind = str(corpus.index(corpus.folder(options.corpus)).loc[name, "problem_type"])
            ways = (_LINEAR[kind], *BOOSTERS, AUTO)
            every = [one for one in registry.able(corpus.KINDS[kind]) if registry.algorithm(one).extra is None]
            for key in (ALL, *_rivals(options)) if last else ways:
                if key not in known and not options.only_report:
                    if key in (FLAML, AUTOGLUON):
                        known[key] = _by_rival(options, name, seed, key, known[AUTO]["seconds"])
                    else:
                        known[key] = measured(options, name, seed, every if key == ALL else key)
                    path.write_text(json.dumps(known))
                    print(name, seed, key, known[key], flush=True)
            if AUTO in known:
                found[name, seed] = known
    return found


def _rivals(options: argparse.Namespace) -> list[str]:
    return [*([FLAML] if options.flaml else []), *([AUTOGLUON] if options.autogluon else [])]


def _by_rival(options: argparse.Namespace, name: str, seed: int, rival: str, seconds: float) -> Record:
    """Let FLAML use the CPU seconds of `auto`, or AutoGluon ten times as many."""
    problem = _problem(options, name, seed, AUTO)
    if rival == FLAML:
        return rivals.at_equal_cpu(*problem, seed, seconds, "auto")
    return rivals.autogluon(options.autogluon, *problem, 10 * seconds)


def _pairs(options: argparse.Namespace) -> Iterator[tuple[str, int]]:
    for seed in range(options.splits):
        for name in options.data_sets:
            yield name, seed


def _singles(known: Mapping[str, Record]) -> dict[str, Record]:
    return {name: one for name, one in known.items() if name not in (AUTO, ALL, FLAML, AUTOGLUON)}


def tables(found: Mapping[tuple[str, int], dict[str, Record]]) -> list[report.Table]:
    """Return the summary against each single algorithm, and what was chosen on each pair."""
    every = list(found.values())

    def linear(known: Mapping[str, Record]) -> Record:
        return next(one for name, one in _singles(known).items() if name not in BOOSTERS)

    references: dict[str, Callable[[Mapping[str, Record]], Record]] = {
        "the linear model alone": linear,
        "LightGBM alone": lambda known: known["LightGBM"],
        "XGBoost alone": lambda known: known["XGBoost"],
        "the best of the three on the unseen rows": lambda known: min(
            _singles(known).values(), key=lambda one: one["error"]
        ),
        "the worst of the three on the unseen rows": lambda known: max(
            _singles(known).values(), key=lambda one: one["error"]
        ),
        FLAML: lambda known: known.get(FLAML, {}),
        AUTOGLUON: lambda known: known.get(AUTOGLUON, {}),
        ENSEMBLE: lambda known: {**known[AUTOGLUON], "error": known[AUTOGLUON][ENSEMBLE]} if AUTOGLUON in known else {},
    }
    ways: dict[str, Callable[[Mapping[str, Record]], float]] = {
        AUTO: lambda known: known[AUTO]["error"],
        BEST_VALUE: lambda known: known[AUTO][BEST_VALUE],
        ALL: lambda known: known[ALL]["error"],
    }
    summary = []
    for way, of_way in ways.items():
        for name, reference in references.items():
            search = ALL if way == ALL else AUTO
            having = [known for known in every if search in known and reference(known)]
            if not having:
                continue
            errors = np.array([of_way(known) / reference(known)["error"] for known in having])
            cpu = [known[search]["seconds"] / reference(known)["seconds"] for known in having]
            summary.append(
                [
                    way,
                    name,
                    len(having),
                    report.geometric_mean(errors),
                    f"{(errors <= 1).mean():.0%}",
                    report.geometric_mean(cpu),
                ]
            )
    seconds = (*BOOSTERS, AUTO, ALL, FLAML, AUTOGLUON)
    pairs = [
        [
            f"{name}, split {seed}",
            *(f"{one['error']:.4g}" for one in _singles(known).values()),
            f"{known[AUTO]['error']:.4g} ({known[AUTO]['trained']})",
            f"{known[AUTO][BEST_VALUE]:.4g} ({known[AUTO]['best']})",
            *(
                f"{known[way]['error']:.4g} ({known[way]['trained']})" if way in known else ""
                for way in (ALL, FLAML, AUTOGLUON)
            ),
            *(f"{known[way]['seconds']:.1f}" if way in known else "" for way in seconds),
        ]
        for (name, seed), known in found.items()
    ]
    notes = (
        "Error: geometric mean over the pairs of the ratio to the reference, which has all trials for itself. Better: "
        "the share of pairs with an error that is not larger. CPU: of the search, the fits for the noise and the final "
        f"fit. `{BEST_VALUE}` trains the best value of the same studies, without the rule of one standard error."
    )
    columns = ["linear", *BOOSTERS, AUTO, BEST_VALUE, ALL, FLAML, AUTOGLUON]
    return [
        report.Table("Summary", ["way", "against", "pairs", "error", "better", "CPU"], summary, notes),
        report.Table(
            "Errors on unseen rows, and what was trained",
            ["data set", *columns, *(f"CPU s: {one}" for one in seconds)],
            pairs,
        ),
    ]


def main() -> None:
    """Measure what the work folder lacks, and write the report."""
    parser = recorded.parser("algorithms", __doc__)
    parser.add_argument("--trials", type=int, default=24)
    parser.add_argument("--rows", type=int, default=4_000, help="the most rows of a data set: a random sample")
    parser.add_argument("--splits", type=int, default=2)
    parser.add_argument("--data-sets", nargs="+", default=DATA_SETS)
    parser.add_argument("--flaml", action="store_true", help="compare auto with FLAML, which is not in the lock")
    parser.add_argument("--autogluon", type=Path, help="an interpreter with AutoGluon: see autogluon_models.py")
    options = recorded.begun(parser)
    found = records(options)
    flags = {FLAML: " --flaml", AUTOGLUON: " --autogluon PYTHON"}
    report.write(
        options.output,
        "Algorithms in one budget of trials",
        report.machine("optuna", "xgboost", "lightgbm", "scikit-learn"),
        tables(found),
        command=f"E2I_CORPUS=... .venv/bin/python -m benchmarks.algorithms --trials {options.trials} "
        f"--splits {options.splits} --rows {options.rows}"
        + "".join(flag for way, flag in flags.items() if any(way in known for known in found.values())),
    )


if __name__ == "__main__":
    main()
