"""The row that the memory stores of a finished study."""

from e2i_assets.adapters.repositories.pattern_rows import PatternRow
from e2i_assets.core.data.split_tables import SplitFacts
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.memory import meta_vector, uses
from e2i_assets.core.memory.warm_start import WarmStart
from e2i_assets.core.search.study_result import StudyResult
from e2i_assets.core.search_space.space import as_documents


def kind_metric(experiment: Experiment) -> str:
    """Return what the memory compares studies by: the metric, with the loss if fits minimise another than usual."""
    return experiment.metric if experiment.loss == "squared_error" else f"{experiment.metric} ({experiment.used_loss})"


def pattern_row(
    experiment: Experiment, facts: SplitFacts, start: WarmStart, identity: str, result: StudyResult
) -> PatternRow:
    """Return the pattern of a study that has a trial to train."""
    features = start.meta_features
    space = experiment.search_space()
    top = uses.top_configurations(result, space)
    return PatternRow(
        spec_hash=identity,
        data_hash=facts.search_hash,
        algorithm_name=experiment.algorithm,
        problem_type=experiment.problem_type,
        search_space=as_documents(space),
        best_hyperparameters=top[0]["values"],
        top_configurations=top,
        trials=uses.stored_trials(result, space),
        best_value=top[0]["value"],
        default_value=result.default_value,
        optimization_metric=kind_metric(experiment),
        n_samples=int(features["n_samples"]),
        n_features=int(features["n_features"]),
        n_classes=len(facts.classes) or None,
        class_balance=features.get("class_balance"),
        feature_types={"categorical": features["share_categorical"], "numeric": 1 - features["share_categorical"]},
        meta_features=features,
        meta_vector=meta_vector.meta_vector(features),
        meta_version=meta_vector.VERSION,
        n_trials=result.n_trials,
        n_completed=result.count("COMPLETE"),
        n_pruned=result.count("PRUNED"),
        duration_seconds=result.duration_seconds,
        study_name=result.study_name,
    )
