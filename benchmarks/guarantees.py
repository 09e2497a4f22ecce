"""The cost of all gates and checks relative to a study, and its growth with the number of rows.

Each step runs as in the graph and in `e2i check`, on synthetic rows with groups, times, categories and missing values.
The study has the default budget of the algorithm; it is timed on the smallest table only.
"""

import argparse
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import lightgbm
import numpy as np
import optuna
import pandas as pd
import pandera.pandas
import sklearn.tree

from benchmarks import corpus, report
from e2i_assets.core.content_hash import frame_hash
from e2i_assets.core.contracts.contract import HpoOutput
from e2i_assets.core.contracts.violations import violations_of
from e2i_assets.core.data import table_schema
from e2i_assets.core.data.dataset import Dataset, dataset_of, schema_of
from e2i_assets.core.data.quality import assess, gate
from e2i_assets.core.data.split_rules import violations
from e2i_assets.core.data.split_tables import SearchRows
from e2i_assets.core.data.splits import Assignment, assign, entity_keys, strategy
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.file import experiment_from
from e2i_assets.core.leakage import audit
from e2i_assets.core.leakage.one_feature import Part
from e2i_assets.core.search import tuning
from e2i_assets.core.search.study import search
from e2i_assets.core.search.study_output import hpo_output

# Imported before the measurement: a run has imported them for its study.
LIBRARIES = (lightgbm, pandera.pandas, sklearn.tree)
SIZES = (20_000, 100_000, 1_000_000)


def table(rows: int) -> pd.DataFrame:
    """Return five visits per person, with 20 numbers, two of them with missing values, and 5 categories."""
    draws = np.random.default_rng(17)
    frame = pd.DataFrame(draws.normal(size=(rows, 20)), columns=[f"number_{at}" for at in range(20)])
    for at in range(5):
        frame[f"category_{at}"] = draws.choice(list("abcdefgh")[: at + 3], rows)
    for name in ("number_3", "number_4"):
        frame[name] = frame[name].where(draws.random(rows) > 0.1)
    frame["person"] = np.arange(rows) // 5
    signal = frame["number_0"] + frame["number_1"] * frame["number_2"] + (frame["category_0"] == "a")
    frame["outcome"] = np.where(signal + draws.normal(size=rows) > 1.5, "yes", "no")
    return frame


def experiment(trials: int | None) -> Experiment:
    """Return the experiment of these rows, with the default budget unless another is given."""
    raw: dict[str, Any] = {
        "name": "guarantees",
        "owner": "team:benchmarks",
        "source": {"csv": "none.csv"},
        "target": "outcome",
        "problem_type": "binary_classification",
        "columns": {"group": "person"},
        "algorithm": "LightGBM",
    }
    return experiment_from(raw | ({"hpo": {"trials": trials}} if trials else {}), "guarantees")


def timed(step: Callable[[], Any]) -> tuple[Any, float]:
    """Return the result of a step and its seconds."""
    began = time.perf_counter()
    made = step()
    return made, time.perf_counter() - began


def gates(rows: int) -> tuple[dict[str, float], SearchRows]:
    """Run every gate and check on the data once; return their seconds and the rows for a study."""
    asked, raw = experiment(None), table(rows)
    data: Dataset = dataset_of(raw, asked)
    text = table_schema.inferred(data, asked.name)
    keys = entity_keys(data.frame, data.group, data.ids)
    how = strategy(data.problem_type, True, False)
    split: Assignment = assign(keys, how, 42, strata=data.frame[data.target].map(data.classes.index))
    facts = corpus.split_facts(asked, data, how)
    parts = {role: data.frame[split.roles == role] for role in audit.EVALUATED}
    searched = SearchRows(facts, facts.rows(parts["train"]), facts.rows(parts["validation"]))
    train, validation = (Part(of.features, of.target) for of in (searched.train, searched.validation))
    judged = {role: part[[*data.features, data.target]] for role, part in parts.items()}
    steps: dict[str, Callable[[], Any]] = {
        "quality report and gate": lambda: gate(assess(data, asked.name, datetime.now(UTC))),
        "table schema": lambda: schema_of(data).validate(data.frame, lazy=True),
        "schema file": lambda: table_schema.violations(text, "guarantees.yaml", data, ()),
        "content hash": lambda: frame_hash(data.frame),
        "shares, entities, order": lambda: violations(split),
        "target of another row": lambda: audit.shifted(data, asked.leakage),
        "one feature alone": lambda: audit.one_feature_model(train, validation, data.classes, asked.leakage),
        "copies across splits": lambda: audit.copied(judged, asked.leakage),
    }
    seconds = {}
    for name, step in steps.items():
        seconds[name] = min(timed(step)[1] for _ in range(2 if rows <= 100_000 else 1))
    return seconds, searched


def study(rows: SearchRows, trials: int | None) -> tuple[float, float]:
    """Return the seconds of a study, and of validating its output against the contract."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    asked = experiment(trials)
    storage = optuna.storages.InMemoryStorage()
    result, seconds = timed(lambda: search(tuning.objective(asked, rows), tuning.plan(asked, "guarantees"), storage))
    output: HpoOutput = hpo_output(asked, "0" * 64, result)
    return seconds, timed(lambda: _judged(asked, output))[1]


def _judged(asked: Experiment, output: HpoOutput) -> object:
    return violations_of(output.model_dump(), asked.search_space(), tuning.fixed(asked), tuning.defaults(asked))


def main() -> None:
    """Measure, and write benchmarks/results/guarantees.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="rows; a study of the first is timed")
    parser.add_argument("--trials", type=int, default=None, help="of the study; default: the default budget")
    options = parser.parse_args()
    found: dict[int, dict[str, float]] = {}
    spent = contract = 0.0
    for size in options.sizes:
        found[size], searched = gates(size)
        if not spent:
            spent, contract = study(searched, options.trials)
            found[size]["output contract"] = contract
    names = list(found[options.sizes[0]])
    growth: list[list[object]] = [[name, *(of.get(name, contract) for of in found.values())] for name in names]
    growth.append(["all", *(sum(of.values()) for of in found.values())])
    once = sum(found[options.sizes[0]].values())
    # The graph audits leakage when it splits, and each check reads the stored data again.
    twice = once + sum(found[options.sizes[0]][name] for name in names if name in LOOKED_FOR_TWICE)
    shares: list[list[object]] = [
        ["a study with the default budget" if options.trials is None else f"{options.trials} trials", spent, ""],
        ["all gates and checks of one run", twice, f"{twice / spent:.1%}"],
        ["all of them again, as `e2i check` does", once, f"{once / spent:.1%}"],
    ]
    heads = ["seconds", *(f"{size:,} rows" for size in found)]
    report.write(
        report.RESULTS / "guarantees.md",
        "Cost of gates and checks",
        report.machine("lightgbm", "pandera", "scikit-learn", "pandas"),
        [
            report.Table(f"Relative to a study of {options.sizes[0]:,} rows", ["", "seconds", "share"], shares),
            report.Table("By number of rows", heads, growth, "Wall time; the faster of two for the smaller tables."),
        ],
        ".venv/bin/python -m benchmarks.guarantees",
    )


LOOKED_FOR_TWICE = ("target of another row", "one feature alone", "copies across splits", "shares, entities, order")

if __name__ == "__main__":
    main()
