"""The assets of the search: `warm_start`, `hpo_study` and `best_hyperparameters`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import dagster as dg

from e2i_assets.adapters.tracing.span_attributes import SEARCH
from e2i_assets.core.content_hash import hash_with_later_keys
from e2i_assets.core.contracts.contract import HpoOutput
from e2i_assets.core.data.split_tables import SearchRows
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.memory.warm_start import WarmStart
from e2i_assets.core.search import tuning
from e2i_assets.core.search.study_output import output_of
from e2i_assets.core.search.study_result import StudyResult
from e2i_assets.core.search.trials import TrialRecord
from e2i_assets.defs import metadata, spans
from e2i_assets.defs.experiment_asset import experiment_asset
from e2i_assets.defs.launched_runs import CAUSE_TAG
from e2i_assets.defs.namespace import experiment_of
from e2i_assets.defs.resources import ProjectResource
from e2i_assets.defs.study_config import StudyConfig
from e2i_assets.defs.tracing_resource import TracingResource
from e2i_assets.services import remember, tune
from e2i_assets.services.automation.retuning import with_retune_budget
from e2i_assets.services.study_plots import drawn_study

# A study uses all cores that it is allowed to use; the pool limit in `dagster.yaml` bounds the concurrent studies.
STUDIES = "studies"


@experiment_asset("search", "postgres", code=("core/memory", "services/remember.py"))
def warm_start(
    context: dg.AssetExecutionContext, e2i: ProjectResource, validation_splits: SearchRows
) -> dg.MaterializeResult[WarmStart]:
    """The first configurations of the study: the best ones of similar past studies, then the defaults."""
    project = e2i.open()
    found = remember.warm_start(project, project.experiment(experiment_of(context)), validation_splits)
    return dg.MaterializeResult(
        value=found,
        data_version=dg.DataVersion(hash_with_later_keys(found.model_dump(mode="json"), "contenders")),
        metadata={
            "initial_configurations": metadata.table(metadata.initial_configurations(found)),
            "alternative_configurations": metadata.table(metadata.alternative_configurations(found)),
            "similar_studies": metadata.table(metadata.similar_studies(found)),
            "patterns_considered": found.considered,
            "reason": found.reason,
            "meta_features": metadata.table(
                {"name": name, "value": value} for name, value in found.meta_features.items()
            ),
        },
    )


def _asked_at(context: dg.AssetExecutionContext) -> datetime:
    """Return the creation time of the root run, of which this run may be a retry."""
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
    config: StudyConfig,
    e2i: ProjectResource,
    tracing: TracingResource,
    validation_splits: SearchRows,
    warm_start: WarmStart,
) -> dg.MaterializeResult[tuning.Tuned]:
    """The hyperparameter search on train and validation rows. It does not receive any test rows."""
    project = e2i.open()
    experiment = project.experiment(experiment_of(context))
    override = config.override
    experiment = override.applied_to(
        with_retune_budget(
            project, experiment, validation_splits.facts, context.run.tags.get(CAUSE_TAG), _asked_at(context)
        )
    )
    tracing.trains(spans.training(experiment))
    several = len(experiment.contenders) > 1

    def on_trial(algorithm: str, record: TrialRecord, best: float | None) -> None:
        tracing.trial(context.run, record, algorithm if several else None)

    with tracing.span(SEARCH, context.run, attributes=spans.search(experiment)) as span:
        tuned = tune.tuned(project, experiment, validation_splits, warm_start, context.log.info, on_trial, override)
        span.set(spans.searched(tuned))
        if failed := spans.search_error(tuned):
            span.fail(*failed)
    return dg.MaterializeResult(
        value=tuned,
        data_version=dg.DataVersion(
            hash_with_later_keys(tuned.model_dump(mode="json"), "choice", *tuning.OF_COMPARISONS)
        ),
        metadata={
            **({"budget_override": f"{override}, set at launch"} if override.given else {}),
            **_study_metadata(experiment, tuned, drawn_study(project, experiment, tuned, warm_start)),
        },
    )


@experiment_asset("search", "optuna", "pydantic", code=("core/contracts", "core/search"))
def best_hyperparameters(
    context: dg.AssetExecutionContext, e2i: ProjectResource, hpo_study: tuning.Tuned
) -> dg.MaterializeResult[HpoOutput]:
    """The output contract: the defaults, overridden by the study's best trial, overridden by the fixed parameters."""
    output = output_of(e2i.open().experiment(experiment_of(context)), hpo_study)
    return dg.MaterializeResult(
        value=output,
        data_version=dg.DataVersion(
            hash_with_later_keys(
                output.model_dump(mode="json"),
                *("hpo_objective", "hpo_objective_reason", "hpo_algorithm", "hpo_leaderboard"),
            )
        ),
        metadata={
            "algorithm": output.hpo_algorithm,
            "completed": output.hpo_completed,
            "best_value": output.hpo_best_value,
            "default_value": output.hpo_default_value,
            "hyperparameters": metadata.table(
                {"name": name, "value": str(value)} for name, value in output.best_hyperparameters.items()
            ),
            "study": output.hpo_study_name or "none",
            **(
                {"evaluated_by": f"{output.hpo_objective}: {reason}"} if (reason := output.hpo_objective_reason) else {}
            ),
            **({"error": f"{output.error_type}: {output.error}"} if output.error else {}),
        },
    )


def _study_metadata(experiment: Experiment, tuned: tuning.Tuned, pictures: Mapping[str, bytes]) -> dict[str, Any]:
    result: StudyResult | None = tuned.result
    if result is None:
        why = f"failed: {tuned.failure.error}" if tuned.failure else "off: the default hyperparameters are used"
        return {"status": why}
    return {
        "study": result.study_name,
        "status": f"{result.status}: {result.failure or result.stop_reason}",
        "algorithms": metadata.table(metadata.algorithm_rows(experiment, tuned)),
        **metadata.found(result),
        **metadata.pictures(pictures),
        "completed": result.count("COMPLETE"),
        "pruned": result.count("PRUNED"),
        "failed": result.count("FAIL"),
        "resumed_from": result.resumed_from,
        "seconds": round(result.duration_seconds, 1),
        "trials": metadata.table(metadata.trial_rows(result)),
    }
