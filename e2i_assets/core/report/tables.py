"""The tables of a report, as rows of text."""

from collections.abc import Iterable
from typing import Any

from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.report.facts import ReportFacts, number
from e2i_assets.core.search import tuning

Rows = list[dict[str, str]]
_MOST_TRIALS = 10
_MOST_SEGMENTS = 40
_MOST_FEATURES = 15
_WORDS = {
    "train": "the model learns from them",
    "validation": "the search compares configurations on them",
    "test": "the trained model is judged on them, once",
    "holdout": "nobody has looked at them",
}


def asked(experiment: Experiment) -> Rows:
    """Return what the experiment's file says that is worth saying."""
    hpo = experiment.hpo
    target, source = experiment.target, experiment.source
    cut = f", cut from {target.column} at {', '.join(map(str, target.bins))}" if target.bins else ""
    where = source.place
    budget = f"{hpo.trials} trials, {hpo.sampler} sampler, {hpo.used_pruner} pruner, seed {hpo.seed}"
    judged_on = f"{hpo.folds} folds, {hpo.repeats} times" if hpo.objective == "cross_validation" else "validation rows"
    pairs = {
        "Owner": experiment.owner,
        "To predict": f"{experiment.target_name}{cut} ({experiment.problem_type.replace('_', ' ')})",
        "From": f"{source.kind}: {where}",
        "By": experiment.algorithm,
        "As good as possible in": experiment.metric,
        "With": f"{budget}, judged on {judged_on}" if hpo.enabled else "the default parameters, no search",
        "Weighed against it": ", ".join(one.name for one in hpo.objectives),
        "Within": ", ".join(f"{name} {limit.limit:g}" for name, limit in hpo.constraints.items()),
        "Uneven classes": experiment.imbalance if experiment.problem_type != "regression" else "",
        "Good enough when": "; ".join(f"{name}: {value}" for name, value in experiment.success_criteria.items()),
    }
    return [{"": name, "what": value} for name, value in pairs.items() if value]


def data(report: ReportFacts) -> Rows:
    """Return what is known of the rows."""
    facts, columns = report.record.facts, report.record.experiment.columns
    placed = sum(facts.counts.values())
    left_out = {**facts.why_left_out, **_without_target(report)}
    pairs = {
        "Rows with a role": f"{placed:,}",
        "Rows left out": "; ".join(f"{count:,}: {why}" for why, count in left_out.items())
        or (f"{facts.left_out:,}" if facts.left_out else "none"),
        "Noted while reading": "; ".join(facts.notes),
        "Features": f"{len(facts.features)}: {', '.join(facts.features)}",
        "Classes": ", ".join(str(one) for one in facts.classes),
        "Not learnt from, by their content": "; ".join(f"{name}: {why}" for name, why in report.record.unused.items()),
        "Never features, by the experiment": ", ".join(columns.drop),
        "Rows that belong together": columns.group or "",
        "In the order of": columns.time or "",
        "Content of the table (hash)": facts.data_hash,
    }
    return [{"": name, "what": value} for name, value in pairs.items() if value]


def _without_target(report: ReportFacts) -> dict[str, int]:
    count = report.record.facts.rows_without_target
    return {f"without a value of {report.record.facts.target}": count} if count else {}


def roles(report: ReportFacts) -> Rows:
    """Return the rows of each role and what they are for."""
    counts = report.record.facts.counts
    total = sum(counts.values())
    return [
        {"role": role, "rows": f"{count:,}", "share": f"{count / total:.1%}", "what for": _WORDS[role]}
        for role, count in counts.items()
    ]


def trials(report: ReportFacts) -> Rows:
    """Return how many trials ended how, by who proposed them."""
    if report.record.study is None:
        return []
    words = {"default": "defaults", "warm_start": "memory", "sampler": "sampler", "retry": "tried again"}
    found = []
    for origin, word in words.items():
        of = [trial for trial in report.record.study.trials if trial.origin == origin]
        if of:
            states = {state: sum(one.state == state for one in of) for state in ("COMPLETE", "PRUNED", "FAIL")}
            values = dict(zip(("completed", "ended early", "failed"), map(str, states.values()), strict=True))
            found.append({"proposed by": word, "trials": str(len(of)), **values})
    return found


def best_trials(report: ReportFacts) -> Rows:
    """Return the best trials with what they drew."""
    if report.record.study is None:
        return []
    sign = 1.0 if next(iter(report.record.study.objectives.greater_is_better.values())) else -1.0
    ranked = sorted(
        (one for one in report.record.study.trials if one.value is not None), key=lambda one: -(one.value or 0.0)
    )
    return [
        {
            "trial": str(one.number),
            report.record.experiment.metric: number(sign * (one.value or 0.0)),
            "rounds": "" if one.rounds is None else str(one.rounds),
            "drawn": ", ".join(f"{name} = {_value(value)}" for name, value in one.sampled.items()),
        }
        for one in ranked[:_MOST_TRIALS]
    ]


def parameters(report: ReportFacts) -> Rows:
    """Return what the model was fitted with beside the defaults."""
    defaults = {**tuning.defaults(report.record.experiment), **tuning.fixed(report.record.experiment)}
    space, fixed = report.record.experiment.search_space(), tuning.fixed(report.record.experiment)

    def origin(name: str) -> str:
        if name in space and report.record.hpo.hpo_completed:
            return "searched"
        return "fixed" if name in fixed else "early stopping" if name == "n_estimators" else "default"

    return [
        {"parameter": name, "trained": _value(value), "default": _value(defaults.get(name)), "from": origin(name)}
        for name, value in report.record.training.parameters.items()
    ]


def metrics(report: ReportFacts) -> Rows:
    """Return every metric on each split with its interval on test, beside the defaults and a dummy."""
    return [
        {
            "metric": row.name,
            **{split: number(value) for split, value in row.splits.items()},
            "95 % on test": f"{number(row.interval.low)} to {number(row.interval.high)}" if row.interval else "",
            "defaults": number(row.defaults),
            "dummy": number(row.dummy),
        }
        for row in report.record.metric_rows()
    ]


def criteria(report: ReportFacts) -> Rows:
    """Return each success criterion with what was measured."""
    return [
        {"criterion": row["criterion"], "met": "yes" if row["met"] else "no", "why": row["why"]}
        for row in report.record.criteria_rows()
    ]


def segments(report: ReportFacts) -> Rows:
    """Return how the model does for each segment."""
    name = report.record.measure.name

    def interval(of: Any) -> str:
        return f"{number(of.intervals[name].low)} to {number(of.intervals[name].high)}" if name in of.intervals else ""

    return [
        {
            "segment": f"{one.column} = {one.segment}",
            "test rows": f"{one.n_rows:,}",
            name: number(one.metrics.get(name)),
            "95 %": interval(one),
            "": "too small to compare" if one.is_small else one.not_computable.get(name, ""),
        }
        for one in report.record.training.segments[:_MOST_SEGMENTS]
    ]


def validation_importance(report: ReportFacts) -> Rows:
    """Return the features by what is lost without them."""
    lost = f"{report.record.experiment.metric} lost"
    return [
        {"feature": one.feature, lost: number(one.loss), "give or take": number(one.spread)}
        for one in report.record.validation_importance[:_MOST_FEATURES]
    ]


def columns(rows: Iterable[dict[str, str]]) -> list[str]:
    """Return the heads of a table."""
    return list(next(iter(rows), {}))


def _value(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
