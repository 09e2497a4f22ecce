"""MLflow client with an explicit store address, bounded timeouts and no telemetry.

`tracker` defines what is logged.
"""

import logging
import os
import warnings
from functools import lru_cache
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

from e2i_assets.adapters.addresses import ESCAPING, without_userinfo
from e2i_assets.core.errors import E2iError

if TYPE_CHECKING:
    from mlflow import MlflowClient

PROBE_SECONDS = 3.0
# MLflow reads these from the environment only. Existing values are kept. Its defaults: telemetry, ten connections per
# process, seven retries of two minutes each for a server that does not answer, and two terminal lines per ended run.
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": "2",
    "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": "3",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


class TrackingUnreachable(E2iError):
    """No MLflow store answers at the address."""


class TrackingFailed(E2iError):
    """The MLflow store answered, but with an error."""


def bounded_environment() -> None:
    """Set the variables that MLflow reads from the environment, unless the user has set them."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def mlflow_client(tracking_uri: str) -> "MlflowClient":
    """Return a client for this store and its registry, after checking that the store answers.

    Raises:
        TrackingUnreachable: No store answers within a few seconds. Without the check, MLflow would retry for minutes.
    """
    _require_answer(tracking_uri)
    bounded_environment()
    with warnings.catch_warnings():
        # MLflow's tables use a loader strategy that SQLAlchemy 2.1 deprecates; it warns when they are first mapped.
        warnings.filterwarnings("ignore", message="The ``noload`` loader strategy", category=DeprecationWarning)
        from mlflow import MlflowClient

        logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)
        return MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)


def is_server(tracking_uri: str) -> bool:
    """Return whether the address is that of an MLflow server, which chooses the location of artifacts itself."""
    return tracking_uri.startswith(("http://", "https://"))


def _require_answer(tracking_uri: str) -> None:
    if is_server(tracking_uri):
        _require_server(tracking_uri)
    else:
        _require_database(tracking_uri)


def _require_server(tracking_uri: str) -> None:
    import requests

    try:
        answer = requests.get(f"{tracking_uri.rstrip('/')}/health", timeout=PROBE_SECONDS)
        answer.raise_for_status()
    except requests.RequestException as error:
        # Not chained, here and below: the libraries' messages repeat the address with its password.
        why = without_userinfo(str(error), tracking_uri)
        raise TrackingUnreachable(f"no MLflow server answers, start it or correct its address: {why}") from None


def _require_database(tracking_uri: str) -> None:
    try:
        url = sa.make_url(tracking_uri)
        if "@" in (url.host or ""):
            raise ArgumentError("the end of a password was parsed as the host")
        with _probe(url).connect():
            return
    except (ArgumentError, ValueError):  # ValueError: an invalid port
        raise TrackingUnreachable(
            "the MLflow tracking address is neither a server's (http://...) nor a database's (postgresql://...); "
            f"{ESCAPING}"
        ) from None
    except sa.exc.DBAPIError as error:
        why = without_userinfo(str(error.orig).strip(), tracking_uri)
        raise TrackingUnreachable(f"no MLflow database answers, start it or correct its address: {why}") from None


@lru_cache(maxsize=8)
def _probe(url: sa.URL) -> sa.Engine:
    """Return an engine that opens a new connection each time but caches what it learned about the server."""
    limit = {"connect_timeout": round(PROBE_SECONDS)} if url.get_backend_name() == "postgresql" else {}
    return sa.create_engine(url, poolclass=NullPool, connect_args=limit)
