"""The sentences of a report: the verdict with its interval, the intended use of the model, and its limits."""

from collections.abc import Iterator

from e2i_assets.core.evaluation.paired import PairedGain
from e2i_assets.core.final_fit import EVALUATED_ON, LEARNT_FROM
from e2i_assets.core.report import decisions, worth
from e2i_assets.core.report.facts import ReportFacts, number

# Cox's calibration slope of a calibrated model is 1. Within these bounds the deviation has no practical effect.
_SLOPES = (0.8, 1.25)
_FEW_ROWS = 200
_FEW_GROUPS = 50
_FEW_OF_A_CLASS = 50
_MOST_NAMED = 8


def verdict(report: ReportFacts) -> list[str]:
    """Return the result in three sentences: the metric on test, the gain from tuning, and the success criteria."""
    return [_outcome(report), _gain(report), _criteria(report)]


def _outcome(report: ReportFacts) -> str:
    name, rows = report.record.measure.name, report.record.facts.counts["test"]
    if report.record.on_test is None:
        why = report.record.training.report.splits["test"].not_computable.get(name, "it was not measured")
        return f"{name} cannot be computed on the {rows:,} test rows: {why}."
    interval = f" (95 % bootstrap interval {_between(report)})" if report.record.interval else ""
    better = "higher is better" if report.record.measure.greater_is_better else "lower is better"
    dummy = report.record.of_dummy
    baseline = "" if dummy is None else f" A baseline that uses no features has {number(dummy, 3)}."
    value = number(report.record.on_test, 3)
    meaning = f" {name} is {worth.MEANINGS[name]}." if name in worth.MEANINGS else ""
    return (
        f"On {rows:,} test rows that the search did not use, {name} is {value}{interval}; {better}.{baseline}{meaning}"
    )


def _gain(report: ReportFacts) -> str:
    if not report.record.hpo.hpo_completed:
        why = report.record.hpo.error or report.record.hpo.hpo_stop_reason or "the search was off"
        return f"No tuning: {why.rstrip('.')}. The model was trained with the default parameters."
    gain = report.record.training.gains.get("defaults")
    if gain is None:
        return "Tuned and default parameters cannot be compared on these rows."
    return f"The default parameters have {number(gain.second, 3)}: {compared(gain, 'the tuned parameters are')}"


def compared(gain: PairedGain, subject: str) -> str:
    """Return the gain of a model over another as words: its size, its interval, and what the interval shows.

    Args:
        gain: The gain of the model.
        subject: The model and its verb, such as "the tuned parameters are".
    """
    if gain.gain == 0:
        return f"{subject} neither better nor worse."
    words = f"{subject} {number(abs(gain.gain), 2)} {'better' if gain.gain > 0 else 'worse'}"
    if gain.low is None or gain.high is None:
        return f"{words}. This metric has no interval."
    words += f" (95 % interval of the gain {number(gain.low, 2)} to {number(gain.high, 2)}, {gain.method})"
    if gain.is_clear:
        return f"{words}. The interval does not contain 0."
    return f"{words}. The interval contains 0: these rows show no clear difference."


def _criteria(report: ReportFacts) -> str:
    criterion_results = report.record.training.criterion_results
    if not criterion_results:
        return "The experiment has no success criteria, so no required quality is defined."
    unmet = [one.criterion.name for one in criterion_results if not one.met]
    if not unmet:
        return (
            f"All {len(criterion_results)} success criteria are met."
            if len(criterion_results) > 1
            else "The criterion is met."
        )
    return f"{len(unmet)} of {len(criterion_results)} success criteria are not met: {', '.join(unmet)}."


def split_rule(report: ReportFacts) -> str:
    """Return the rule that assigned the rows to the splits, as a sentence."""
    columns, split = report.record.experiment.columns, report.record.experiment.split
    whole = f"; all rows with the same {columns.group} are in one split" if columns.group else ""
    sentences = {
        "random": "Rows were split at random.",
        "stratified": "Rows were split at random, with the same class shares in every split.",
        "group": f"Rows were split at random{whole}.",
        "time": f"Rows were split in the order of {columns.time}: earlier rows train, later rows evaluate.",
        "group_time": f"Rows were split in the order of {columns.time}{whole}.",
        "column": f"Rows were split by the column {split.column}.",
    }
    return sentences.get(report.record.facts.strategy, f"Rows were split by {report.record.facts.strategy}.")


