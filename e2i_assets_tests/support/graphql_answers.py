"""The answers of Dagster's webserver, without its process: a code location of this process on a real instance."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from dagster_graphql.test.utils import execute_dagster_graphql


def graphql_answer(instance: dg.DagsterInstance, module: str, query: str, **variables: Any) -> Mapping[str, Any]:
    """Answer a query on the attribute `defs` of a module."""
    target = LoadableTargetOrigin(module_name=module, attribute="defs")
    origin = InProcessCodeLocationOrigin(target, location_name=module)
    with (
        WorkspaceProcessContext(instance, InProcessWorkspaceLoadTarget([origin])) as workspace,
        workspace.create_request_context() as request,
    ):
        return execute_dagster_graphql(request, query, variables).data
