"""Reaching an MLflow store: an explicit client, within bounded time, and with nothing sent to anybody else.

What is logged there belongs to `tracking`.
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
# MLflow takes these from the environment alone. A value that is already there stays. Its own defaults: usage data sent
# home, ten connections a process, seven retries of two minutes each on a server that does not answer, and two lines
# on the terminal for every run that ends.
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
    """An MLflow store that answered, and then not as it should."""


def bounded_environment() -> None:
    """Set what MLflow reads from the environment, where a person has not."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def mlflow_client(tracking_uri: str) -> "MlflowClient":
    """Return a client for this store and its registry, after making sure that it answers.

    Raises:
        TrackingUnreachable: Nothing answers within a few seconds. Without asking first, MLflow would retry for minutes.
    """
    _require_answer(tracking_uri)
    bounded_environment()
    with warnings.catch_warnings():
        # MLflow's own tables use a loader strategy that SQLAlchemy 2.1 deprecates; seen when they are first mapped.
        warnings.filterwarnings("ignore", message="The ``noload`` loader strategy", category=DeprecationWarning)
        from mlflow import MlflowClient

        logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)
        return MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)


def is_server(tracking_uri: str) -> bool:
    """Whether the address is that of an MLflow server, which then decides where artifacts are kept."""
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
        # Not chained, here and below: what the libraries write repeats the address with its password.
        why = without_userinfo(str(error), tracking_uri)
        raise TrackingUnreachable(f"no MLflow server answers, start it or correct its address: {why}") from None


def _require_database(tracking_uri: str) -> None:
    try:
        url = sa.make_url(tracking_uri)
        if "@" in (url.host or ""):
            raise ArgumentError("the end of a password was taken for the host")
        with _probe(url).connect():
            return
    except (ArgumentError, ValueError):  # the latter: a port that is none
        raise TrackingUnreachable(
            "the MLflow tracking address is neither a server's (http://...) nor a database's (postgresql://...); "
            f"{ESCAPING}"
        ) from None
    except sa.exc.DBAPIError as error:
        why = without_userinfo(str(error.orig).strip(), tracking_uri)
        raise TrackingUnreachable(f"no MLflow database answers, start it or correct its address: {why}") from None


@lru_cache(maxsize=8)
def _probe(url: sa.URL) -> sa.Engine:
    """Return an engine that connects anew each time; what it asks a server once, it does not ask again."""
    limit = {"connect_timeout": round(PROBE_SECONDS)} if url.get_backend_name() == "postgresql" else {}
    return sa.create_engine(url, poolclass=NullPool, connect_args=limit)
