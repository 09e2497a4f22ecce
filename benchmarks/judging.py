"""Evaluated configurations on public tables: each is fitted once, and later requests read the stored record.

A record has every metric of the problem type on validation and test rows, the fitted parameters, and the CPU seconds.
Each data set and algorithm has a record file in a work folder, shared by the mining and the benchmarks. A second call
continues where the first stopped. Records are not shipped unchanged: their test values are for benchmarks only.
"""

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import corpus
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.fitting.fit_context import FitContext, Rows, merged, target_codes
from e2i_assets.core.metrics import METRICS, Prediction
from e2i_assets.core.search import tuning
from e2i_assets.core.search.goals import Goal
from e2i_assets.core.search.schemes import Outcome, Report
from e2i_assets.core.search_space.space import settled

# Enough rows to distinguish configurations, and few enough to search every data set many times.
MOST_ROWS = {"binary": 12_000, "regression": 12_000, "multiclass": 4_000}
_EVERY_SECONDS = 20.0

Judged = dict[str, Any]


@dataclass(slots=True)
class Judge:
    """Evaluates configurations of one algorithm on one table; it is a `Scheme`, so that the product can search with it.

    Attributes:
        experiment: The experiment to search.
        bench: Its prepared train and validation rows.
        test: The test rows, which no search uses.
        path: The record file.
        record: The evaluated configurations, by their full parameter set.
    """

    experiment: Experiment
    fit_context: FitContext
    test: Rows
    path: Path
    record: dict[str, Judged] = field(default_factory=dict)
    kept_at: float = 0.0

    @property
    def folds(self) -> int:
        """None: see `Scheme`."""
        return 0

    def judged(self, values: Mapping[str, Any]) -> Judged:
        """Return the result of a configuration of the search space."""
        return self._found(_parameters(self.experiment, values)) | {"values": dict(values)}

    def outcome(
        self, parameters: Mapping[str, Any], goals: Sequence[Goal], patience: int | None, report: Report | None = None
    ) -> Outcome:
        """Evaluate a full parameter set; see `Scheme`. There are no reports, because records have no learning curve."""
        found = self._found(parameters)
        return Outcome(
            measures={goal.name: found["measures"][goal.name] for goal in goals},
            parameters={**parameters, **found["used"]},
            rounds=found["rounds"],
            stopped_early=found["stopped_early"],
        )

    def again(
        self, parameters: Mapping[str, Any], goals: Sequence[Goal], fold_rounds: Sequence[int] = ()
    ) -> dict[str, float]:
        """Return the stored result; see `Scheme`."""
        found = self._found(parameters)
        return {goal.name: found["measures"][goal.name] for goal in goals}

    def keep(self) -> None:
        """Write the record file atomically."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.path.with_suffix(".part")
        unfinished.write_text(json.dumps(self.record))
        unfinished.replace(self.path)
        self.kept_at = time.monotonic()

    def _found(self, parameters: Mapping[str, Any]) -> Judged:
        key = _key(parameters)
        if key not in self.record:
            self.record[key] = self._fitted(parameters)
            if time.monotonic() - self.kept_at > _EVERY_SECONDS:
                self.keep()
        return self.record[key]

    def _fitted(self, parameters: Mapping[str, Any]) -> Judged:
        began = time.process_time()
        fit = self.fit_context.fit(parameters, patience=tuning.patience(self.experiment))
        on_validation = self.fit_context.on_validation(fit)
        seconds = time.process_time() - began
        codes = target_codes(self.test.target, self.fit_context.classes)
        return {
            "measures": self._measures(self.fit_context.y_validation, on_validation),
            "test": self._measures(codes, self.fit_context.on(fit, self.test)),
            "used": {k: v for k, v in self.fit_context.used(parameters, fit).items() if parameters.get(k) != v},
            "rounds": fit.rounds,
            "stopped_early": fit.stopped_early,
            "seconds": round(seconds, 4),
        }

    def _measures(self, y_true: Any, prediction: Prediction) -> dict[str, float]:
        metrics = METRICS[self.experiment.problem_type].values()
        return {metric.name: float(f"{metric.score(y_true, prediction):.7g}") for metric in metrics}


def judge(work: Path, corpus_folder: Path, name: str, algorithm: str, variant: str = "", **sections: Any) -> Judge:
    """Prepare a table for an algorithm, with its stored record.

    Args:
        work: Folder of the records.
        corpus_folder: Folder of the tables.
        name: A table of the index.
        algorithm: The algorithm to fit.
        variant: Names the record when `sections` change the fits.
        sections: Sections of the experiment file.
    """
    os.environ["OMP_NUM_THREADS"] = "1"
    kind = str(corpus.index(corpus_folder).loc[name, "problem_type"])
    experiment, rows, test = corpus.problem_with_test(corpus_folder, name, algorithm, MOST_ROWS[kind], **sections)
    path = work / f"{name}.{algorithm}{variant}.json"
    record = json.loads(path.read_text()) if path.exists() else {}
    fit_context = tuning.experiment_fit_context(experiment, rows.facts, rows.train, rows.validation)
    return Judge(experiment, fit_context, test, path, record, time.monotonic())


def record_key(experiment: Experiment, values: Mapping[str, Any]) -> str:
    """Return the key of a configuration of the search space in the record."""
    return _key(_parameters(experiment, values))


def _parameters(experiment: Experiment, values: Mapping[str, Any]) -> dict[str, Any]:
    drawn = settled(dict(values), experiment.search_space())
    return merged(tuning.defaults(experiment), drawn, tuning.fixed(experiment))


def _key(parameters: Mapping[str, Any]) -> str:
    return json.dumps(dict(sorted(parameters.items())))


def oriented(found: Mapping[str, Any], experiment: Experiment, where: str = "measures") -> float:
    """Return the experiment's metric of an evaluated configuration, higher is better."""
    metric = METRICS[experiment.problem_type][experiment.metric]
    value = metric.oriented(found[where][metric.name])
    return value if np.isfinite(value) else -np.inf
