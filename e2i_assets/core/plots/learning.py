"""The picture of the learning curve."""

from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.learning_curve import LearningCurve
from e2i_assets.core.plots.figures import new_figure, png


def learning_pictures(experiment: Experiment, curve: LearningCurve) -> dict[str, bytes]:
    """Return the PNG of a curve by its file name; nothing without one."""
    if not curve.points:
        return {}
    figure = new_figure()
    axes = figure.subplots()
    counts = [one.rows for one in curve.points]
    axes.plot(counts, [one.value for one in curve.points], "o-", color="#2f6db5")
    axes.set_xscale("log", base=2)
    axes.set_xticks(counts, [f"{count:,}" for count in counts])
    axes.set(xlabel="train rows", ylabel=f"{experiment.metric} on other rows")
    return {"learning_curve.png": png(figure)}
