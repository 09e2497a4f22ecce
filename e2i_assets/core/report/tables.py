"""The tables of a report as rows of text: column name to cell."""

from collections.abc import Iterable
from typing import Any

from e2i_assets.core.data.split_tables import SplitFacts
from e2i_assets.core.experiments.experiment import Experiment, FinalModel
from e2i_assets.core.report.facts import ReportFacts, Rows, number
from e2i_assets.core.search import tuning
from e2i_assets.core.search.objective_choice import objective_choice

_MOST_TRIALS = 10
_MOST_SEGMENTS = 40
_MOST_FEATURES = 15
_MOST_PROFILES = 200
_USES = {
    "train": "fit the model",
    "validation": "compare trials and choose the threshold",
    "test": "evaluate the trained model, once",
    "holdout": "not used",
}

_ALSO: dict[FinalModel, dict[str, str]] = {
    "train_only": {},
    "refit": {"validation": ", then fit the final model"},
    "folds": {"train": ", then the fold models", "validation": ", then fit the fold models"},
}


def task(experiment: Experiment, facts: SplitFacts) -> Rows:
    """Return the main settings of the experiment file."""
    hpo = experiment.hpo
    target, source = experiment.target, experiment.source
    bins = f", {target.column} binned at {', '.join(map(str, target.bins))}" if target.bins else ""
    where = source.place
    budget = f"{hpo.trials} trials, {hpo.sampler} sampler, {hpo.used_pruner} pruner, seed {hpo.seed}"
    chosen = objective_choice(experiment, facts)
    evaluated_on = (
        f"{hpo.folds} folds, {hpo.repeats} repeats" if chosen.objective == "cross_validation" else "validation rows"
    )
    if hpo.objective == "auto":
        evaluated_on += f" ({chosen.reason})"
    pairs = {
        "Owner": experiment.owner,
        "Target": f"{experiment.target_name}{bins} ({experiment.problem_type.replace('_', ' ')})",
        "Source": f"{source.kind}: {where}",
        "Algorithm": experiment.algorithm,
        "Loss": str(experiment.used_loss) if experiment.loss != "squared_error" else "",
        "Optimised metric": experiment.metric,
        "Search": f"{budget}, evaluated on {evaluated_on}" if hpo.enabled else "off: default parameters",
        "Further objectives": ", ".join(one.name for one in hpo.objectives),
        "Monotone": ", ".join(f"{way} in {name}" for name, way in experiment.columns.monotone.items()),
        "Constraints": ", ".join(f"{name} {limit.limit:g}" for name, limit in hpo.constraints.items()),
        "Class imbalance": experiment.imbalance if experiment.problem_type != "regression" else "",
        "Success criteria": "; ".join(f"{name}: {value}" for name, value in experiment.success_criteria.items()),
    }
    return [{"": name, "what": value} for name, value in pairs.items() if value]


def data(report: ReportFacts) -> Rows:
    """Return the facts about the rows and the columns."""
    facts, columns = report.record.facts, report.record.experiment.columns
    dates = report.record.training.model.dates
    assigned = sum(facts.counts.values())
    left_out = {**facts.why_left_out, **_without_target(report)}
    pairs = {
        "Rows in a split": f"{assigned:,}",
        "Rows left out": "; ".join(f"{count:,}: {why}" for why, count in left_out.items())
        or (f"{facts.left_out:,}" if facts.left_out else "none"),
        "Notes from reading": "; ".join(facts.notes),
        "Features": f"{len(facts.features)}: {', '.join(facts.features)}",
        "Dates as features": "; ".join(
            f"{name}: {', '.join(one['parts'])} (since {one['first_day']})" for name, one in dates.items()
        ),
        "Classes": ", ".join(str(one) for one in facts.classes),
        "Columns excluded for their content": "; ".join(f"{name}: {why}" for name, why in report.record.unused.items()),
        "Columns excluded by the experiment": ", ".join(columns.drop),
        "Group column": columns.group or "",
        "Time column": columns.time or "",
        "Sample weights": _weights(report),
        "Content hash of the table": facts.data_hash,
    }
    return [{"": name, "what": value} for name, value in pairs.items() if value]


def _weights(report: ReportFacts) -> str:
    effective = {
        split: f"{of.n_rows:,} {split} rows carry as much information as {of.effective_rows:,.0f} equally weighted ones"
        for split, of in report.record.training.report.splits.items()
        if of.effective_rows is not None
    }
    return f"weighted by {report.record.facts.weight}: {'; '.join(effective.values())}" if effective else ""


def _without_target(report: ReportFacts) -> dict[str, int]:
    count = report.record.facts.rows_without_target
    return {f"without a value of {report.record.facts.target}": count} if count else {}


