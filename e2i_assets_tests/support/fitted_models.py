"""A small fitted model of every algorithm and problem type."""

import numpy as np
import pandas as pd

from e2i_assets.core.algorithms.prepared_data import Task
from e2i_assets.core.algorithms.registry import algorithm, installed
from e2i_assets.core.fitting.averaged_model import AveragedModel
from e2i_assets.core.fitting.fit_context import Rows, fit_context
from e2i_assets.core.fitting.fitted_model import FittedModel
from e2i_assets.core.fitting.reasons import pool

CLASSES = {
    "binary_classification": (False, True),
    "multiclass_classification": ("high", "low", "mid"),
    "regression": (),
}
PAIRS = [(name, problem) for name in installed() for problem in algorithm(name).problem_types]
# Each algorithm with one of its problem types, all types among them: for what does not depend on the combination.
EACH_ONCE = [
    (name, types[place % len(types)])
    for place, name in enumerate(installed())
    for types in [algorithm(name).problem_types]
]


def table(rows: int = 240) -> pd.DataFrame:
    random = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "visits": random.integers(0, 20, rows),
            "share": random.normal(size=rows),
            "insured": random.random(rows) < 0.5,
            "region": random.choice(["north", "south", "west"], rows),
            "seen": pd.to_datetime("2025-03-01") + pd.to_timedelta(random.integers(0, 20_000, rows), "h"),
            "born": pd.to_datetime("1990-01-01", utc=True) + pd.to_timedelta(random.integers(0, 9_000, rows), "D"),
        }
    )
    frame.loc[::13, "seen"] = pd.NaT
    frame.loc[::7, "share"] = np.nan
    frame.loc[::11, "region"] = None
    return frame


def target(frame: pd.DataFrame, problem: str) -> pd.Series:
    signal = frame["visits"] + 3.0 * frame["share"].fillna(0.0)
    if problem == "regression":
        return signal
    if problem == "binary_classification":
        return signal > 10
    return pd.Series(np.array(["low", "mid", "high"])[np.digitize(signal, [7.0, 13.0])])


def fitted(name: str, problem: str, patience: int | None = None, first: int = 0) -> FittedModel:
    """A model of 160 rows, of the table from a row on."""
    frame = pd.concat([table()[first:], table()[:first]], ignore_index=True)
    values = target(frame, problem)
    chosen = algorithm(name)
    task = Task(problem, len(CLASSES[problem]))
    rows = (Rows(frame[:160], values[:160]), Rows(frame[160:], values[160:]))
    on_bench = fit_context(chosen, task, *rows, CLASSES[problem])
    few = {"n_estimators": 12} if "n_estimators" in chosen.parameters else {}
    return on_bench.model(on_bench.fit({**chosen.default_values, **few, **chosen.fixed_values}, patience))


def averaged(name: str, problem: str) -> AveragedModel:
    """The mean of three models of other rows, which know other categories."""
    models = [fitted(name, problem, first=first) for first in (0, 80, 160)]
    return AveragedModel(models, pool=pool(models[0]))
