"""The assets from rows to remember, one partition an experiment: each makes one call, and shows what came of it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import dagster as dg

from e2i_assets.adapters.tracing.span_attributes import SEARCH, TRAINING
from e2i_assets.core.content_hash import content_hash
from e2i_assets.core.contracts.contract import HpoOutput, TrainingOutput
from e2i_assets.core.data.dataset import Dataset, DatasetFacts, dataset_of
from e2i_assets.core.data.split_tables import SearchRows, SplitFacts, SplitTables, TrainingRows
from e2i_assets.core.memory.warm_start import WarmStart
from e2i_assets.core.search import tuning
from e2i_assets.core.search.study_result import StudyResult
from e2i_assets.core.search.trials import TrialRecord
from e2i_assets.defs import metadata, spans
from e2i_assets.defs.experiment_asset import AFTER_TRAINING, experiment_asset
from e2i_assets.defs.launched_runs import CAUSE_TAG
from e2i_assets.defs.resources import ProjectResource
from e2i_assets.defs.tracing_resource import TracingResource, began
from e2i_assets.services import data_gates, remember, split, train, tune
from e2i_assets.services.automation.retuning import as_asked
from e2i_assets.services.ingest import read_rows
from e2i_assets.services.study_plots import drawn_study

# A study takes all cores that it may use: `dagster.yaml` says how many go on at a time.
STUDIES = "studies"
# Of the newest model, since Dagster does not judge partitions: `retune_old_models` asks for the age of each one.
MODELS_ARE_FRESH = dg.FreshnessPolicy.time_window(fail_window=timedelta(days=60), warn_window=timedelta(days=30))


@experiment_asset("data", "pandas", "parquet", code=("core/data", "adapters/sources", "services/ingest.py"))
def dataset(context: dg.AssetExecutionContext, e2i: ProjectResource) -> dg.MaterializeResult[Dataset]:
    """The experiment's rows as a typed table, with the reason for every column that is not a feature."""
    project = e2i.open()
    experiment = project.current_experiment(context.partition_key)
    table = dataset_of(read_rows(project, experiment), experiment)
    schema = data_gates.keep_schema(project.settings, experiment.name, table)
    return dg.MaterializeResult(
        value=table,
        data_version=dg.DataVersion(table.data_hash),
        metadata={
            "dagster/row_count": len(table.frame),
            "dagster/column_schema": metadata.column_schema(table.frame),
            "features": len(table.features),
            "left_out": metadata.table({"column": name, "why": why} for name, why in table.left_out.items()),
            "data_hash": table.data_hash,
            "rows_without_target": table.rows_without_target,
            "notes": metadata.table({"noted while reading": note} for note in table.notes),
            "schema_file": f"experiments/schemas/{experiment.name}.yaml ({'inferred now' if schema else 'as it was'})",
        },
    )


@experiment_asset("data", "pandas", "postgres", code=("core/data", "core/leakage", "services/split.py"))
def validation_splits(
    context: dg.AssetExecutionContext, e2i: ProjectResource, dataset: Dataset
) -> dg.MaterializeResult[SplitTables]:
    """Train 60, validation 20, test 15, holdout 5: no entity in two roles, and a row once placed stays."""
    project = e2i.open()
    experiment = project.experiment(context.partition_key)
    tables = split.split(project, experiment, dataset)
    return dg.MaterializeResult(
        value=tables,
        data_version=dg.DataVersion(tables.facts.split_hash),
        metadata={
            "roles": metadata.table(split.role_rows(tables)),
            "strategy": tables.facts.strategy,
            "split_hash": tables.facts.split_hash,
            **metadata.class_balance(experiment, tables),
            "rows_left_out": tables.facts.left_out,
            "why_left_out": metadata.table(
                {"reason": why, "rows": rows} for why, rows in tables.facts.why_left_out.items()
            ),
        },
    )


@experiment_asset("search", "postgres", code=("core/memory", "services/remember.py"))
def warm_start(
    context: dg.AssetExecutionContext, e2i: ProjectResource, validation_splits: SearchRows
) -> dg.MaterializeResult[WarmStart]:
    """What the study tries first: configurations that did well on similar past problems, then the defaults."""
    project = e2i.open()
    found = remember.warm_start(project, project.experiment(context.partition_key), validation_splits)
    return dg.MaterializeResult(
        value=found,
        data_version=dg.DataVersion(content_hash(found.model_dump(mode="json"))),
        metadata={
            "tried_first": metadata.table(metadata.tried_first(found)),
            "if_results_ask_for_them": metadata.table(metadata.alternatives(found)),
            "past_problems": metadata.table(metadata.past_problems(found)),
            "patterns_considered": found.considered,
            "why": found.reason,
            "meta_features": metadata.table(
                {"name": name, "value": value} for name, value in found.meta_features.items()
            ),
        },
    )


def _asked_at(context: dg.AssetExecutionContext) -> datetime:
    """When the run began that this one is an attempt of."""
    root = context.instance.get_run_record_by_id(context.run.root_run_id or context.run.run_id)
    assert root is not None
    moment: datetime = root.create_timestamp
    return moment


