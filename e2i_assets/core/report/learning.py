"""The report on the learning curve: is more data worth it?"""

from e2i_assets.core.learning_curve import LearningCurve
from e2i_assets.core.report.facts import ReportFacts, Rows, number
from e2i_assets.core.report.findings import compared


def learning_rows(report: ReportFacts) -> Rows:
    """Return the points of the curve."""
    name = report.record.experiment.metric
    curve = report.record.learning_curve
    return [
        {"train rows": f"{one.rows:,}", f"{name} on other rows": number(one.value)}
        for one in (curve.points if curve else ())
    ]


def learning_finding(curve: LearningCurve | None) -> str:
    """Return what the curve says about more rows, in one or two sentences."""
    if curve is None:
        return ""
    if not curve.points:
        return f"There is no learning curve: {curve.why_missing}."
    half, every = curve.points[-2:]
    if curve.doubling is None:
        return f"From {half.rows:,} to {every.rows:,} train rows; the difference has no interval."
    found = compared(curve.doubling, f"With {every.rows:,} instead of {half.rows:,} train rows the model is")
    if curve.doubling.is_clear and curve.doubling.gain > 0:
        return f"{found} More rows of the same kind would probably improve it further."
    return f"{found} More rows of the same kind alone promise little: better columns may do more."