def profile(report: ReportFacts) -> Rows:
    """Return each column of the source: what it contains and what it is used for."""
    return [
        {name: str(value) for name, value in one.model_dump().items()} for one in report.record.profile[:_MOST_PROFILES]
    ]


def splits(report: ReportFacts) -> Rows:
    """Return the number of rows of each split and its use."""
    counts = report.record.facts.counts
    total = sum(counts.values())
    also = _ALSO[report.record.training.final_model]
    return [
        {
            "split": split,
            "rows": f"{count:,}",
            "share": f"{count / total:.1%}",
            "used to": _USES[split] + also.get(split, ""),
        }
        for split, count in counts.items()
    ]


def trials(report: ReportFacts) -> Rows:
    """Return the number of trials in each final state, by origin."""
    if report.record.study is None:
        return []
    labels = {"default": "default parameters", "warm_start": "taken from past studies"}
    labels |= {"sampler": "proposed by the sampler", "retry": "repeated after a failure"}
    found = []
    for origin, label in labels.items():
        of = [trial for trial in report.record.study.trials if trial.origin == origin]
        if of:
            states = {state: sum(one.state == state for one in of) for state in ("COMPLETE", "PRUNED", "FAIL")}
            values = dict(zip(("completed", "pruned", "failed"), map(str, states.values()), strict=True))
            found.append({"origin": label, "trials": str(len(of)), **values})
    return found


def best_trials(report: ReportFacts) -> Rows:
    """Return the best trials with the parameters that they sampled."""
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
            "sampled parameters": ", ".join(f"{name} = {_value(value)}" for name, value in one.sampled.items()),
        }
        for one in ranked[:_MOST_TRIALS]
    ]


def parameters(report: ReportFacts) -> Rows:
    """Return the parameters of the model, their default values and their origin."""
    defaults = {**tuning.defaults(report.record.experiment), **tuning.fixed(report.record.experiment)}
    space, fixed = report.record.experiment.search_space(), tuning.fixed(report.record.experiment)

    def origin(name: str) -> str:
        if name in space and report.record.hpo.hpo_completed:
            return "searched"
        return "fixed" if name in fixed else "early stopping" if name == "n_estimators" else "default"

    return [
        {"parameter": name, "value": _value(value), "default": _value(defaults.get(name)), "origin": origin(name)}
        for name, value in report.record.training.parameters.items()
    ]


def metrics(report: ReportFacts) -> Rows:
    """Return every metric on each split, its interval on test, and the test values of the defaults and the baseline."""
    return [
        {
            "metric": row.name,
            **{split: number(value, 3) for split, value in row.splits.items()},
            "95 % (test)": f"{number(row.interval.low, 3)} to {number(row.interval.high, 3)}" if row.interval else "",
            "defaults (test)": number(row.defaults, 3),
            "baseline (test)": number(row.dummy, 3),
        }
        for row in report.record.metric_rows()
    ]


def accesses(report: ReportFacts) -> Rows:
    """Return who used test and holdout rows, when and why."""
    return [
        {"rows": one.rows, "time (UTC)": f"{one.at:%Y-%m-%d %H:%M}", "by": one.by, "reason": one.reason}
        for one in report.accesses
    ]


def versions(report: ReportFacts) -> Rows:
    """Return the version of each program and library that made the model."""
    return [{"": name, "what": version} for name, version in report.versions.items()]


def criteria(report: ReportFacts) -> Rows:
    """Return each success criterion with its result and the reason."""
    return [
        {"criterion": row["criterion"], "met": "yes" if row["met"] else "no", "reason": row["why"]}
        for row in report.record.criteria_rows()
    ]


def segments(report: ReportFacts) -> Rows:
    """Return the metric of each segment of the test rows."""
    name = report.record.measure.name

    def interval(of: Any) -> str:
        return (
            f"{number(of.intervals[name].low, 3)} to {number(of.intervals[name].high, 3)}"
            if name in of.intervals
            else ""
        )

    return [
        {
            "segment": f"{one.column} = {one.segment}",
            "test rows": f"{one.n_rows:,}",
            name: number(one.metrics.get(name), 3),
            "95 % interval": interval(one),
            "": "too few rows to compare" if one.is_small else one.not_computable.get(name, ""),
        }
        for one in report.record.training.segments[:_MOST_SEGMENTS]
    ]


def validation_importance(report: ReportFacts) -> Rows:
    """Return the features by permutation importance, the most important first."""
    loss = f"{report.record.experiment.metric} worse by"
    return [
        {"feature": one.feature, loss: number(one.loss, 2), "standard deviation": number(one.spread, 2)}
        for one in report.record.validation_importance[:_MOST_FEATURES]
    ]


def columns(rows: Iterable[dict[str, str]]) -> list[str]:
    """Return the column names of a table."""
    return list(next(iter(rows), {}))


def _value(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
