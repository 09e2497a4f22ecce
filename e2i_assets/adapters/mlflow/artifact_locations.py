"""Where MLflow's artifacts are. Its tables have full addresses, and MLflow has no command that changes them."""

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from e2i_assets.adapters.postgres.prefixes import replace_prefix

# Where an experiment puts new runs, and where runs, versions, logged models and traces are.
_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
    ("logged_models", "artifact_location"),
    ("trace_tags", "value"),
)
# MLflow's server finds mlflow-artifacts:/ in the place that it is started with.
_ELSEWHERE = sa.text(
    "SELECT count(*) FROM runs WHERE substr(artifact_uri, 1, length(:place)) <> :place"
    " AND artifact_uri NOT LIKE 'mlflow-artifacts:%'"
)


def move(tracking_uri: str, old: str, new: str) -> tuple[int, int]:
    """Replace the beginning of all addresses in MLflow's tables, in one transaction.

    Args:
        tracking_uri: The database of MLflow.
        old: The address above the artifacts, without a slash at its end.
        new: The address that has the same files.

    Returns:
        The number of addresses that were changed, and of runs whose artifacts are at neither of the two.
    """
    engine = sa.create_engine(tracking_uri, poolclass=NullPool)
    with engine.begin() as connection:
        moved = [replace_prefix(connection, *one, old, new) for one in _COLUMNS]
        return sum(moved), int(connection.execute(_ELSEWHERE, {"place": f"{new}/"}).scalar_one())
