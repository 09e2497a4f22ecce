"""Where MLflow's artifacts are. Its tables have full addresses, and MLflow has no command that changes them."""

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

# Where an experiment puts new runs, and where runs, versions, logged models and traces are.
_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
    ("logged_models", "artifact_location"),
    ("trace_tags", "value"),
)
_MOVE = "UPDATE {0} SET {1} = :new || substr({1}, length(:old) + 1) WHERE substr({1}, 1, length(:old)) = :old"
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
    places = {"old": f"{old}/", "new": f"{new}/"}
    with engine.begin() as connection:
        moved = [connection.execute(sa.text(_MOVE.format(*one)), places).rowcount for one in _COLUMNS]
        return sum(moved), int(connection.execute(_ELSEWHERE, {"place": places["new"]}).scalar_one())
