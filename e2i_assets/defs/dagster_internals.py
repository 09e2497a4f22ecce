"""The names of Dagster that are no part of its public interface. An upgrade of Dagster is checked here first.

The rest of the package imports Dagster's private modules nowhere, which a test of the layers checks.
"""

from dagster._config import UserConfigSchema
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import ConfigurableClassData, deserialize_value

__all__ = [
    "CanCancelExecutionRequest",
    "CanCancelExecutionResult",
    "CheckRunHealthResult",
    "ConfigurableClassData",
    "DagsterUserCodeUnreachableError",
    "UserConfigSchema",
    "WorkerStatus",
    "deserialize_value",
]
