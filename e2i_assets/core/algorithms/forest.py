"""How a forest is grown and watched: in batches of trees, which gives the same trees as growing them at once."""

from typing import Any

from e2i_assets.core.algorithms.algorithm import Fit, Matrix, Task, Watch, predicted
from e2i_assets.core.algorithms.ladder import rungs
from e2i_assets.core.metrics import Array


def fit_in_batches(estimator: Any, x: Matrix, y: Array, task: Task, watch: Watch | None) -> Fit:
    """Grow the forest rung by rung, reporting at each; a forest does not stop early, it only gets better slowly."""
    cap = estimator.n_estimators
    if watch is not None and watch.report is not None:
        estimator.set_params(warm_start=True)
        for rung in rungs(cap):
            estimator.set_params(n_estimators=rung).fit(x, y)
            watch.report(rung, predicted(estimator, watch.x, task))
        estimator.set_params(n_estimators=cap).fit(x, y).set_params(warm_start=False)
        return Fit(estimator, rounds=cap)
    return Fit(estimator.fit(x, y), rounds=cap)