def intervals(report: ReportFacts) -> str:
    """Return what the intervals of the metrics cover, as a sentence."""
    group, count = report.record.experiment.columns.group, report.record.training.test_groups
    unit = f"values of {group}, with all their rows" if count else "rows"
    of = f" There are {count:,} of them." if count else ""
    if count and count < _FEW_GROUPS:
        of += f" With fewer than {_FEW_GROUPS} of them it is approximate, and rather too narrow."
    return (
        f"Each interval is a 95 % percentile bootstrap interval: the metric over 1,000 resamples of the test {unit}."
        f"{of} It covers the uncertainty from the choice of the test rows, not from the choice of the train rows."
    )


def validation_against_test(report: ReportFacts) -> str:
    """Return the metric where the parameters were chosen and where they were not, as a sentence; empty without both."""
    name = report.record.measure.name
    splits = report.record.training.report.splits
    chosen, unseen = splits["validation"].metrics.get(name), splits["test"].metrics.get(name)
    if chosen is None or unseen is None:
        return ""
    return (
        f"{name} is {number(chosen, 3)} on {evaluated_on(report)}, where the parameters were chosen, and "
        f"{number(unseen, 3)} on the test rows, which nothing was chosen on."
    )


def learnt_from(report: ReportFacts) -> str:
    """Return what the final model learnt from, and whose metrics the report shows, in one to three sentences."""
    training = report.record.training
    learnt = f"The final model learnt from {training.samples:,} {LEARNT_FROM[training.final_model]}."
    if training.final_model == "train_only":
        return learnt
    if training.final_model == "folds":
        rounds = f", of {', '.join(map(str, training.fold_rounds))} rounds" if training.fold_rounds else ""
        return (
            f"{learnt} It has {len(training.unseen)} of them{rounds}. For the metrics on validation, the threshold and "
            "the permutation importance, each row is predicted by the fold model that has not learnt from it; for the "
            "metrics on train, by the others. The metrics on test are those of the mean."
        )
    return (
        f"{learnt} It has seen the validation rows, so the metrics on train and validation, the threshold and the "
        "permutation importance are those of the same parameters and rounds fitted on the train rows alone."
    )


def effects(report: ReportFacts) -> str:
    """Return whether the model has learnt from the rows of the plots of effects, as a sentence."""
    if report.record.training.final_model == "train_only":
        return "The effects are those of the final model on validation rows, from which it has not learnt."
    return (
        "The effects are those of the final model, which has learnt from the validation rows that are drawn: they show "
        "how the model decides, not how good it is."
    )


def evaluated_on(report: ReportFacts) -> str:
    """Return the rows of the metrics on validation and of the threshold, as a part of a sentence."""
    return EVALUATED_ON[report.record.training.final_model]


def threshold(report: ReportFacts) -> list[str]:
    """Return what the threshold does to the decisions of the model; nothing for a model without one."""
    training, classes = report.record.training, report.record.facts.classes
    if training.report.threshold is None:
        return []
    at, label, test = number(training.report.threshold), classes[-1], training.report.splits["test"]
    found = [f"A row is flagged as {label} if the model gives {label} a probability of at least {at} (the threshold)."]
    if test.confusion and not test.effective_rows:
        (_, wrong), (missed, right) = test.confusion
        flagged = f"flags {wrong + right:,}, of which {right:,} are {label}"
        found.append(f"On the test rows this {flagged}, and misses {missed:,} that are {label}.")
    return [
        *found,
        "A higher threshold flags fewer rows and misses more; a lower one misses fewer and flags more rows wrongly.",
        f"It was chosen on {evaluated_on(report)}, where the share of {label} that is found and the share of the other "
        "rows that is not flagged have the largest sum (Youden's index).",
    ]


