"""The HPO pattern memory: queried before a study, updated after it."""

from collections.abc import Iterator, Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from e2i_assets.adapters.repositories.pattern_rows import SimilarPattern
from e2i_assets.core.data.split_tables import SearchRows, SplitFacts
from e2i_assets.core.errors import E2iError
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.fitting.fit_context import target_codes
from e2i_assets.core.memory import meta_vector, uses
from e2i_assets.core.memory import warm_start as starts
from e2i_assets.core.memory.algorithm_order import win_shares
from e2i_assets.core.memory.meta_features import meta_features
from e2i_assets.core.memory.portfolio import tries
from e2i_assets.core.memory.uses import WarmStartEffect, WarmStartUse
from e2i_assets.core.memory.warm_start import Pattern, WarmStart
from e2i_assets.core.search import tuning
from e2i_assets.core.search.study_result import StudyResult
from e2i_assets.services.pattern_row import kind_metric, pattern_row
from e2i_assets.services.project import Project

# Covers most kinds of problems; more would add little.
_MOST_PATTERNS = 50
_LONGEST_REASON = 500


class Remembered(BaseModel):
    """The stored pattern of a study, and the effect of its warm start.

    Attributes:
        error: Why storing failed. The training run does not depend on it.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    pattern_id: str | None
    reason: str
    uses: tuple[WarmStartUse, ...]
    head_start: WarmStartEffect | None = None
    error: str | None = None


def warm_start(project: Project, experiment: Experiment, rows: SearchRows) -> WarmStart:
    """Return the first configurations for the study, or for that of each algorithm that the experiment compares.

    They are chosen from similar patterns. Patterns of the same train and validation rows are excluded: a study would
    warm-start from itself, and a change of only the test rows would change it.
    """
    features = meta_features(
        rows.train.features, target_codes(rows.train.target, rows.facts.classes), experiment.problem_type
    )
    if len(experiment.contenders) == 1:
        return _of_one(project, experiment, rows, features)[0]
    # As if they had equal shares of the budget.
    share = max(1, experiment.hpo.trials // len(experiment.contenders))
    started = experiment.model_copy(update={"hpo": experiment.hpo.model_copy(update={"trials": share})})
    found = {name: _of_one(project, started.of(name), rows, features) for name in experiment.contenders}
    shares = win_shares({name: patterns for name, (_, patterns) in found.items()})
    # The sort is stable: of equal shares, the simplest algorithm is first.
    each = {name: found[name][0] for name in sorted(found, key=lambda name: -shares[name])}
    return WarmStart(
        configurations=(),
        meta_features=features,
        considered=sum(one.considered for one in each.values()),
        reason="; ".join(f"{one.reason}, won {shares[name]:.0%}" for name, one in each.items()),
        error=next((one.error for one in each.values() if one.error), None),
        contenders=each,
    )


def _of_one(
    project: Project, experiment: Experiment, rows: SearchRows, features: dict[str, float]
) -> tuple[WarmStart, list[Pattern]]:
    """Return the warm start of an experiment with one algorithm, and the similar patterns."""
    settings = experiment.warm_start
    if not settings.enabled:
        return _started(experiment, [], features, "the experiment starts cold: warm_start is off"), []
    try:
        found = _patterns(project, experiment, features, rows.facts.search_hash)
        reason = f"{len(found)} patterns of {experiment.algorithm} for {experiment.problem_type}"
        reason += f" by {kind_metric(experiment)} are at least {settings.min_similarity:g} similar"
        return _started(experiment, found, features, reason), found
    except Exception as error:  # noqa: BLE001  # a study does not depend on the memory
        why = _first_line(error)
        cold = _started(experiment, [], features, f"the study starts cold, as the memory could not be read: {why}")
        return cold.model_copy(update={"error": why}), []


def _started(experiment: Experiment, found: Sequence[Pattern], features: Mapping[str, float], reason: str) -> WarmStart:
    return starts.warm_start(
        found,
        tuning.defaults(experiment),
        experiment.search_space(),
        tries(experiment.hpo.trials, experiment.warm_start.max_configurations),
        features,
        reason,
    )


def _first_line(error: Exception) -> str:
    """Return the first line of an exception; the other lines have the statement with its values."""
    lines = str(error).splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"[:_LONGEST_REASON]


def remember(
    project: Project, experiment: Experiment, facts: SplitFacts, start: WarmStart, tuned: tuning.Tuned
) -> Remembered:
    """Store a finished study as a pattern, once, and return the effect of its warm start.

    The studies of algorithms that were compared and not chosen are stored too; the model has no link to them.
    """
    decided = tuned.decided(experiment)
    found = _remembered(project, decided, facts, start.of(decided.algorithm), tuned, is_trained=True)
    for other in tuned.others or ():
        of = other.decided(experiment)
        stored = _remembered(project, of, facts, start.of(of.algorithm), other, is_trained=False)
        if stored.error and not found.error:
            why = f"{of.algorithm}: {stored.error}"
            found = found.model_copy(update={"error": why, "reason": why})
    return found


def _remembered(
    project: Project,
    experiment: Experiment,
    facts: SplitFacts,
    start: WarmStart,
    tuned: tuning.Tuned,
    is_trained: bool,
) -> Remembered:
    """Store the study of one algorithm."""
    result = tuned.result
    if result is None or result.best is None:
        return Remembered(pattern_id=None, reason="no trial to train, so nothing to remember", uses=())
    pattern_id: str | None = None
    doing = "storing the pattern"
    recorded: list[WarmStartUse] = []
    try:
        row = pattern_row(experiment, facts, start, tuned.identity, result)
        pattern_id = str(project.patterns.store(row))
        doing = "recording its uses"
        for use in _recorded_uses(project, tuned.identity, result):
            recorded.append(use)
        if is_trained:
            doing = "linking the training run to it"
            project.training_runs.link_pattern(tuned.identity, pattern_id)
    except Exception as error:  # noqa: BLE001  # the model is stored; the next call adds what is missing
        why = f"{doing} failed: {_first_line(error)}"
        return Remembered(pattern_id=pattern_id, reason=why, uses=tuple(recorded), error=why)
    return Remembered(
        pattern_id=pattern_id, reason="stored", uses=tuple(recorded), head_start=uses.warm_start_effect(result)
    )


def _recorded_uses(project: Project, identity: str, result: StudyResult) -> Iterator[WarmStartUse]:
    """Record the uses of patterns in this study, and return all recorded ones."""
    study = project.studies.by_spec_hash(identity)
    if study is None:
        raise E2iError(f"study {result.study_name} is not in ml_hpo_studies: materialise hpo_study again")
    store = project.patterns
    for use in uses.uses(result):
        store.record_use(
            use.pattern_id,
            study.id,
            use.trial_number,
            use.similarity,
            use.improvement,
            value=use.value,
            default_value=use.default_value,
            best_value=use.best_value,
            rank=use.rank,
            n_ranked=use.n_ranked,
        )
        yield use


def patterns_like(
    project: Project,
    experiment: Experiment,
    features: Mapping[str, float],
    search_hash: str | None,
    min_similarity: float,
    limit: int,
) -> list[SimilarPattern]:
    """Return the patterns with at least this similarity to the meta-features, except those of the same rows."""
    return project.patterns.similar(
        algorithm=experiment.algorithm,
        problem_type=experiment.problem_type,
        metric=kind_metric(experiment),
        n_samples=int(features["n_samples"]),
        n_features=int(features["n_features"]),
        class_balance=features.get("class_balance"),
        min_similarity=min_similarity,
        limit=limit,
        exclude_data_hash=search_hash,
        meta_vector=meta_vector.meta_vector(features),
        meta_version=meta_vector.VERSION,
    )


def _patterns(project: Project, experiment: Experiment, features: dict[str, float], search_hash: str) -> list[Pattern]:
    similar = patterns_like(
        project, experiment, features, search_hash, experiment.warm_start.min_similarity, _MOST_PATTERNS
    )
    return [
        Pattern(
            pattern_id=str(one.pattern_id),
            study_name=one.study_name,
            similarity=one.similarity,
            trust=one.trust,
            top=tuple(dict(kept) for kept in one.top_configurations),
            trials=tuple(dict(kept) for kept in one.trials),
            data_hash=one.data_hash,
            best_value=one.best_value,
        )
        for one in _once_for_each_problem(similar)
    ]


def _once_for_each_problem(similar: list[SimilarPattern]) -> list[SimilarPattern]:
    """Drop the worse of two patterns of the same rows, which would otherwise count twice."""
    best: dict[str, SimilarPattern] = {}
    for one in similar:
        known = best.get(one.data_hash)
        if known is None or one.best_value > known.best_value:
            best[one.data_hash] = one
    return [one for one in similar if best[one.data_hash] is one]
