"""The cost of bootstrap intervals by rows and problem type: `.venv/bin/python -m benchmarks.intervals`."""

import time

import numpy as np

from benchmarks.report import RESULTS, Table, machine, write
from e2i_assets.core.evaluation.intervals import bootstrap_intervals
from e2i_assets.core.metrics import PROBLEM_TYPES, Array, Prediction, ProblemType

ROWS = (3_000, 30_000, 150_000)
COMMAND = "OMP_NUM_THREADS=1 .venv/bin/python -m benchmarks.intervals"


def rows(problem_type: ProblemType, n: int) -> tuple[Array, Prediction]:
    """Return synthetic predictions of a model of medium quality; with two classes, 9 % of the rows are positive."""
    random = np.random.default_rng(0)
    if problem_type == "regression":
        y = random.gamma(2, 3, n)
        return y, Prediction(y + random.normal(0, 2, n))
    if problem_type == "binary_classification":
        y = (random.random(n) < 0.09).astype(int)
        positive = np.clip(random.normal(0.3 + 0.2 * y, 0.15), 0.001, 0.999)
        return y, Prediction((positive > 0.5).astype(int), np.column_stack([1 - positive, positive]))
    y = random.choice(3, n, p=[0.6, 0.3, 0.1])
    scores = random.dirichlet([1, 1, 1], n) + np.eye(3)[y] * 0.5
    scores /= scores.sum(axis=1, keepdims=True)
    return y, Prediction(scores.argmax(axis=1), scores)


def seconds(problem_type: ProblemType, n: int) -> float:
    """Return the CPU seconds of 1,000 resamples, the minimum of two runs."""
    y, prediction = rows(problem_type, n)
    spent = []
    for _ in range(2):
        began = time.process_time()
        bootstrap_intervals(problem_type, y, prediction, seed=0)
        spent.append(time.process_time() - began)
    return min(spent)


def main() -> None:
    """Measure, print and write the report."""
    table = Table(
        "CPU seconds for 1,000 resamples",
        ("test rows", *PROBLEM_TYPES),
        [(f"{n:,}", *(seconds(kind, n) for kind in PROBLEM_TYPES)) for n in ROWS],
        "A table has about seven times as many rows as its test split.",
    )
    write(RESULTS / "intervals.md", "Cost of intervals", machine("numpy"), [table], COMMAND)


if __name__ == "__main__":
    main()
