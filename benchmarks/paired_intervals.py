"""How often the paired 95 % interval covers the true gain: `.venv/bin/python -m benchmarks.paired_intervals`."""

from collections.abc import Callable
from math import erf, pi, sqrt

import numpy as np

from benchmarks.report import RESULTS, Table, machine, write
from e2i_assets.core.evaluation.measures import Measure
from e2i_assets.core.evaluation.paired import Contender, PairedRows, paired_interval
from e2i_assets.core.metrics import Array, Prediction

SIMULATIONS = 2_000
ROWS = (100, 200, 1_000)
COMMAND = "OMP_NUM_THREADS=1 .venv/bin/python -m benchmarks.paired_intervals"
Case = Callable[[np.random.Generator, int], tuple[PairedRows, Contender, Contender]]


def auc(draws: np.random.Generator, n: int) -> tuple[PairedRows, Contender, Contender]:
    """Return two correlated binormal scores; their AUCs are the normal distribution at shift / sqrt 2."""
    truth = (np.arange(n) % 4 == 0).astype(int)
    first, second = (_score(draws, truth, shared, shift) for shared in [draws.normal(size=n)] for shift in (1.2, 0.9))
    return PairedRows(problem_type="binary_classification", truth=truth), first, second


def rmse(draws: np.random.Generator, n: int) -> tuple[PairedRows, Contender, Contender]:
    """Return predictions whose errors are correlated, with standard deviations 1 and 1.1."""
    shared = draws.normal(size=n)
    errors = [scale * (0.8 * shared + 0.6 * draws.normal(size=n)) for scale in (1.0, 1.1)]
    return PairedRows(problem_type="regression", truth=np.zeros(n)), *(Contender(Prediction(one)) for one in errors)  # type: ignore[return-value]


def groups(draws: np.random.Generator, n: int) -> tuple[PairedRows, Contender, Contender]:
    """Return the errors of five alike rows a person, with standard deviations 1 and 1.1."""
    person = np.repeat(np.arange(n // 5), 5)
    shared = draws.normal(size=n // 5)[person]
    errors = [scale * (0.8 * shared + 0.6 * draws.normal(size=n // 5)[person]) for scale in (1.0, 1.1)]
    rows = PairedRows(problem_type="regression", truth=np.zeros(len(person)), groups=person)
    return rows, *(Contender(Prediction(one)) for one in errors)  # type: ignore[return-value]


def accuracy(draws: np.random.Generator, n: int) -> tuple[PairedRows, Contender, Contender]:
    """Return decisions that are right in 80 and in 75 of 100 rows."""
    truth = draws.integers(0, 2, n)
    right = [draws.random(n) < share for share in (0.8, 0.75)]
    first, second = (Contender(Prediction(np.where(one, truth, 1 - truth))) for one in right)
    return PairedRows(problem_type="binary_classification", truth=truth), first, second


CASES: dict[str, tuple[Case, Measure, float]] = {
    "ROC AUC, DeLong": (auc, Measure("roc_auc"), (erf(1.2 / 2) - erf(0.9 / 2)) / 2),
    "accuracy, jackknife": (accuracy, Measure("accuracy"), 0.05),
    "RMSE, jackknife": (rmse, Measure("rmse", greater_is_better=False), 0.1),
    "RMSE, jackknife of groups": (groups, Measure("rmse", greater_is_better=False), 0.1),
}


def coverage(case: Case, measure: Measure, true: float, n: int) -> float:
    """Return the share of simulations whose interval contains the true gain of the first over the second model."""
    draws, inside = np.random.default_rng(0), 0
    for seed in range(SIMULATIONS):
        rows, first, second = case(draws, n)
        interval = paired_interval(rows, measure, first, second, seed=seed)
        inside += interval is not None and interval[0] <= true <= interval[1]
    return inside / SIMULATIONS


def _score(draws: np.random.Generator, truth: Array, shared: Array, shift: float) -> Contender:
    score = 0.7 * shared + sqrt(0.51) * draws.normal(size=len(truth)) + shift * truth
    positive = np.arctan(score) / pi + 0.5
    return Contender(Prediction((positive > 0.5).astype(int), np.column_stack([1 - positive, positive])))


def main() -> None:
    """Simulate, print and write the report."""
    table = Table(
        f"Share of {SIMULATIONS:,} simulations in which the 95 % interval contains the true gain",
        ("case", *(f"{n:,} test rows" for n in ROWS)),
        [(name, *(f"{coverage(*case, n):.3f}" for n in ROWS)) for name, case in CASES.items()],
        "The standard error of a share is 0.005. Groups have five rows each.",
    )
    write(RESULTS / "paired_intervals.md", "Coverage of paired intervals", machine("numpy", "scipy"), [table], COMMAND)


if __name__ == "__main__":
    main()
