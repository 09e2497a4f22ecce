"""The checks of each experiment as Dagster's UI shows them, asked through GraphQL on the real PostgreSQL storage."""

from collections.abc import Iterator
from typing import Any

import dagster as dg
import pytest
from graphql_answers import graphql_answer
from sklearn.datasets import load_breast_cancer

from e2i_assets.cli.run_one import dagster_instance
from e2i_assets.core.experiments.file import parse_experiment
from e2i_assets.definitions import build, defs
from e2i_assets.defs.namespace import EXPERIMENTS

TEXT = """
name: {name}
owner: team:tests
source: {{csv: {name}.csv}}
target: target
problem_type: binary_classification
columns: {{id: [patient]}}
algorithm: LogisticRegression
hpo: {{enabled: false}}
watch: {{recent: {{csv: {name}.csv}}}}
"""
QUERY = """query($path: [String!]!) { assetNodeOrError(assetKey: {path: $path}) { ... on AssetNode {
    assetChecksOrError { ... on AssetChecks { checks {
        name
        executionForLatestMaterialization { status evaluation { description } }
        partitionStatuses { ... on AssetCheckDefaultPartitionStatuses {
            succeededPartitions failedPartitions executionFailedPartitions inProgressPartitions skippedPartitions
        } }
    } } }
} } }"""
# Dagster reads its own deprecated property when it loads a code location in this process.
pytestmark = pytest.mark.filterwarnings("ignore:Property `ScheduleDefinition.environment_vars`:DeprecationWarning")


class Platform:
    """The project on its PostgreSQL instance, with the answers of its webserver."""

    def __init__(self, project: Any, instance: dg.DagsterInstance) -> None:
        self.project = project
        self.instance = instance

    def write(self, name: str, emptied: int = 0) -> None:
        """Write an experiment; with nearly empty columns its rows fail the quality gate."""
        frame = load_breast_cancer(as_frame=True).frame
        frame = frame.assign(patient=[f"p{row}" for row in range(len(frame))])
        few = {column: frame[column].where(frame.index < 30) for column in frame.columns[:emptied]}
        frame.assign(**few).to_csv(self.project.root / f"{name}.csv", index=False)
        experiment = parse_experiment(TEXT.format(name=name), "test")
        self.project.project.experiments.register(name, experiment.model_dump(mode="json"))
        self.instance.add_dynamic_partitions(EXPERIMENTS, [name])

    def run(self, job: str, **options: Any) -> dg.ExecuteInProcessResult:
        found = build().resolve_job_def(job)
        return found.execute_in_process(instance=self.instance, raise_on_error=False, **options)

    def checks(self, asset: str) -> dict[str, Any]:
        answer = graphql_answer(self.instance, "e2i_assets.definitions", QUERY, path=[asset])
        found = answer["assetNodeOrError"]["assetChecksOrError"]["checks"]
        return {one["name"]: one for one in found}

    def partitions(self, asset: str, check: str) -> dict[str, list[str]]:
        """The partitions in each status of a check, without the empty ones."""
        found = self.checks(asset)[check]["partitionStatuses"]
        return {status.removesuffix("Partitions"): sorted(names) for status, names in found.items() if names}


@pytest.fixture
def platform(project: Any) -> Iterator[Platform]:
    with dagster_instance(project.project.settings) as instance:
        yield Platform(project, instance)


def test_each_experiment_has_its_own_result_and_a_materialization_without_checks_hides_none(platform: Platform) -> None:
    key = dg.AssetKey("dataset")
    for name, emptied in (("a", 28), ("b", 0), ("c", 0)):
        platform.write(name, emptied)
    for name, succeeds in (("a", False), ("b", True)):
        result = platform.run("tune_and_train", partition_key=name, asset_selection=[key])
        assert result.success is succeeds, platform.project.failure(result)
    (asset,) = [one for one in defs().assets or [] if isinstance(one, dg.AssetsDefinition) and one.key == key]
    assert dg.materialize([asset], instance=platform.instance, partition_key="c", resources=defs().resources).success
    assert platform.partitions("dataset", "quality_gate_passes") == {"failed": ["a"], "succeeded": ["b"]}

    # Twice, because Dagster accepts a result of a partition without a run once only.
    for _ in range(2):
        nightly = platform.run("check_everything")
        assert not nightly.success
        assert "a: quality_gate_passes failed" in platform.project.failure(nightly)
        assert "UniqueViolation" not in platform.project.failure(nightly)
        assert platform.partitions("dataset", "quality_gate_passes") == {"failed": ["a"], "succeeded": ["b", "c"]}
    events = platform.instance.all_logs(nightly.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    assert len({one.dagster_event.asset_check_evaluation_data.partition for one in events}) == 4  # and the files

    # Rows that pass: the run of a alone changes a alone.
    platform.write("a")
    (platform.project.root / "experiments" / "schemas" / "a.yaml").unlink()  # of the nearly empty columns
    assert platform.run("tune_and_train", partition_key="a", asset_selection=[key]).success
    assert platform.partitions("dataset", "quality_gate_passes") == {"succeeded": ["a", "b", "c"]}


def test_drift_is_reported_from_a_run_each_time(platform: Platform) -> None:
    from e2i_assets.adapters.sources.fingerprints import Fingerprints
    from e2i_assets.services.automation import drift

    project = platform.project.project
    platform.write("a")
    assert platform.run("tune_and_train", partition_key="a").success
    fingerprints = Fingerprints(project.settings.root, project.settings.environment)
    config = {"ops": {"drift_reports": {"config": {"experiments": ["a"]}}}}
    check = ("champion_model", "newer_rows_have_not_drifted")
    for shift, status in ((1.0, "succeeded"), (3.0, "failed"), (3.1, "failed")):
        frame = platform.project.rows()
        frame.assign(**{"mean area": frame["mean area"] * shift}).to_csv(platform.project.root / "a.csv", index=False)
        assert list(drift.scan(project, fingerprints, ()).reports) == ["a"]
        result = platform.run("report_drift", run_config=config)
        assert result.success, platform.project.failure(result)
        assert platform.partitions(*check) == {status: ["a"]}


def test_without_partitions_a_check_has_one_result_for_all(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results of before and after the change of the setting do not disturb each other."""
    monkeypatch.setenv("E2I_PARTITIONED_CHECKS", "off")
    for name, emptied in (("a", 28), ("b", 0)):
        platform.write(name, emptied)
        platform.run("tune_and_train", partition_key=name, asset_selection=[dg.AssetKey("dataset")])
    platform.run("check_everything")
    found = platform.checks("dataset")["quality_gate_passes"]
    assert found["partitionStatuses"] is None
    assert found["executionForLatestMaterialization"]["status"] == "FAILED"
    assert found["executionForLatestMaterialization"]["evaluation"]["description"].startswith("a: ")
    monkeypatch.setenv("E2I_PARTITIONED_CHECKS", "on")
    assert platform.partitions("dataset", "quality_gate_passes") == {}
    platform.run("check_everything")
    assert platform.partitions("dataset", "quality_gate_passes") == {"failed": ["a"], "succeeded": ["b"]}


def test_the_files_have_an_asset_and_a_check_without_partitions(platform: Platform) -> None:
    (platform.project.root / "experiments" / "bad.yaml").write_text("name: [")
    platform.run("check_everything")
    check = platform.checks("experiment_files")["experiment_files_are_valid"]
    assert check["executionForLatestMaterialization"]["status"] == "FAILED"
    assert "bad.yaml" in check["executionForLatestMaterialization"]["evaluation"]["description"]
    assert check["partitionStatuses"] is None
