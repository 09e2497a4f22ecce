"""Experiments bound to assets of a platform: what each materialization requests, and what is on record of it."""

import sys
import textwrap
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import dagster as dg
import pytest
from component_platform import ASSETS, attributes, experiment, keys_of, loaded, mart, materialize, tick
from dagster.components.testing import create_defs_folder_sandbox
from graphql_answers import graphql_answer

from e2i_assets import ExperimentComponent
from e2i_assets.cli.run_one import dagster_instance
from e2i_assets.core.errors import E2iError, ExperimentInvalid
from e2i_assets.definitions import build
from e2i_assets.defs import sensors
from e2i_assets.services.automation.changed_data import DataScanner
from e2i_assets.services.automation.new_experiments import ExperimentScanner
from e2i_assets.services.checks.catalogue import CHECKS

# When Dagster loads a folder of components, it uses a deprecated function of pydantic and beta parts of its own.
pytestmark = [
    pytest.mark.filterwarnings("ignore:`parse_obj_as` is deprecated"),
    pytest.mark.filterwarnings("ignore::dagster_shared.utils.warnings.BetaWarning"),
    pytest.mark.filterwarnings("ignore:Property `ScheduleDefinition.environment_vars`:DeprecationWarning"),
]


@pytest.fixture
def platform(project: Any) -> Iterator[dg.Definitions]:
    """Two marts of a platform with an experiment each."""
    marts = [mart(name, project.root) for name in ("churn", "visits")]
    with loaded(attributes("churn"), attributes("visits")) as definitions:
        yield dg.Definitions.merge(definitions, dg.Definitions(assets=marts))


def test_an_experiment_has_assets_and_checks_of_its_own_with_its_facts(platform: dg.Definitions) -> None:
    graph = platform.resolve_asset_graph()
    own = {key for key in graph.get_all_asset_keys() if key.path[0] == "ml"}
    assert own == keys_of("churn") | keys_of("visits")
    node = graph.get(dg.AssetKey(["ml", "churn", "trained_model"]))
    assert node.partitions_def is None
    assert (node.group_name, node.owners, node.tags["domain"]) == ("churn", ["team:marketing"], "oncology")
    assert str(node.description).startswith("Predicts churn.\n\n")
    assert graph.get(dg.AssetKey(["ml", "churn", "dataset"])).parent_keys == {dg.AssetKey(["marts", "churn_rows"])}
    checks = {key.name for key in graph.asset_check_keys if key.asset_key.path[:2] == ["ml", "churn"]}
    assert checks == {one.name for one in CHECKS if one.asset in ASSETS}


def test_a_materialization_of_a_mart_requests_exactly_its_assets_and_so_does_the_next(
    project: Any, platform: dg.Definitions
) -> None:
    instance = project.instance
    requested, cursor = tick(platform, instance, None)
    assert requested == set()
    for _ in range(2):
        assert materialize(platform, instance, dg.AssetKey(["marts", "churn_rows"])).success
        requested, cursor = tick(platform, instance, cursor)
        assert requested == keys_of("churn")
        result = materialize(platform, instance, *requested)
        assert result.success, project.failure(result)
        requested, cursor = tick(platform, instance, cursor)
        assert requested == set()
    # A component has no asset for predictions.
    assert len(result.get_asset_check_evaluations()) == sum(one.asset != "predictions" for one in CHECKS)

    mart_run = project.instance.get_latest_materialization_event(dg.AssetKey(["marts", "churn_rows"])).run_id
    row = project.project.experiments.get("churn")
    assert (row.upstream["asset"], row.upstream["run_id"]) == ("marts/churn_rows", mart_run)
    made = {event.asset_key.path[-1]: event.materialization for event in result.get_asset_materialization_events()}
    shown = made["dataset"].metadata
    assert shown["upstream_asset"].value == dg.AssetKey(["marts", "churn_rows"])
    assert shown["upstream_run_id"].value == mart_run
    # No scan looks at it: the component decides when it runs.
    assert "churn" not in ExperimentScanner().scan(project.project).active
    sensors._data_scanner.cache_clear()
    scanner: DataScanner = sensors._data_scanner(project.project)
    assert scanner.scan(project.project, ()).requests == []
    assert project.project.experiments.get("churn").is_active

    # A deleted component retires its experiment, and no sensor of the platform is left to say so.
    file = Path(row.upstream["component"])
    assert file.name == "defs.yaml"
    file.unlink()
    assert ExperimentScanner().scan(project.project).now_retired == {"churn": "its component is gone"}
    assert not project.project.experiments.get("churn").is_active


