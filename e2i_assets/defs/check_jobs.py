"""The jobs that evaluate checks of many experiments in one run, on the stored values: nightly, and after a drift scan.

A check with partitions cannot be evaluated without a run (Dagster accepts the first result and fails at the second),
and a run of the check itself has one partition. One op therefore reports the results of all experiments.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

import dagster as dg

from e2i_assets.defs.checks import is_conclusive, not_evaluated, shown
from e2i_assets.defs.dagster_internals import AssetCheckEvaluationTargetMaterializationData
from e2i_assets.defs.experiment_file_checks import files_evaluation, invalid_files
from e2i_assets.defs.namespace import Namespace
from e2i_assets.defs.resources import ProjectResource
from e2i_assets.services.checks.catalogue import CHECKS, experiments_with
from e2i_assets.services.checks.champion_model import NOT_DRIFTED
from e2i_assets.services.checks.check import Check, CheckResult, evaluated
from e2i_assets.services.project import Project

CHECK_EVERYTHING = "check_everything"
REPORT_DRIFT, DRIFT_OP = "report_drift", "drift_reports"
Targets = Mapping[str, AssetCheckEvaluationTargetMaterializationData]
# A materialization is read with its metadata, which may contain pictures.
_AT_ONCE = 100


class DriftReports(dg.Config):
    """The experiments whose newer rows were compared with the train rows."""

    experiments: list[str]


def check_everything(namespace: Namespace, partitioned: bool) -> dg.JobDefinition:
    """Return the job that evaluates every check for every experiment with a stored value."""

    @dg.op(name=namespace.op("every_check"), out={}, config_schema={}, description="All checks of all experiments.")
    def every_check(context: dg.OpExecutionContext, e2i: ProjectResource) -> Iterator[dg.AssetCheckEvaluation]:
        project = e2i.open()
        yield files_evaluation(namespace, invalid_files(project))
        yield from _Reporter(context.instance, project, namespace, partitioned).evaluations(CHECKS)

    @dg.job(
        name=CHECK_EVERYTHING,
        executor_def=dg.in_process_executor,
        description="All checks of all assets and experiments, evaluated on the stored values like `e2i check`.",
    )
    def job() -> None:
        every_check()

    return job


def report_drift(namespace: Namespace, partitioned: bool) -> dg.JobDefinition:
    """Return the job that reports the stored results of a drift scan as a check."""
    check_specs = [one for one in CHECKS if one.name == NOT_DRIFTED]

    @dg.op(name=namespace.op(DRIFT_OP), out={}, description="The check of newer rows of these experiments.")
    def drift_reports(
        context: dg.OpExecutionContext, config: DriftReports, e2i: ProjectResource
    ) -> Iterator[dg.AssetCheckEvaluation]:
        reporter = _Reporter(context.instance, e2i.open(), namespace, partitioned)
        yield from reporter.evaluations(check_specs, set(config.experiments))

    @dg.job(
        name=REPORT_DRIFT,
        executor_def=dg.in_process_executor,
        description=f"Reports drift of newer rows, which `drifted_data` has found, as the check `{NOT_DRIFTED}`.",
    )
    def job() -> None:
        drift_reports()

    return job


class _Reporter:
    """Evaluates checks for many experiments in one run."""

    def __init__(self, instance: dg.DagsterInstance, project: Project, namespace: Namespace, partitioned: bool) -> None:
        self._instance = instance
        self._project = project
        self._namespace = namespace
        self._partitioned = partitioned

    def evaluations(
        self, check_specs: Sequence[Check], chosen: Collection[str] | None = None
    ) -> Iterator[dg.AssetCheckEvaluation]:
        """Return the evaluations of these checks; None as experiments: all with a stored value of the asset.

        Raises:
            dg.Failure: At the end, if a blocking check failed or a check could not be evaluated.
        """
        reasons: list[str] = []
        for asset in dict.fromkeys(one.asset for one in check_specs):
            names = [one for one in experiments_with(self._project, asset) if chosen is None or one in chosen]
            targets = self._materializations(asset, names) if self._partitioned else {}
            for check_spec in (one for one in check_specs if one.asset == asset):
                verdicts = {name: evaluated(check_spec, self._project, name) for name in names}
                reasons += _reasons(check_spec, verdicts)
                groups = [{name: one} for name, one in verdicts.items()] if self._partitioned else [verdicts]
                for group in groups:
                    if is_conclusive(group):
                        yield self._evaluation(check_spec, group, targets)
        if reasons:
            raise dg.Failure("; ".join(reasons), allow_retries=False)

    def _evaluation(
        self, check_spec: Check, verdicts: Mapping[str, CheckResult], targets: Targets
    ) -> dg.AssetCheckEvaluation:
        partition = next(iter(verdicts)) if self._partitioned else None
        return dg.AssetCheckEvaluation(
            asset_key=self._namespace.key(check_spec.asset),
            check_name=check_spec.name,
            blocking=check_spec.blocking,
            partition=partition,
            # Without it, Dagster does not show the result beside the materialization.
            target_materialization_data=targets.get(partition) if partition else None,
            **shown(check_spec, verdicts),
        )

    def _materializations(self, asset: str, names: Sequence[str]) -> Targets:
        """Return the latest materialization of an asset for each of these experiments that has one."""
        if not names:
            return {}
        # Values may be older than the instance.
        self._instance.add_dynamic_partitions(self._namespace.partition_set, names)
        key, kind = self._namespace.key(asset), dg.DagsterEventType.ASSET_MATERIALIZATION
        ids = list(self._instance.get_latest_storage_id_by_partition(key, kind, set(names)).values())
        found: dict[str, AssetCheckEvaluationTargetMaterializationData] = {}
        for first in range(0, len(ids), _AT_ONCE):
            some = dg.AssetRecordsFilter(asset_key=key, storage_ids=ids[first : first + _AT_ONCE])
            for record in self._instance.fetch_materializations(some, limit=_AT_ONCE).records:
                if record.partition_key is not None:
                    found[record.partition_key] = AssetCheckEvaluationTargetMaterializationData(
                        storage_id=record.storage_id, run_id=record.run_id, timestamp=record.timestamp
                    )
        return found


def _reasons(check_spec: Check, verdicts: Mapping[str, CheckResult]) -> list[str]:
    """Return why the run fails, for each experiment: a blocking check failed, or a check was not evaluated."""
    named = {name: not_evaluated(check_spec, {name: one}) for name, one in verdicts.items()}
    unseen = [f"{name}: not evaluated: {why}" for name, whys in named.items() for why in whys]
    broken = [name for name, one in verdicts.items() if one.outcome == "failed"] if check_spec.blocking else []
    return [*unseen, *(f"{name}: {check_spec.name} failed: {verdicts[name].why}" for name in broken)]
