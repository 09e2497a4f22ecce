"""What each way of `benchmarks.few_trials` tries first, from the shipped memory without the data set itself."""

import gzip
import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np

from benchmarks.corpus import SAME_SOURCE
from e2i_assets.core.data.split_tables import SearchRows
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.fitting.fit_context import target_codes
from e2i_assets.core.memory.meta_features import meta_features
from e2i_assets.core.memory.meta_vector import meta_vector, similarity
from e2i_assets.core.memory.past_problems import WORST_REGRET, PastProblem
from e2i_assets.core.memory.portfolio import planned, tries
from e2i_assets.core.memory.starter import StarterFile, StarterStudy, patterns
from e2i_assets.core.memory.warm_start import Pattern, WarmStart, warm_start
from e2i_assets.core.search import tuning
from e2i_assets.core.search.proposals import Proposal, Proposer, Tried
from e2i_assets.core.search_space.space import adapted_to
from e2i_assets.services.memory_files.starter_memory import SHIPPED

FORMER, COLD, OURS, QUARTER = "former", "cold", "ours", "ours, a quarter"
OURS_FIRST, NEAREST, PORTFOLIO, PLAIN = "ours first", "nearest first", "portfolio first", "plain portfolio first"
WAYS = (COLD, OURS, QUARTER, OURS_FIRST, NEAREST, PORTFOLIO, PLAIN)
# The regret of a configuration that a past study did not try: that of a typical one.
_UNTRIED = 1.0


@cache
def shipped() -> tuple[StarterStudy, ...]:
    """Return the studies of the shipped memory, read once: a project reads them from its database."""
    return StarterFile.model_validate_json(gzip.decompress(SHIPPED.read_bytes())).studies


def remembered(experiment: Experiment, name: str, here: Mapping[str, float] | None) -> list[Pattern]:
    """Return the shipped patterns of the other data sets, most similar to these meta-features first, if there are."""
    found = []
    for study in shipped():
        same = SAME_SOURCE.get(study.table, study.table) == SAME_SOURCE.get(name, name)
        if same or (study.algorithm, study.problem_type) != (experiment.algorithm, experiment.problem_type):
            continue
        alike = similarity(meta_vector(here), meta_vector(study.meta_features)) if here else 1.0
        found += [
            Pattern(pattern_id=study.table, study_name=study.table, similarity=alike, top=one.top, trials=one.trials)
            for one in patterns(study)
            if one.metric == experiment.metric
        ]
    return sorted(found, key=lambda one: -one.similarity)


def start(way: str, budget: int, experiment: Experiment, rows: SearchRows, name: str) -> tuple[Proposer, int]:
    """Return what a way tries first, and how many trials that are."""
    space, defaults = experiment.search_space(), tuning.defaults(experiment)
    if way in (COLD, FORMER):
        return warm_start([], defaults, space, 0, {}, way).proposer(), 0
    here = None if way in (PORTFOLIO, PLAIN) else described(experiment, rows)
    past = remembered(experiment, name, here)
    most = experiment.warm_start.max_configurations
    counts = {OURS: tries(budget, most), QUARTER: max(1, min(budget // 4, most))}
    warm = counts.get(way, min(budget - 1, most))
    if way in (NEAREST, PLAIN):
        order = plain_portfolio(past, warm) if way == PLAIN else [one.top[0]["values"] for one in past]
        cold = warm_start([], defaults, space, 0, {}, way)
        return _then_defaults([adapted_to(one, space)[0] for one in order], warm, cold)
    found = chosen(experiment, past, warm, here or {}, way)
    if way in (OURS, QUARTER, OURS_FIRST):
        return found.proposer(), found.tries
    return _then_defaults([one.values for one in found.configurations], found.tries, found)


def chosen(
    experiment: Experiment, memory: Sequence[Pattern], count: int, here: Mapping[str, float], way: str
) -> WarmStart:
    """Return the warm start of the product with so many configurations from a memory."""
    past = [one for one in memory if one.similarity >= experiment.warm_start.min_similarity]
    return warm_start(past, tuning.defaults(experiment), experiment.search_space(), count, here, way)


def described(experiment: Experiment, rows: SearchRows) -> dict[str, float]:
    """Return the meta-features of the train rows."""
    codes = target_codes(rows.train.target, rows.facts.classes)
    return meta_features(rows.train.features, codes, experiment.problem_type)


def plain_portfolio(past: Sequence[Pattern], count: int) -> list[dict[str, Any]]:
    """Return the best configurations of past studies in the order that lowers the mean regret most.

    All studies count the same, and a regret is that of the study's own value, without a surrogate: 0 is the best of
    the study, 1 its median. The first trial of each study is that of the defaults.
    """
    candidates = [past[0].trials[0]["values"]]
    for one in past:
        if one.top[0]["values"] not in candidates:
            candidates.append(one.top[0]["values"])
    problems = [
        PastProblem(pattern_id=one.pattern_id, study_name=None, similarity=1.0, regrets=_regrets(one, candidates))
        for one in past
    ]
    return [candidates[place] for place in planned(problems, min(count, len(candidates) - 1), [0])]


def _regrets(study: Pattern, candidates: Sequence[Mapping[str, Any]]) -> tuple[float, ...]:
    values = np.array([trial["value"] for trial in study.trials])
    best, scale = float(values.max()), float(values.max() - np.median(values)) or 1.0
    known = {json.dumps(trial["values"], sort_keys=True): trial["value"] for trial in study.trials}
    found = [known.get(json.dumps(one, sort_keys=True)) for one in candidates]
    return tuple(_UNTRIED if one is None else min((best - one) / scale, WORST_REGRET) for one in found)


def _then_defaults(order: Sequence[dict[str, Any]], count: int, start: WarmStart) -> tuple[Proposer, int]:
    """Return a proposer of the first distinct ones, and then of the defaults if none was as good; and their number."""
    distinct = [one for place, one in enumerate(order) if one and one not in order[:place]][:count]
    finish = start.model_copy(update={"tries": 0}).proposer()

    def following(tried: Sequence[Tried], default_value: float | None) -> Proposal | None:
        untried = (one for one in distinct if not any(trial.is_of(one) for trial in tried))
        if (values := next(untried, None)) is not None:
            return Proposal(values, "warm_start", {})
        best = max((trial.value for trial in tried if trial.value is not None), default=None)
        return None if best is not None and default_value is not None and best >= default_value else finish(tried, None)

    return following, len(distinct)
