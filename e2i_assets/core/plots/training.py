"""Plots of a trained model: its metrics on test, the comparison with the defaults, and the feature importance."""

from collections.abc import Sequence

from e2i_assets.core.contracts.contract import HpoOutput
from e2i_assets.core.data.split_tables import TrainingRows
from e2i_assets.core.evaluation import measures
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.figures import shortened
from e2i_assets.core.fitting.fit_context import target_codes
from e2i_assets.core.metrics import metric
from e2i_assets.core.permutation import FeatureImportance, mean_importances, permutation_importances
from e2i_assets.core.plots.decisions import decision_pictures
from e2i_assets.core.plots.evaluation import pictures
from e2i_assets.core.plots.figures import new_figure, png
from e2i_assets.core.plots.reasons import reason_pictures
from e2i_assets.core.plots.search_history import default_against_tuned
from e2i_assets.core.training import Training

PERMUTATION = "permutation_importance.png"
_MOST_SHOWN = 15
_MOST_PERMUTED = 300
_LONGEST_NAME = 32


def validation_importance(experiment: Experiment, rows: TrainingRows, training: Training) -> list[FeatureImportance]:
    """Return the permutation importance of each feature on the validation rows, so that the test rows are used once.

    It is that of the model of the trial: the final model may have learnt from these rows. With fold models it is the
    mean over the folds, each with its held-out rows; of few folds if there are many features.
    """
    optimised, seed = metric(experiment.metric, experiment.problem_type), experiment.hpo.seed
    most = max(1, _MOST_PERMUTED // len(rows.facts.features))
    found = []
    for model, unseen in training.unseen[:most]:
        truth = target_codes(unseen.target, rows.facts.classes)
        found.append(permutation_importances(model, unseen.features, truth, optimised, seed, unseen.weights))
    return mean_importances(found)


def model_pictures(
    experiment: Experiment,
    rows: TrainingRows,
    hpo: HpoOutput,
    training: Training,
    importances: Sequence[FeatureImportance],
) -> dict[str, bytes]:
    """Return PNGs by file name."""
    test = training.report.splits["test"]
    drawn = pictures(*training.on_test, rows.facts.classes, test.confusion, rows.test.weights)
    if training.decisions is not None:
        drawn |= decision_pictures(experiment, rows, training)
    if importances:
        drawn[PERMUTATION] = permutation_picture(importances, experiment.metric)
    positive = str(rows.facts.classes[-1]) if len(rows.facts.classes) == 2 else None
    drawn |= reason_pictures(training.model, rows.validation.features, positive)
    measure = measures.measure(experiment.metric, experiment.problem_type)
    if measure is None or measure.name not in test.metrics:
        return drawn
    trained = "tuned" if hpo.hpo_completed else "defaults"
    on_test = {
        "baseline": training.baseline_metrics.get(measure.name),
        "defaults": training.default_metrics.get(measure.name),
        trained: test.metrics[measure.name],
    }
    natural = metric(experiment.metric, experiment.problem_type).oriented
    values = {"defaults": hpo.hpo_default_value, trained: hpo.hpo_best_value}
    on_validation = {name: natural(value) for name, value in values.items() if value is not None}
    interval = training.report.intervals.get(measure.name)
    drawn["default_against_tuned.png"] = default_against_tuned(measure, on_test, interval, on_validation)
    return drawn


def permutation_picture(importances: Sequence[FeatureImportance], metric: str) -> bytes:
    """Draw the most important columns, as a PNG."""
    shown = list(importances[:_MOST_SHOWN])[::-1]
    figure = new_figure()
    axes = figure.subplots()
    axes.barh(range(len(shown)), [one.loss for one in shown], xerr=[one.spread for one in shown], color="#2f6db5")
    axes.set_yticks(range(len(shown)), [shortened(one.feature, _LONGEST_NAME) for one in shown], fontsize=8)
    axes.axvline(0, color="#999999", linewidth=0.8)
    axes.set(xlabel=f"{metric} on validation: deterioration when the column is shuffled")
    return png(figure)
