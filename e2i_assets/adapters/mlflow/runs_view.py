"""A saved view of MLflow's list of runs: an experiment tag, in the format that MLflow's "Save view" writes.

MLflow has no setting for the columns with which an experiment opens. A link with the key of a saved view opens it, and
the menu "Views" of the list names it. Keys that the tag does not set keep MLflow's own defaults.
"""

import json
from collections.abc import Sequence
from datetime import datetime

_TAG = "mlflow.sharedViewState."
# Of a column whose header is not cut.
_PADDING, _PIXELS = 24, 8
_URL_PARAMETER = "viewStateShareKey"


def view_tag(
    key: str, name: str, metrics: Sequence[str], order_by: str, ascending: bool, created_at: datetime
) -> tuple[str, str]:
    """Return the experiment tag (name and value) of a view.

    Args:
        key: The key of the view, which is in its link.
        name: The name in the menu.
        metrics: The metrics that are columns, in their order.
        order_by: The metric by which the runs are sorted.
        ascending: Whether the smallest value comes first.
        created_at: When the view was made.
    """
    columns = [_column("metrics", one) for one in metrics]
    state = {
        "selectedColumns": [*columns, _column("attributes", "Models")],
        "columnOrder": columns,
        "columnWidths": {_column("metrics", one): _PADDING + _PIXELS * len(one) for one in metrics},
        "orderByKey": _column("metrics", order_by),
        "orderByAsc": ascending,
    }
    moment = int(created_at.timestamp() * 1000)
    envelope = {"name": name, "createdAt": moment, "updatedAt": moment, "state": json.dumps(state)}
    return f"{_TAG}{key}", json.dumps(envelope)


def view_url(server: str, experiment_id: str, key: str) -> str:
    """Return the address of the runs of an experiment in a view."""
    return f"{server}/#/experiments/{experiment_id}/runs?{_URL_PARAMETER}={key}"


def run_url(server: str, run_id: str) -> str:
    """Return the address of a run: the short one, which MLflow completes."""
    return f"{server}/#/runs/{run_id}"


def _column(kind: str, name: str) -> str:
    return f"{kind}.`{name}`"
