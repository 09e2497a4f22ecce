"""A training as one page of HTML: everything in it, nothing fetched, and no script; what people named is text."""

import base64
from collections.abc import Callable

from e2i_assets.core.report import findings, tables
from e2i_assets.core.report.facts import ReportFacts, number

# File name to the title of a picture and how to read it.
PICTURES = {
    "default_against_tuned.png": (
        "Default against tuned",
        "The model with its default parameters, with the tuned ones, and a guess that has seen no feature. "
        "The bar is the 95 % interval on the test rows.",
    ),
    "optimisation_history.png": (
        "The search, trial by trial",
        "Each dot is one configuration that was tried; the line is the best so far. A cross was ended early because it "
        "lagged behind.",
    ),
    "intermediate_values.png": (
        "How each trial grew",
        "A line is one trial while its model grew. Lines that end early were ended by the pruner.",
    ),
    "parameter_importances.png": (
        "Which parameters mattered",
        "How much of the difference between good and other trials each parameter explains, in this study.",
    ),
    "slice_1.png": ("What was tried of each parameter", "A dot is a trial, the darker the later."),
    "slice_2.png": ("What was tried of further parameters", "A dot is a trial, the darker the later."),
    "parallel_coordinates.png": (
        "Trials across their parameters",
        "A line is a trial: where the dark lines bundle, good values lie.",
    ),
    "pareto_front.png": (
        "What the objectives cost each other",
        "On the front nothing gets better in one without getting worse in the other; the ringed trial was trained.",
    ),
    "roc_curve.png": (
        "ROC curve",
        "How many of the cases are found (up) for how many false alarms (across), for every threshold. The diagonal is "
        "guessing.",
    ),
    "precision_recall_curve.png": (
        "Precision and recall",
        "Of the rows that are called, how many are right (up), when so many of all cases are found (across).",
    ),
    "calibration_curve.png": (
        "Are probabilities what they say?",
        "On the diagonal, of the rows that are given 30 % three in ten are cases.",
    ),
    "confusion_matrix.png": ("Who is called what", "Test rows by true class (down) and by what the model says."),
    "residuals.png": (
        "True against predicted",
        "On the left the closer to the diagonal, on the right the closer to zero, the better.",
    ),
    "permutation_importance.png": (
        "Without each column",
        "What is lost on the validation rows when one column is shuffled; the whisker is the spread over the shuffles.",
    ),
}


def report_page(report: ReportFacts) -> str:
    """Return a training as a self-contained HTML document.

    Args:
        report: The training. Names, columns, labels and descriptions in it come from users and may hold anything.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("e2i_assets.core.report", ".")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    page = environment.get_template("page.html.jinja")
    return page.render(
        report=report,
        experiment=report.record.experiment,
        facts=report.record.facts,
        study=report.record.study,
        number=number,
        columns=tables.columns,
        picture=_picture(report),
        verdict=findings.verdict(report),
        uses=findings.uses(report),
        limits=findings.limits(report),
        asked=tables.asked(report.record.experiment),
        data=tables.data(report),
        roles=tables.roles(report),
        placed=findings.placed(report),
        fitting_seconds=sum(one.seconds or 0.0 for one in report.record.study.trials) if report.record.study else 0.0,
        trials=tables.trials(report),
        best_trials=tables.best_trials(report),
        parameters=tables.parameters(report),
        metrics=tables.metrics(report),
        criteria=tables.criteria(report),
        segments=tables.segments(report),
        validation_importance=tables.validation_importance(report),
    )


def _picture(report: ReportFacts) -> Callable[[str], dict[str, str] | None]:
    def of(file: str) -> dict[str, str] | None:
        if file not in report.record.pictures:
            return None
        title, caption = PICTURES[file]
        data = base64.b64encode(report.record.pictures[file]).decode()
        return {"title": title, "caption": caption, "source": f"data:image/png;base64,{data}"}

    return of