def test_the_path_from_the_mart_to_the_model_is_in_graphql(
    project: Any, platform: dg.Definitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("platform_of_a_test")
    module.defs = platform  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    query = "{ assetNodes { assetKey { path } dependencyKeys { path } } }"
    with dagster_instance(project.project.settings) as instance:
        nodes = graphql_answer(instance, module.__name__, query)["assetNodes"]
    upstream = {
        "/".join(one["assetKey"]["path"]): {"/".join(key["path"]) for key in one["dependencyKeys"]} for one in nodes
    }
    path = ["marts/churn_rows", *(f"ml/churn/{name}" for name in ("dataset", "validation_splits", "trained_model"))]
    assert all(first in upstream[then] for first, then in pairwise(path))
    assert {key for key, of in upstream.items() if "marts/churn_rows" in of} == {"ml/churn/dataset"}


def test_a_mart_without_rows_fails_the_run_and_says_what_is_missing(project: Any, platform: dg.Definitions) -> None:
    job = platform.resolve_implicit_global_asset_job_def()
    options: dict[str, Any] = {"instance": project.instance, "raise_on_error": False}
    first = job.execute_in_process(asset_selection=[dg.AssetKey(["ml", "churn", "dataset"])], **options)
    assert "marts/churn_rows has not been materialized yet" in project.failure(first)
    project.instance.report_runless_asset_event(dg.AssetMaterialization(["marts", "churn_rows"]))
    second = job.execute_in_process(asset_selection=[dg.AssetKey(["ml", "churn", "dataset"])], **options)
    assert "has no metadata dagster/uri" in project.failure(second)
    bucket = {"dagster/uri": "s3://bucket/rows.parquet"}
    project.instance.report_runless_asset_event(dg.AssetMaterialization(["marts", "churn_rows"], metadata=bucket))
    third = job.execute_in_process(asset_selection=[dg.AssetKey(["ml", "churn", "dataset"])], **options)
    assert "only files of this machine are read" in project.failure(third)


def error_of(given: dict[str, Any]) -> BaseException:
    """The innermost error of loading a component."""
    with pytest.raises(Exception) as raised, loaded(given):  # noqa: PT011  # Dagster wraps it
        pass
    error: BaseException = raised.value
    while error.__cause__ is not None and not isinstance(error, E2iError):
        error = error.__cause__
    return error


def test_the_name_of_a_file_is_refused_when_the_definitions_are_loaded(project: Any) -> None:
    (project.root / "experiments" / "churn.yaml").write_text(textwrap.dedent("name: churn"))
    assert "experiment churn of the component" in str(error_of(attributes("churn")))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"experiment": {**experiment("churn"), "algorithm": "XGBost"}}, "did you mean 'XGBoost'"),
        ({"experiment": {**experiment("churn"), "source": {"csv": "rows.csv"}}}, "remove the source"),
        ({"experiment": "missing.yaml"}, "missing.yaml, which is no file"),
        ({"rows": {"asset": "marts/churn_rows"}}, "exactly one of read and sql"),
        ({"automation": "sometimes"}, "automation"),
        ({"new_rows": {"asset": "marts/new", "read": "uri"}}, "has no section predict"),
        (
            {
                "experiment": {**experiment("churn"), "predict": {"source": {"csv": "new.csv"}, "to": "out.parquet"}},
                "new_rows": {"asset": "marts/new", "read": "uri"},
            },
            "has predict.source, but its new rows come from marts/new",
        ),
    ],
)
def test_a_mistake_is_named_when_the_definitions_are_loaded(
    project: Any, changes: dict[str, Any], message: str
) -> None:
    error = error_of(attributes("churn", **changes))
    assert message in str(error)
    assert isinstance(error, ExperimentInvalid) == ("XGB" in message)


@pytest.mark.parametrize(("automation", "sensor"), [("eager", True), ("on_cron", True), ("none", False)])
def test_automation_adds_a_running_sensor_of_the_experiment_alone(project: Any, automation: str, sensor: bool) -> None:
    with loaded(attributes("churn", automation=automation)) as definitions:
        found = definitions.get_repository_def().sensor_defs
        running = [one for one in found if one.default_status == dg.DefaultSensorStatus.RUNNING]
        assert [one.name for one in running] == (["ml__churn__automation"] if sensor else [])


@pytest.mark.usefixtures("project")
def test_the_scaffolded_file_loads_as_it_is() -> None:
    with create_defs_folder_sandbox() as sandbox:
        sandbox.scaffold_component(component_cls=ExperimentComponent, defs_path="churn")
        with sandbox.build_all_defs() as definitions:
            keys = definitions.resolve_asset_graph().get_all_asset_keys()
    assert dg.AssetKey(["churn", "trained_model"]) in keys


def test_a_platform_can_have_the_files_and_components_in_one_location(project: Any) -> None:
    with loaded(attributes("churn")) as definitions:
        merged = dg.Definitions.merge(definitions, build())
        assert len(merged.resolve_asset_graph().get_all_asset_keys()) == 20


@pytest.mark.usefixtures("project")
def test_fifty_components_add_less_than_five_cpu_seconds_to_loading_the_definitions() -> None:
    def seconds(*given: dict[str, Any]) -> float:
        started = time.process_time()
        with loaded(*given) as definitions:
            assert len(definitions.get_repository_def().asset_graph.get_all_asset_keys()) == 9 * len(given)
        return time.process_time() - started

    seconds(attributes("first"))  # imports
    one = seconds(attributes("first"))
    assert seconds(*(attributes(f"number_{number}") for number in range(50))) - one < 5
