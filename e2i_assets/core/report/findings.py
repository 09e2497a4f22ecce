"""What the numbers of a training mean, in sentences: the verdict, how sure it is, and what the model is good for."""

from collections.abc import Iterator

from e2i_assets.core.report.facts import ReportFacts, number

# Cox's slope of a model whose probabilities are right is 1; within a quarter of that nobody acts differently.
_SLOPES = (0.8, 1.25)
_FEW_ROWS = 200
_FEW_OF_A_CLASS = 50
_MOST_NAMED = 8


def verdict(report: ReportFacts) -> list[str]:
    """Return what came out, in two or three sentences."""
    return [_outcome(report), _gain(report), _criteria(report)]


def _outcome(report: ReportFacts) -> str:
    name, rows = report.record.measure.name, report.record.facts.counts["test"]
    if report.record.on_test is None:
        why = report.record.training.report.splits["test"].not_computable.get(name, "it was not measured")
        return f"{name} cannot be computed on the {rows:,} test rows: {why}."
    sure = f" (95 % interval {_between(report)})" if report.record.interval else ""
    better = "higher is better" if report.record.measure.greater_is_better else "lower is better"
    guess = report.record.of_dummy
    dummy = "" if guess is None else f" A guess that has seen no feature has {number(guess)}."
    value = number(report.record.on_test)
    return f"On {rows:,} test rows that the search never saw, {name} is {value}{sure}; {better}.{dummy}"


def _gain(report: ReportFacts) -> str:
    if not report.record.hpo.hpo_completed:
        why = report.record.hpo.error or report.record.hpo.hpo_stop_reason or "the search was off"
        return f"Nothing was tuned: {why.rstrip('.')}. The defaults were trained."
    before, after = report.record.of_defaults, report.record.on_test
    if before is None or after is None:
        return "Tuned and default parameters cannot be compared on these rows."
    gain = after - before if report.record.measure.greater_is_better else before - after
    word = "better" if gain > 0 else "worse" if gain < 0 else "the same"
    said = f"The default parameters have {number(before)}: tuning made it "
    said += word if word == "the same" else f"{abs(gain):.2g} {word}"
    if report.record.interval is None:
        return f"{said}."
    within = report.record.interval.low <= before <= report.record.interval.high
    if within:
        return f"{said}. That is within the interval: on so few rows the two cannot be told apart."
    return f"{said}, which is beyond the interval."


def _criteria(report: ReportFacts) -> str:
    judged = report.record.training.judgements
    if not judged:
        return "The experiment names no success criteria: nobody has said yet what is good enough."
    unmet = [one.criterion.name for one in judged if not one.met]
    if not unmet:
        return f"All {len(judged)} success criteria are met." if len(judged) > 1 else "Its success criterion is met."
    return f"{len(unmet)} of {len(judged)} success criteria not met: {', '.join(unmet)}."


def placed(report: ReportFacts) -> str:
    """Return by what rule rows got their roles."""
    columns, split = report.record.experiment.columns, report.record.experiment.split
    whole = f", all rows of one {columns.group} together" if columns.group else ""
    words = {
        "random": "Rows were placed by chance.",
        "stratified": "Rows were placed by chance, with the same shares of classes in every role.",
        "group": f"Rows were placed by chance{whole}.",
        "time": f"Rows were placed in the order of {columns.time}: earlier ones to learn from, later ones to judge on.",
        "group_time": f"Rows were placed in the order of {columns.time}{whole}.",
        "column": f"Rows were placed as the column {split.column} says.",
    }
    return words.get(report.record.facts.strategy, f"Rows were placed by {report.record.facts.strategy}.")


def uses(report: ReportFacts) -> list[str]:
    """Return what the model may be used for, by what was measured."""
    target, experiment = report.record.experiment.target_name, report.record.experiment
    said = [
        f"To predict {target} for rows that come about as these did: the same source, the same columns, each known at "
        "the same moment as here."
    ]
    if experiment.columns.group:
        said.append(
            f"For a {experiment.columns.group} that it has never met: all rows of one stood in one role, so these "
            "figures hold for new ones."
        )
    if experiment.columns.time:
        said.append(f"For later rows: the test rows are later in {experiment.columns.time} than what it learnt from.")
    return said


def limits(report: ReportFacts) -> list[str]:
    """Return what it may not be used for, or not yet, and what these figures do not say."""
    return [
        *_by_criteria(report),
        *_by_rows(report),
        *_by_probabilities(report),
        *_by_segments(report),
        *_always(report),
    ]


def _by_criteria(report: ReportFacts) -> Iterator[str]:
    if not report.record.training.criteria_met:
        yield "By the criteria of its own experiment this model is not good enough to be used."
    if report.record.study is not None and report.record.study.status == "partial":
        yield "The search was cut short by its time: more trials may find better parameters."


def _by_rows(report: ReportFacts) -> Iterator[str]:
    experiment, rows = report.record.experiment, report.record.facts.counts["test"]
    if rows < _FEW_ROWS:
        yield f"Only {rows} test rows: every figure here is rough, and its interval says how rough."
    confusion = report.record.training.report.splits["test"].confusion
    if confusion and (rarest := min(sum(row) for row in confusion)) < _FEW_OF_A_CLASS:
        yield f"Only {rarest} test rows of the rarest class: what is said about that class rests on them alone."
    if not experiment.columns.time:
        yield "Rows were not split by time: nothing here says how it does in a later year, or after a change."
    if not experiment.columns.group and not experiment.columns.time:
        yield (
            "Each row counts as a case of its own. If several belong to one person or machine, the figures are too "
            "good: name the column in columns.group and train again."
        )


def _by_probabilities(report: ReportFacts) -> Iterator[str]:
    training = report.record.training
    if training.strategy != "none":
        yield (
            f"The classes were evened out for learning ({training.strategy}): its probabilities rank rows, and are not "
            "shares of cases."
        )
    if training.slope is not None and not _SLOPES[0] <= training.slope <= _SLOPES[1]:
        how = "too extreme" if training.slope < 1 else "too timid"
        yield f"Its probabilities are {how} (calibration slope {number(training.slope)}): do not read them as risks."


def _by_segments(report: ReportFacts) -> Iterator[str]:
    for gap in report.record.gaps:
        if gap.beyond_chance:
            yield (
                f"It does not do equally well for all values of {gap.column}: {gap.metric} for {gap.worst} is "
                f"{number(gap.size)} behind {gap.best}, more than chance explains."
            )
    if small := [f"{one.column} = {one.segment}" for one in report.record.training.segments if one.is_small]:
        others = " and others" if len(small) > _MOST_NAMED else ""
        yield f"Too few test rows to say anything about {', '.join(small[:_MOST_NAMED])}{others}."


def _always(report: ReportFacts) -> Iterator[str]:
    if report.record.validation_importance:
        yield "What a model leans on is not what causes the target: changing such a column may change nothing."
    holdout = report.record.facts.counts["holdout"]
    yield (
        f"These test rows have been looked at for this report. {holdout:,} holdout rows have not: before it matters, "
        f"judge it once on them, with e2i holdout {report.record.experiment.name}."
    )


def _between(report: ReportFacts) -> str:
    interval = report.record.interval
    return f"{number(interval.low)} to {number(interval.high)}" if interval else ""
