"""What the decisions of a binary model are worth, for whoever decides: gains, and costs that the experiment names."""

from collections.abc import Iterator

from e2i_assets.core.evaluation.decisions import PER, Decision, ExpectedCost, break_even
from e2i_assets.core.figures import figure, span
from e2i_assets.core.report.facts import Figure, ReportFacts, Rows, number

_NAMES: dict[Decision, str] = {
    "model": "The model at its threshold",
    "break_even": "The model at the break-even probability",
    "flag_all": "Flag every row",
    "flag_none": "Flag no row",
}
_DIGITS = 3  # significant, of costs


def gains(report: ReportFacts) -> Rows:
    """Return points of the gain chart: how many positive rows the rows with the highest probabilities contain."""
    decisions = report.record.training.decisions
    return [
        {
            "flagged": f"the {100 * one.flagged:.0f} % of rows with the highest probability",
            "found": f"{one.found:.0%}",
            "right": f"{one.right:.0%}",
        }
        for one in (decisions.gains if decisions else ())
    ]


def cost_figure(report: ReportFacts) -> list[Figure]:
    """Return the expected cost of the model's decisions beside that of the same decision for all rows."""
    by_name = _expected(report)
    if not by_name:
        return []
    model, every, none = (by_name[name] for name in ("model", "flag_all", "flag_none"))
    return [
        Figure(
            _money(report, model.value),
            f"is the expected cost of wrong decisions for each {PER:,} rows. Flag every row: "
            f"{figure(every.value, _DIGITS)}. Flag no row: {figure(none.value, _DIGITS)}.",
            f"95 % interval {span(model.low, model.high, _DIGITS)}",
        )
    ]


def cost_sentences(report: ReportFacts) -> list[str]:
    """Return what the errors cost and what follows for the threshold; how to name costs if there are none."""
    costs, threshold = report.record.experiment.costs, report.record.training.report.threshold
    if costs is None:
        return [
            "The experiment names no costs, so this report cannot say which threshold is worth most. Add what a missed "
            "row and a false alarm cost, such as costs: {missed: 500, false_alarm: 20, unit: EUR}."
        ]
    found = [
        f"By the experiment file, a missed row costs {_money(report, costs.missed)} and a false alarm "
        f"{_money(report, costs.false_alarm)}, each compared with the right decision."
    ]
    chosen = f"The threshold was not chosen for these costs: {number(threshold)} is that of Youden."
    if "break_even" in _expected(report):
        least = break_even((costs.missed, costs.false_alarm))
        chosen += (
            f" If the probabilities are calibrated, flagging costs less than not flagging from a probability of "
            f"{number(least, 3)} on (Elkan, 2001)."
        )
    return [*found, chosen]


def costs(report: ReportFacts) -> Rows:
    """Return the expected cost of each decision, and what the model saves against the others."""
    unit = report.record.experiment.costs.unit if report.record.experiment.costs else None
    cost = f"{unit or 'cost'} for {PER:,} rows"
    return [
        {
            "decision": _NAMES[name],
            "threshold": "" if one.threshold is None else number(one.threshold),
            cost: figure(one.value, _DIGITS),
            "95 % interval": span(one.low, one.high, _DIGITS),
            "the model saves": "" if one.saved is None else figure(one.saved.value, _DIGITS),
            "95 % interval of that": "" if one.saved is None else span(one.saved.low, one.saved.high, _DIGITS),
        }
        for name, one in _expected(report).items()
    ]


def limits(report: ReportFacts) -> Iterator[str]:
    """Yield each decision without a model that is not shown to cost more than the model, as a sentence."""
    by_name = _expected(report)
    names: tuple[Decision, ...] = ("flag_all", "flag_none")
    for name in names:
        one = by_name.get(name)
        if one is None or one.saved is None or one.saved.low > 0:
            continue
        how = "costs less than" if one.saved.high < 0 else "is not shown to cost more than"
        yield (
            f"At the costs of this experiment, to {_NAMES[name].lower()} {how} to follow the model at its threshold. "
            f"The difference is {_money(report, -one.saved.value)} for each {PER:,} rows (95 % interval "
            f"{span(-one.saved.high, -one.saved.low, _DIGITS)})."
        )


def _expected(report: ReportFacts) -> dict[Decision, ExpectedCost]:
    decisions = report.record.training.decisions
    return {one.decision: one for one in decisions.costs} if decisions else {}


def _money(report: ReportFacts, value: float) -> str:
    costs = report.record.experiment.costs
    unit = f" {costs.unit}" if costs and costs.unit else ""
    return f"{figure(value, _DIGITS)}{unit}"
