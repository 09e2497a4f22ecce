"""A training as one self-contained HTML page: it fetches nothing, runs no script, and escapes every user-given text."""

import base64
from collections.abc import Callable
from typing import TYPE_CHECKING

from e2i_assets.core.plots.captions import CAPTIONS
from e2i_assets.core.report import decisions, findings, tables, worth
from e2i_assets.core.report.algorithms import algorithms
from e2i_assets.core.report.card import card
from e2i_assets.core.report.facts import ReportFacts, number
from e2i_assets.core.report.learning import learning_finding, learning_rows

if TYPE_CHECKING:
    from jinja2 import Template

_LONGEST_FIGURE = 24


def template(name: str) -> "Template":
    """Return a template of this folder; it escapes every text."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("e2i_assets.core.report", ".")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.get_template(name)


def report_page(report: ReportFacts) -> str:
    """Return a training as a self-contained HTML document.

    Args:
        report: The training. Its names, columns, labels and descriptions come from users and may contain any text.
    """
    return template("page.html.jinja").render(
        report=report,
        experiment=report.record.experiment,
        facts=report.record.facts,
        study=report.record.study,
        number=number,
        columns=tables.columns,
        is_short=is_short,
        picture=_picture(report),
        figures=[*worth.figures(report), *decisions.cost_figure(report)],
        cost_sentences=decisions.cost_sentences(report),
        costs=decisions.costs(report),
        gains=decisions.gains(report),
        references=worth.references(report),
        calibration=worth.calibration(report),
        residuals=worth.residuals(report),
        intervals=findings.intervals(report),
        effects=findings.effects(report),
        evaluated_on=findings.evaluated_on(report),
        threshold=findings.threshold(report),
        validation_against_test=findings.validation_against_test(report),
        card=card(report),
        versions=tables.versions(report),
        accesses=tables.accesses(report),
        verdict=findings.verdict(report),
        learnt_from=findings.learnt_from(report),
        uses=findings.uses(report),
        limits=findings.limits(report),
        task=tables.task(report.record.experiment, report.record.facts),
        data=tables.data(report),
        profile=tables.profile(report),
        splits=tables.splits(report),
        split_rule=findings.split_rule(report),
        fitting_seconds=sum(one.seconds or 0.0 for one in report.record.study.trials) if report.record.study else 0.0,
        algorithms=algorithms(report),
        trials=tables.trials(report),
        best_trials=tables.best_trials(report),
        parameters=tables.parameters(report),
        metrics=tables.metrics(report),
        criteria=tables.criteria(report),
        segments=tables.segments(report),
        validation_importance=tables.validation_importance(report),
        learning_rows=learning_rows(report),
        learning_finding=learning_finding(report.record.learning_curve),
    )


def is_short(cell: str) -> bool:
    """Return whether a cell is a figure that must not be broken over lines."""
    return len(cell) <= _LONGEST_FIGURE and cell[:1] in "0123456789-+" and cell != ""


def _picture(report: ReportFacts) -> Callable[[str], dict[str, str] | None]:
    def of(file: str) -> dict[str, str] | None:
        if file not in report.record.pictures:
            return None
        title, caption = CAPTIONS[file]
        data = base64.b64encode(report.record.pictures[file]).decode()
        return {"title": title, "caption": caption, "source": f"data:image/png;base64,{data}"}

    return of
