"""The assets from `dataset` to `hpo_pattern_memory`, partitioned by experiment. Each one calls one service."""

from dataclasses import replace
from datetime import timedelta

import dagster as dg
import pandas as pd

from e2i_assets.adapters.tracing.span_attributes import TRAINING
from e2i_assets.core.content_hash import content_hash
from e2i_assets.core.contracts.contract import HpoOutput, TrainingOutput
from e2i_assets.core.data.dataset import Dataset, DatasetFacts, dataset_of
from e2i_assets.core.data.split_tables import SplitFacts, SplitTables, TrainingRows
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.final_fit import LEARNT_FROM
from e2i_assets.core.memory.warm_start import WarmStart
from e2i_assets.core.search import tuning
from e2i_assets.defs import metadata, spans
from e2i_assets.defs.experiment_asset import AFTER_TRAINING, experiment_asset
from e2i_assets.defs.namespace import experiment_of
from e2i_assets.defs.resources import ProjectResource
from e2i_assets.defs.search_assets import best_hyperparameters, hpo_study, warm_start
from e2i_assets.defs.tracing_resource import TracingResource, began
from e2i_assets.services import data_gates, remember, split, train
from e2i_assets.services.ingest import read_rows
from e2i_assets.services.project import Project

DATA_CODE = ("core/data", "adapters/sources", "services/ingest.py")
# Applies to the newest model only, because Dagster does not evaluate freshness per partition. The schedule
# `retune_old_models` checks the age of each model.
MODELS_ARE_FRESH = dg.FreshnessPolicy.time_window(fail_window=timedelta(days=60), warn_window=timedelta(days=30))


@experiment_asset("data", "pandas", "parquet", code=DATA_CODE)
def dataset(context: dg.AssetExecutionContext, e2i: ProjectResource) -> dg.MaterializeResult[Dataset]:
    """The rows of the experiment as a typed table, with the reason for each column that is not used as a feature."""
    project = e2i.open()
    experiment = project.current_experiment(experiment_of(context))
    return materialized_dataset(project, experiment, read_rows(project, experiment))


def materialized_dataset(project: Project, experiment: Experiment, rows: pd.DataFrame) -> dg.MaterializeResult[Dataset]:
    """Return the table of these rows with its metadata, after inferring the schema file if none is in force."""
    table = dataset_of(rows, experiment)
    where = data_gates.schema_place(project.settings, experiment.name)
    if again := data_gates.schema_is_outdated(project.settings, experiment):
        note = f"{where} is inferred again: columns or target of the experiment changed, and nobody edited the file"
        table = replace(table, notes=(*table.notes, note))
    written = data_gates.infer_schema(project.settings, experiment, table)
    state = "inferred again" if again else "inferred now" if written else "unchanged"
    return dg.MaterializeResult(
        value=table,
        data_version=dg.DataVersion(table.data_hash),
        metadata={
            "dagster/row_count": len(table.frame),
            "dagster/column_schema": metadata.column_schema(table.frame),
            "features": len(table.features),
            "columns": metadata.table(one.model_dump() for one in table.profile),
            "data_hash": table.data_hash,
            "rows_without_target": table.rows_without_target,
            "notes": metadata.table({"note": note} for note in table.notes),
            "schema_file": f"{where} ({state})",
        },
    )


@experiment_asset("data", "pandas", "postgres", code=("core/data", "core/leakage", "services/split.py"))
def validation_splits(
    context: dg.AssetExecutionContext, e2i: ProjectResource, dataset: Dataset
) -> dg.MaterializeResult[SplitTables]:
    """Splits: train 60, validation 20, test 15, holdout 5 %. An entity is in one split; stored rows stay in theirs."""
    project = e2i.open()
    experiment = project.experiment(experiment_of(context))
    tables = split.split(project, experiment, dataset)
    return dg.MaterializeResult(
        value=tables,
        data_version=dg.DataVersion(tables.facts.split_hash),
        metadata={
            "splits": metadata.table(split.role_rows(tables)),
            "strategy": tables.facts.strategy,
            "split_hash": tables.facts.split_hash,
            **metadata.class_balance(experiment, tables),
            "excluded_rows": tables.facts.left_out,
            "exclusion_reasons": metadata.table(
                {"reason": why, "rows": rows} for why, rows in tables.facts.why_left_out.items()
            ),
        },
    )


@experiment_asset(
    "model",
    "mlflow",
    "scikitlearn",
    freshness=MODELS_ARE_FRESH,
    code=(
        "core/algorithms",
        "core/fitting",
        "core/evaluation",
        "core/final_fit.py",
        "core/fold_fit.py",
        "core/training.py",
        "services/train.py",
    ),
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
    """The final model: fitted from the hyperparameters in the contract and evaluated once on the test rows."""
    project = e2i.open()
    experiment = hpo_study.decided(project.experiment(experiment_of(context)))
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
            "summary": " ".join(done.report.verdict),
            **metadata.headline(experiment, done),
            "metrics": metadata.table(done.metric_rows()),
            "criteria": metadata.table(done.record.criteria_rows()),
            **metadata.evaluation(experiment, done),
            "report": dg.MetadataValue.path(done.report.location),
            "learnt_from": f"{done.record.training.samples} {LEARNT_FROM[done.record.training.final_model]}",
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
    """The pattern stored for future similar studies, and how much the warm start improved this study."""
    project = e2i.open()
    experiment = project.experiment(experiment_of(context))
    stored = remember.remember(project, experiment, validation_splits, warm_start, hpo_study)
    return dg.MaterializeResult(
        value=stored,
        data_version=dg.DataVersion(content_hash(stored.model_dump(mode="json"))),
        metadata={
            "pattern": stored.pattern_id or stored.reason,
            "uses": metadata.table(use.model_dump() for use in stored.uses),
            **({"warm_start_benefit": metadata.table([stored.head_start.model_dump()])} if stored.head_start else {}),
        },
    )


ASSETS = (
    dataset, validation_splits, warm_start, hpo_study, best_hyperparameters, trained_model, hpo_pattern_memory,
)  # fmt: skip
