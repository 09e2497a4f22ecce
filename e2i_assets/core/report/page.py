"""A training as one self-contained HTML page: it fetches nothing, runs no script, and escapes every user-given text."""

import base64
from collections.abc import Callable
from typing import TYPE_CHECKING

from e2i_assets.core.report import decisions, findings, tables, worth
from e2i_assets.core.report.algorithms import algorithms
from e2i_assets.core.report.card import card
from e2i_assets.core.report.facts import ReportFacts, number

if TYPE_CHECKING:
    from jinja2 import Template

_LONGEST_FIGURE = 24
# File name of a picture to its title and its caption.
PICTURES = {
    "default_against_tuned.png": (
        "Default and tuned parameters",
        "The metric of the model with default parameters, of the model with tuned parameters, and of a baseline that "
        "uses no features. The bar is the 95 % bootstrap interval on the test rows.",
    ),
    "optimisation_history.png": (
        "Optimisation history",
        "Each dot is a completed trial; the line is the best value so far. A cross is a trial that the pruner stopped.",
    ),
    "intermediate_values.png": (
        "Intermediate values",
        "Each line is a trial: the metric while its model grows. The pruner stopped the trials whose lines end early.",
    ),
    "parameter_importances.png": (
        "Hyperparameter importance",
        "The share of the difference between good and other trials that each parameter explains in this study.",
    ),
    "slice_1.png": ("Values of each parameter", "Each dot is a trial; darker dots are later trials."),
    "slice_2.png": ("Values of further parameters", "Each dot is a trial; darker dots are later trials."),
    "parallel_coordinates.png": (
        "Parallel coordinates",
        "Each line is a trial. Good values lie where the dark lines come together.",
    ),
    "pareto_front.png": (
        "Pareto front of the objectives",
        "On the front, no trial improves one objective without making another worse. The model was trained with the "
        "parameters of the circled trial.",
    ),
    "roc_curve.png": (
        "ROC curve",
        "True positive rate against false positive rate, for every threshold. The diagonal is a random classifier.",
    ),
    "precision_recall_curve.png": ("Precision-recall curve", "Precision against recall, for every threshold."),
    "calibration_curve.png": (
        "Calibration curve",
        "Observed class frequency against predicted probability. The probabilities of a calibrated model lie on the "
        "diagonal: of the rows with a predicted probability of 30 %, 30 % belong to the class.",
    ),
    "gain_chart.png": (
        "Gain chart",
        "The share of the positive rows that is found when the rows with the highest probabilities are flagged. The "
        "model is useful as far as it is above the random order.",
    ),
    "decision_curve.png": (
        "Decision curve",
        "Net benefit of the decisions for each threshold probability: found rows minus false alarms, at the exchange "
        "rate that the threshold stands for (at 0.2, four false alarms for a found row). Where the model is not above "
        "both other lines, flagging every row or none is as good.",
    ),
    "expected_cost.png": (
        "Expected cost by threshold",
        "What the wrong decisions for 1,000 test rows cost at each threshold. Lower is better. To read the best "
        "threshold from this picture would be too optimistic, because it shows the test rows.",
    ),
    "confusion_matrix.png": ("Confusion matrix", "Test rows by true class (rows) and predicted class (columns)."),
    "residuals.png": (
        "Predictions and residuals",
        "Left: true against predicted values; points on the diagonal are exact. Right: residuals against predicted "
        "values; points at zero are exact.",
    ),
    "permutation_importance.png": (
        "Permutation importance",
        "How much worse the metric on validation is when one column is shuffled. The error bar is the "
        "standard deviation over the shuffles.",
    ),
    "shap_beeswarm.png": (
        "Effects of the columns",
        "Each dot is a validation row: how far the value of the column moved its prediction (a SHAP value, or the "
        "coefficient times the value). The effects of a row and a constant add up to its prediction. An effect is not "
        "a cause.",
    ),
    "shap_dependence.png": (
        "Effect by value, of the most important columns",
        "Each dot is a validation row; a box shows the rows of a category. Dots of one value at several heights: the "
        "effect also depends on other columns.",
    ),
}


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
        evaluated_on=findings.evaluated_on(report),
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
    )


def is_short(cell: str) -> bool:
    """Return whether a cell is a figure that must not be broken over lines."""
    return len(cell) <= _LONGEST_FIGURE and cell[:1] in "0123456789-+" and cell != ""


def _picture(report: ReportFacts) -> Callable[[str], dict[str, str] | None]:
    def of(file: str) -> dict[str, str] | None:
        if file not in report.record.pictures:
            return None
        title, caption = PICTURES[file]
        data = base64.b64encode(report.record.pictures[file]).decode()
        return {"title": title, "caption": caption, "source": f"data:image/png;base64,{data}"}

    return of
