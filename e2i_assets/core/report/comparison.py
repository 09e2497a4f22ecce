"""A comparison of models as tables of text, and as one self-contained HTML page in the style of the report."""

from collections.abc import Callable
from datetime import datetime

from e2i_assets.core.comparison import ComparedModel, ModelComparison
from e2i_assets.core.report.facts import Rows, number
from e2i_assets.core.report.findings import compared
from e2i_assets.core.report.page import is_short, template
from e2i_assets.core.report.tables import columns


def sentences(comparison: ModelComparison) -> list[str]:
    """Return the result of the comparison: each other model against the first one."""
    first = comparison.models[0].experiment
    return [
        f"{name} and {first} cannot be compared by {comparison.metric} on these rows."
        if gain is None
        else f"{comparison.metric} is {number(gain.first, 3)} for {name} and {number(gain.second, 3)} for {first}: "
        f"{compared(gain, f'{name} is')}"
        for name, gain in comparison.gains.items()
    ]


def models(comparison: ModelComparison) -> Rows:
    """Return what each model is worth and what it costs, a column for each experiment."""
    metric = comparison.metric

    def interval(of: ComparedModel) -> str:
        return "" if of.low is None else f"{number(of.low, 3)} to {number(of.high, 3)}"

    def gain(of: ComparedModel) -> str:
        found = comparison.gains.get(of.experiment)
        if found is None:
            return "reference" if of is comparison.models[0] else ""
        between = "" if found.low is None else f" ({number(found.low, 2)} to {number(found.high, 2)})"
        return f"{number(found.gain, 2)}{between}"

    lines: dict[str, Callable[[ComparedModel], str]] = {
        "algorithm": lambda of: of.algorithm,
        f"{metric} on test": lambda of: number(of.metrics.get(metric), 3),
        "its 95 % interval": interval,
        "better by (paired 95 % interval)": gain,
        "calibration slope (1 is calibrated)": lambda of: number(of.calibration_slope, 3),
        "features": lambda of: f"{of.features:,}",
        "rows learnt from": lambda of: f"{of.samples:,}",
        "trials": lambda of: f"{of.trials:,}",
        "search, seconds": lambda of: number(of.search_seconds, 3),
        "final fit, seconds": lambda of: number(of.fit_seconds, 3),
        "model on disk, kB": lambda of: f"{of.model_bytes / 1000:,.0f}",
        "model key": lambda of: of.model_key[:12],
    }
    return [row for name, cell in lines.items() if any((row := _row(comparison, name, cell)).values())]


def metrics(comparison: ModelComparison) -> Rows:
    """Return all metrics on test, a column for each experiment."""
    names = dict.fromkeys(name for of in comparison.models for name in of.metrics)
    return [
        {"": name, **{of.experiment: number(of.metrics.get(name), 3) for of in comparison.models}} for name in names
    ]


def segments(comparison: ModelComparison) -> Rows:
    """Return the compared metric of the segments that all experiments evaluate."""
    shared = [
        segment for segment in comparison.models[0].segments if all(segment in of.segments for of in comparison.models)
    ]
    return [{"": name, **{of.experiment: number(of.segments[name], 3) for of in comparison.models}} for name in shared]


def _row(comparison: ModelComparison, name: str, cell: Callable[[ComparedModel], str]) -> dict[str, str]:
    return {"": name, **{of.experiment: cell(of) for of in comparison.models}}


def comparison_page(comparison: ModelComparison, made_at: datetime) -> str:
    """Return a comparison as a self-contained HTML document that escapes every user-given text."""
    return template("comparison.html.jinja").render(
        comparison=comparison,
        made_at=made_at,
        columns=columns,
        is_short=is_short,
        sentences=sentences(comparison),
        models=models(comparison),
        metrics=metrics(comparison),
        segments=segments(comparison),
        differences=[dict(one) for one in comparison.differences],
    )
