"""The prefix of the asset keys: it reaches every definition and the stored values, and assets of others stay theirs."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.settings import from_environment
from e2i_assets.core.errors import E2iError
from e2i_assets.definitions import build

ASSETS = [
    *("best_hyperparameters", "champion_model", "dataset", "hpo_pattern_memory", "hpo_study", "trained_model"),
    *("predictions", "validation_splits", "warm_start"),
]
ALL = [*ASSETS, "experiment_files", "experiment_overview"]
# Those of a run of the whole graph, which scores no new rows.
TRAINED = set(ASSETS) - {"predictions"}
TEXT = """\
name: cells
owner: team:tests
source: {csv: cells.csv}
target: target
problem_type: binary_classification
algorithm: LogisticRegression
hpo: {enabled: false}
"""


@dg.asset
def dataset() -> int:
    return 1


@dg.asset
def trained_model(dataset: int) -> int:
    return dataset + 1


def keys_of(definitions: dg.Definitions) -> Iterator[dg.AssetKey]:
    """All asset keys that assets, checks, jobs and sensors name."""
    repository = definitions.get_repository_def()
    yield from repository.asset_graph.get_all_asset_keys()
    yield from (key.asset_key for key in repository.asset_graph.asset_check_keys)
    for job in repository.get_all_jobs():
        yield from job.asset_layer.selected_asset_keys
    for sensor in repository.sensor_defs:
        if isinstance(sensor, dg.AutomationConditionSensorDefinition):
            yield from sensor.asset_selection.resolve(repository.asset_graph)


@pytest.mark.usefixtures("project")
def test_a_prefix_is_in_every_asset_key() -> None:
    definitions = build(["ml", "churn"], "ml_")
    found = set(keys_of(definitions))
    assert found == {dg.AssetKey(["ml", "churn", name]) for name in ALL}
    groups = {spec.group_name for spec in definitions.resolve_all_asset_specs()}
    assert groups == {"ml_data", "ml_search", "ml_model", "ml_memory"}
    assert set(keys_of(build())) == {dg.AssetKey(name) for name in ALL}


def test_the_environment_sets_the_prefix_for_dagster_and_the_stored_values(
    project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("E2I_KEY_PREFIX", "ml/churn")
    assert set(keys_of(build())) == {dg.AssetKey(["ml", "churn", name]) for name in ALL}
    settings = from_environment({"E2I_HOME": str(project.root), "E2I_KEY_PREFIX": "ml/churn"})
    assert settings.assets == project.root / ".e2i" / "assets" / "ml" / "churn"


@pytest.mark.parametrize("given", ["ml.churn", "/ml", "ml/", "ml//churn", "café", "../x"])
def test_a_prefix_that_dagster_would_refuse_is_an_error(tmp_path: Path, given: str) -> None:
    (tmp_path / "experiments").mkdir()
    with pytest.raises(E2iError, match="E2I_KEY_PREFIX is"):
        from_environment({"E2I_HOME": str(tmp_path), "E2I_KEY_PREFIX": given})


def test_two_prefixes_beside_assets_of_others_keep_their_values_apart(project) -> None:
    """The job of one takes neither the assets of the other nor those of the platform, and its checks are its own."""
    project.register(TEXT)
    for prefix in ("a", "b"):
        platform = dg.Definitions(assets=[dataset, trained_model])
        job = dg.Definitions.merge(platform, build([prefix])).resolve_job_def("tune_and_train")
        project.instance.add_dynamic_partitions(f"{prefix}__experiment", ["cells"])
        result = job.execute_in_process(instance=project.instance, partition_key="cells", raise_on_error=False)
        assert result.success, project.failure(result)
        made = {event.asset_key for event in result.get_asset_materialization_events()}
        assert made == {dg.AssetKey([prefix, name]) for name in TRAINED}
        assert {one.asset_key.path[0] for one in result.get_asset_check_evaluations()} == {prefix}
    assets = project.root / ".e2i" / "assets"
    assert {path.name for path in assets.iterdir()} == {"a", "b"}
    assert {path.name for path in (assets / "b").iterdir()} == TRAINED


def test_a_database_without_tables_names_the_command_that_creates_them(
    project, empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.register(TEXT)
    monkeypatch.setenv("E2I_DATABASE_URL", empty_database.url)
    job = build().resolve_job_def("tune_and_train")
    result = job.execute_in_process(instance=project.instance, partition_key="cells", raise_on_error=False)
    assert "run `e2i db migrate`" in project.failure(result)
    assert "UndefinedTable" not in project.failure(result)
