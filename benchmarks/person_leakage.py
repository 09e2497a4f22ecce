"""The effect of a person in two splits on a metric: the same rows, model and metric, split by row and by person.

The RAND sample has up to five years of each person. With a split by row, most persons of the test rows are also in
train; with a split by person, as in the shipped experiments, none is.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import corpus, report
from e2i_assets.adapters.sources import datasets
from e2i_assets.core.data.dataset import dataset_of
from e2i_assets.core.data.splits import assign, entity_keys, strategy
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.file import experiment_from
from e2i_assets.core.experiments.yaml_documents import read_mapping
from e2i_assets.core.metrics import metric
from e2i_assets.core.search.tuning import defaults, experiment_fit_context, fixed, patience

EXPERIMENT = Path("experiments") / "rand_visits.yaml"
ALGORITHMS = ("RandomForest", "ExtraTrees", "LightGBM", "Ridge")


def experiment(algorithm: str, by_persons: bool, seed: int) -> Experiment:
    """Return the shipped experiment with another algorithm and seed, split by person or by row."""
    raw: dict[str, Any] = dict(read_mapping(EXPERIMENT.read_text(encoding="utf-8"), str(EXPERIMENT)))
    columns = dict(raw["columns"])
    if not by_persons:
        columns["drop"] = [*columns["drop"], columns.pop("group")]
    return experiment_from(raw | {"algorithm": algorithm, "columns": columns, "split": {"seed": seed}}, str(EXPERIMENT))


def score(asked: Experiment) -> tuple[float, float]:
    """Return R² on the test rows, and the share of test rows whose person is also in train."""
    raw = datasets.load(asked.source, Path(), {})
    data = dataset_of(raw, asked)
    grouped = asked.columns.group is not None
    keys = entity_keys(data.frame, data.group, data.ids)
    roles = assign(keys, strategy(asked.problem_type, grouped, False), asked.split.seed).roles
    facts = corpus.split_facts(asked, data, "group" if grouped else "random")
    parts = {role: facts.rows(data.frame.loc[roles == role]) for role in ("train", "validation", "test")}
    fit_context = experiment_fit_context(asked, facts, parts["train"], parts["validation"])
    fit = fit_context.fit(defaults(asked) | fixed(asked), patience=patience(asked))
    found = metric("r2", "regression").score(
        parts["test"].target.to_numpy(dtype=float), fit_context.on(fit, parts["test"])
    )
    persons = raw["zper"]
    return found, float(persons[roles == "test"].isin(set(persons[roles == "train"])).mean())


def main() -> None:
    """Measure, and write benchmarks/results/person_leakage.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="splits of each kind; the mean is shown")
    seeds = range(42, 42 + parser.parse_args().seeds)
    rows: list[list[object]] = []
    for algorithm in ALGORITHMS:
        line: list[object] = [algorithm]
        for by_persons in (False, True):
            found = np.array([score(experiment(algorithm, by_persons, seed)) for seed in seeds])
            line += [f"{found[:, 0].mean():.3f} ± {found[:, 0].std():.3f}", f"{found[:, 1].mean():.0%}"]
        rows.append(line)
    heads = ["default parameters", "R² by rows", "test persons seen", "R² by persons", "test persons seen"]
    notes = "Mean and standard deviation over splits; R² on the test rows, which were not used for any choice."
    report.write(
        report.RESULTS / "person_leakage.md",
        "Why all rows of a person are in one split",
        report.machine("lightgbm", "scikit-learn"),
        [report.Table("Doctor visits of the RAND Health Insurance Experiment (20,190 rows)", heads, rows, notes)],
        ".venv/bin/python -m benchmarks.person_leakage",
    )


if __name__ == "__main__":
    main()
