"""The model card of a report, for an auditor, with the headings of Mitchell et al. (2019)."""

from e2i_assets.core.report import findings
from e2i_assets.core.report.facts import ReportFacts, number

_USED_FOR = "See intended use and limits, at the beginning of this report."


def card(report: ReportFacts) -> dict[str, list[str]]:
    """Return the sentences under each heading."""
    return {
        "Model details": _details(report),
        "Intended use": [*findings.uses(report), _USED_FOR],
        "Factors": _factors(report),
        "Metrics": _metrics(report),
        "Evaluation data": _evaluation_data(report),
        "Training data": _training_data(report),
        "Quantitative analyses": _analyses(report),
        "Ethical considerations": _ethics(report),
        "Caveats and recommendations": [_USED_FOR],
    }


def _details(report: ReportFacts) -> list[str]:
    record = report.record
    return [
        f"{record.experiment.algorithm} for {record.experiment.target_name} "
        f"({record.experiment.problem_type.replace('_', ' ')}), of {record.experiment.owner}, trained "
        f"{record.start.started_at:%Y-%m-%d %H:%M} UTC.",
        "Its parameters, versions and keys are below.",
    ]


def _factors(report: ReportFacts) -> list[str]:
    columns, segments = report.record.experiment.columns, report.record.facts.segments
    found = [
        f"Groups evaluated separately: {', '.join(segments)}." if segments else "No groups are evaluated separately."
    ]
    if columns.group:
        found.append(f"Rows belong together by {columns.group}.")
    if columns.time:
        found.append(f"Rows are ordered by {columns.time}.")
    return found


def _metrics(report: ReportFacts) -> list[str]:
    found = [f"The study optimised {report.record.experiment.metric}. All metrics are in the evaluation above."]
    return [*found, *findings.threshold(report), findings.intervals(report)]


def _evaluation_data(report: ReportFacts) -> list[str]:
    counts = report.record.facts.counts
    return [
        findings.split_rule(report),
        f"{counts['test']:,} test rows evaluate the model; {counts['holdout']:,} holdout rows stay unused.",
    ]


def _training_data(report: ReportFacts) -> list[str]:
    source, facts = report.record.experiment.source, report.record.facts
    return [f"Source: {source.kind}: {source.place}; content hash {facts.data_hash}.", findings.learnt_from(report)]


def _analyses(report: ReportFacts) -> list[str]:
    gaps = report.record.gaps
    if not gaps:
        return ["There are no two groups that are large enough to compare."]
    return [
        f"{gap.column}: {gap.metric} is best for {gap.best} and {number(gap.size, 2)} worse for {gap.worst}; the 95 % "
        f"intervals {'do not overlap' if gap.beyond_chance else 'overlap'}."
        for gap in gaps
    ]


def _ethics(report: ReportFacts) -> list[str]:
    found = [f"The model does not use {name}: {why}." for name, why in report.record.unused.items()]
    if not report.record.facts.segments:
        found.append(
            "Whether the model treats groups of people differently was not measured: name the columns in segments."
        )
    found.append("Whether the features may be used for this purpose is a decision that this report cannot make.")
    return found
