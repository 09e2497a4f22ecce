"""The HPO pattern memory at work: asked before a study, told after it."""

from pydantic import BaseModel, ConfigDict

from e2i_assets.adapters.stores.pattern_store import PatternRow, PatternStore
from e2i_assets.adapters.stores.run_store import RunStore
from e2i_assets.adapters.stores.study_store import StudyStore
from e2i_assets.adapters.workspace import Workspace
from e2i_assets.core import patterns
from e2i_assets.core.data.split_tables import SearchRows, SplitFacts
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.fitting.bench import target_codes
from e2i_assets.core.memory.meta_features import meta_features
from e2i_assets.core.patterns import Candidate, WarmStart, WarmStartUse
from e2i_assets.core.search import tuning
from e2i_assets.core.search.study_result import StudyResult
from e2i_assets.core.search_space.space import as_documents

_PATTERNS_ASKED_FOR = 20


class Remembered(BaseModel):
    """What the memory keeps of a study."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    pattern_id: str | None
    reason: str
    uses: tuple[WarmStartUse, ...]


def warm_start(workspace: Workspace, experiment: Experiment, rows: SearchRows) -> WarmStart:
    """Return what the experiment's study tries first: the best of similar patterns, then the defaults.

    Patterns of the same train and validation rows are left out: a study would warm-start from itself, and other test
    rows would change it.
    """
    features = meta_features(
        rows.train.features, target_codes(rows.train.target, rows.facts.classes), experiment.problem_type
    )
    found: list[Candidate] = []
    reason = "the experiment starts cold: warm_start is off"
    if experiment.warm_start.enabled:
        found = _candidates(workspace, experiment, features, rows.facts.search_hash)
        reason = f"{len(found)} patterns of {experiment.algorithm} for {experiment.problem_type} by {experiment.metric}"
        reason += f" are at least {experiment.warm_start.min_similarity:g} similar"
    first = patterns.first_configurations(
        found, tuning.defaults(experiment), experiment.search_space(), experiment.warm_start.max_configurations
    )
    return WarmStart(configurations=first, meta_features=features, considered=len(found), reason=reason)


def remember(
    workspace: Workspace, experiment: Experiment, facts: SplitFacts, start: WarmStart, tuned: tuning.Tuned
) -> Remembered:
    """Keep a finished study as a pattern, once, and say what its warm start brought."""
    result = tuned.result
    if result is None or result.best is None:
        return Remembered(pattern_id=None, reason="no trial to train, so nothing to remember", uses=())
    store = PatternStore(workspace.database)
    pattern_id = store.store(_row(experiment, facts, start, tuned.identity, result))
    RunStore(workspace.database).link_pattern(tuned.identity, pattern_id)
    study = StudyStore(workspace.database).by_spec_hash(tuned.identity)
    if study is None:
        raise E2iError(f"study {result.study_name} is not in ml_hpo_studies: materialise hpo_study again")
    brought = patterns.uses(result)
    for use in brought:
        store.record_use(use.pattern_id, study.id, use.trial_number, use.similarity, use.improvement)
    return Remembered(pattern_id=str(pattern_id), reason="stored", uses=brought)


def _candidates(
    workspace: Workspace, experiment: Experiment, features: dict[str, float], search_hash: str
) -> list[Candidate]:
    similar = PatternStore(workspace.database).similar(
        algorithm=experiment.algorithm,
        problem_type=experiment.problem_type,
        metric=experiment.metric,
        n_samples=int(features["n_samples"]),
        n_features=int(features["n_features"]),
        class_balance=features.get("class_balance"),
        min_similarity=experiment.warm_start.min_similarity,
        limit=_PATTERNS_ASKED_FOR,
        exclude_data_hash=search_hash,
    )
    return patterns.similar_first(
        [
            Candidate(
                pattern_id=str(one.pattern_id),
                similarity=one.similarity,
                study_name=one.study_name,
                values=kept["values"],
            )
            for one in similar
            for kept in one.top_configurations
        ]
    )


def _row(experiment: Experiment, facts: SplitFacts, start: WarmStart, identity: str, result: StudyResult) -> PatternRow:
    features = start.meta_features
    space = experiment.search_space()
    top = patterns.top_configurations(result, space)
    return PatternRow(
        spec_hash=identity,
        data_hash=facts.search_hash,
        algorithm_name=experiment.algorithm,
        problem_type=experiment.problem_type,
        search_space=as_documents(space),
        best_hyperparameters=top[0]["values"],
        top_configurations=top,
        best_value=top[0]["value"],
        optimization_metric=experiment.metric,
        n_samples=int(features["n_samples"]),
        n_features=int(features["n_features"]),
        n_classes=len(facts.classes) or None,
        class_balance=features.get("class_balance"),
        feature_types={"categorical": features["share_categorical"], "numeric": 1 - features["share_categorical"]},
        meta_features=features,
        n_trials=result.n_trials,
        n_completed=result.count("COMPLETE"),
        n_pruned=result.count("PRUNED"),
        duration_seconds=result.duration_seconds,
        study_name=result.study_name,
    )