def uses(report: ReportFacts) -> list[str]:
    """Return the uses of the model that the evaluation supports."""
    target, experiment = report.record.experiment.target_name, report.record.experiment
    sentences = [
        f"To predict {target} for rows from the same source, with the same columns, each known at the same point in "
        "time as in this data."
    ]
    if group := experiment.columns.group:
        sentences.append(
            f"For new values of {group}: all rows with the same {group} are in one split, so no {group} of the test "
            "rows is among the train rows."
        )
    if experiment.columns.time:
        sentences.append(f"For later rows: the test rows are later in {experiment.columns.time} than the train rows.")
    return sentences


def limits(report: ReportFacts) -> list[str]:
    """Return the limits of the model and of its evaluation, as sentences."""
    return [
        *_by_criteria(report),
        *_by_rows(report),
        *_by_probabilities(report),
        *decisions.limits(report),
        *_by_segments(report),
        *_always(report),
    ]


def _by_criteria(report: ReportFacts) -> Iterator[str]:
    for one in report.record.training.criterion_results:
        interval = report.record.training.report.intervals.get(one.criterion.metric)
        if one.met and interval and not one.criterion.met(one.criterion.worse_end(interval.low, interval.high)):
            yield (
                f"Success criterion {one.reason}, but the 95 % interval, {number(interval.low, 3)} to "
                f"{number(interval.high, 3)}, also contains values that do not meet it."
            )
    if not report.record.training.criteria_met:
        yield "This model does not meet the success criteria of its experiment: do not use it."
    if report.record.study is not None and report.record.study.status == "partial":
        yield "The search ended before its trial budget was spent: more trials may find better parameters."


def _by_rows(report: ReportFacts) -> Iterator[str]:
    experiment, rows = report.record.experiment, report.record.facts.counts["test"]
    if rows < _FEW_ROWS:
        yield f"Only {rows} test rows: every metric in this report is imprecise. The intervals show how imprecise."
    confusion = report.record.training.report.splits["test"].confusion
    if confusion and (rarest := min(sum(row) for row in confusion)) < _FEW_OF_A_CLASS:
        yield f"Only {rarest} test rows of the rarest class: every metric of that class is imprecise."
    if not experiment.columns.time:
        yield "Rows were not split by time: this report does not show how the model performs on later or changed data."
    if not experiment.columns.group and not experiment.columns.time:
        yield (
            "The rows are treated as independent. If several rows belong to one person or machine, the metrics are too "
            "optimistic: name the column in columns.group and train again."
        )


def _by_probabilities(report: ReportFacts) -> Iterator[str]:
    training = report.record.training
    if training.strategy != "none":
        yield (
            f"The classes were balanced for training ({training.strategy}): the predicted probabilities rank the rows, "
            "but they do not estimate how frequent a class is."
        )
    if training.slope is not None and not _SLOPES[0] <= training.slope <= _SLOPES[1]:
        how = "too extreme" if training.slope < 1 else "not extreme enough"
        slope = number(training.slope)
        yield f"The predicted probabilities are {how} (calibration slope {slope}): do not use them as risk estimates."


def _by_segments(report: ReportFacts) -> Iterator[str]:
    for gap in report.record.gaps:
        if gap.beyond_chance:
            yield (
                f"The performance differs between the values of {gap.column}: {gap.metric} for {gap.worst} is "
                f"{number(gap.size)} worse than for {gap.best}, and the two 95 % intervals do not overlap."
            )
    if small := [f"{one.column} = {one.segment}" for one in report.record.training.segments if one.is_small]:
        others = " and others" if len(small) > _MOST_NAMED else ""
        yield f"Too few test rows to evaluate {', '.join(small[:_MOST_NAMED])}{others} separately."


def _always(report: ReportFacts) -> Iterator[str]:
    if report.record.validation_importance:
        yield "An important feature is not necessarily a cause: changing its value may not change the target."
    holdout = report.record.facts.counts["holdout"]
    yield (
        f"This report uses the test rows. {holdout:,} holdout rows have not been used: before you rely on the model, "
        f"evaluate it once on them, with e2i holdout {report.record.experiment.name}."
    )


def _between(report: ReportFacts) -> str:
    interval = report.record.interval
    return f"{number(interval.low, 3)} to {number(interval.high, 3)}" if interval else ""