@experiment_asset(
    "search",
    "optuna",
    "postgres",
    pool=STUDIES,
    code=("core/algorithms", "core/fitting", "core/search", "core/search_space", "core/metrics.py", "services/tune.py"),
)
def hpo_study(
    context: dg.AssetExecutionContext,
    e2i: ProjectResource,
    tracing: TracingResource,
    validation_splits: SearchRows,
    warm_start: WarmStart,
) -> dg.MaterializeResult[tuning.Tuned]:
    """The search on train and validation rows: there is no test row in what it is given."""
    project = e2i.open()
    experiment = project.experiment(context.partition_key)
    experiment = as_asked(
        project, experiment, validation_splits.facts, context.run.tags.get(CAUSE_TAG), _asked_at(context)
    )
    tracing.trains(spans.training(experiment))

    def on_trial(record: TrialRecord, best: float | None) -> None:
        tracing.trial(context.run, record)

    with tracing.span(SEARCH, context.run, attributes=spans.search(experiment)) as span:
        tuned = tune.tuned(project, experiment, validation_splits, warm_start, context.log.info, on_trial)
        span.set(spans.searched(tuned))
        if failed := spans.search_error(tuned):
            span.fail(*failed)
    return dg.MaterializeResult(
        value=tuned,
        data_version=dg.DataVersion(content_hash(tuned.model_dump(mode="json"))),
        metadata=_study_metadata(tuned, drawn_study(project, experiment, tuned, warm_start)),
    )


@experiment_asset("search", "optuna", "pydantic", code=("core/contracts", "core/search/tuning.py"))
def best_hyperparameters(
    context: dg.AssetExecutionContext, e2i: ProjectResource, hpo_study: tuning.Tuned
) -> dg.MaterializeResult[HpoOutput]:
    """The output contract: defaults, overridden by the study's best trial, then by what is fixed."""
    experiment = e2i.open().experiment(context.partition_key)
    output = tuning.hpo_output(experiment, hpo_study.identity, hpo_study.result, hpo_study.failure)
    return dg.MaterializeResult(
        value=output,
        data_version=dg.DataVersion(content_hash(output.model_dump(mode="json"))),
        metadata={
            "completed": output.hpo_completed,
            "best_value": output.hpo_best_value if output.hpo_best_value is not None else "none",
            "default_value": output.hpo_default_value if output.hpo_default_value is not None else "none",
            "hyperparameters": metadata.table(
                {"name": name, "value": str(value)} for name, value in output.best_hyperparameters.items()
            ),
            "study": output.hpo_study_name or "none",
            **({"error": f"{output.error_type}: {output.error}"} if output.error else {}),
        },
    )


@experiment_asset(
    "model",
    "mlflow",
    "scikitlearn",
    freshness=MODELS_ARE_FRESH,
    code=("core/algorithms", "core/fitting", "core/evaluation", "core/training.py", "services/train.py"),
)
def trained_model(
    context: dg.AssetExecutionContext,
    e2i: ProjectResource,
    tracing: TracingResource,
    dataset: DatasetFacts,
    validation_splits: TrainingRows,
    hpo_study: tuning.Tuned,
    best_hyperparameters: HpoOutput,
) -> dg.MaterializeResult[TrainingOutput]:
    """The model, fitted once more from exactly the contract and judged once on the test rows."""
    project = e2i.open()
    experiment = project.experiment(context.partition_key)
    since = began(context.instance, context.run)
    with tracing.span(
        TRAINING, context.run, parent=None, started_at=since, attributes=spans.training(experiment)
    ) as span:
        done = train.train(
            project, experiment, dataset, validation_splits, hpo_study, best_hyperparameters, context.run.run_id
        )
        span.set(spans.trained(done, best_hyperparameters))
        tracing.belongs_to(done.output.mlflow_info.run_id)
    info = done.output.mlflow_info
    return dg.MaterializeResult(
        value=done.output,
        data_version=dg.DataVersion(done.record.model_key),
        metadata={
            "in_words": " ".join(done.report.verdict),
            **metadata.headline(experiment, done),
            "metrics": metadata.table(done.metric_rows()),
            "criteria": metadata.table(done.record.criteria_rows()),
            **metadata.evaluation(experiment, done),
            "report": dg.MetadataValue.path(str(done.report.path)),
            "criteria_met": done.output.success_criteria_met,
            "training_run": done.record.start.training_run_id,
            "mlflow": info.run_id or f"{info.mlflow_status}: {done.tracked.reason}",
            **metadata.links_to_mlflow(done),
        },
    )


@experiment_asset(
    "memory",
    "postgres",
    deps=["trained_model"],
    automation=AFTER_TRAINING,
    code=("core/memory", "services/remember.py"),
)
def hpo_pattern_memory(
    context: dg.AssetExecutionContext,
    e2i: ProjectResource,
    validation_splits: SplitFacts,
    warm_start: WarmStart,
    hpo_study: tuning.Tuned,
) -> dg.MaterializeResult[remember.Remembered]:
    """What was learnt, kept for the next similar study, and what the head start brought to this one."""
    project = e2i.open()
    experiment = project.experiment(context.partition_key)
    kept = remember.remember(project, experiment, validation_splits, warm_start, hpo_study)
    return dg.MaterializeResult(
        value=kept,
        data_version=dg.DataVersion(content_hash(kept.model_dump(mode="json"))),
        metadata={
            "pattern": kept.pattern_id or kept.reason,
            "uses": metadata.table(use.model_dump() for use in kept.uses),
            **({"head_start": metadata.table([kept.head_start.model_dump()])} if kept.head_start else {}),
        },
    )


def _study_metadata(tuned: tuning.Tuned, pictures: Mapping[str, bytes]) -> dict[str, Any]:
    result: StudyResult | None = tuned.result
    if result is None:
        why = f"failed: {tuned.failure.error}" if tuned.failure else "off: the experiment trains the defaults"
        return {"status": why}
    return {
        "study": result.study_name,
        "status": f"{result.status}: {result.failure or result.stop_reason}",
        **metadata.found(result),
        **metadata.pictures(pictures),
        "completed": result.count("COMPLETE"),
        "pruned": result.count("PRUNED"),
        "failed": result.count("FAIL"),
        "resumed_from": result.resumed_from,
        "seconds": round(result.duration_seconds, 1),
        "trials": metadata.table(metadata.trial_rows(result)),
    }
