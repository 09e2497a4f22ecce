"""The plots of a study: drawn once at its end, and stored for the report and MLflow."""

from e2i_assets.adapters.files.report_files import STUDY, report_key, store_pictures
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.memory.warm_start import WarmStart
from e2i_assets.core.plots import search_history
from e2i_assets.core.plots.study import study_pictures
from e2i_assets.core.search.samplers import STARTUP_TRIALS, startup_trials
from e2i_assets.core.search.study_result import StudyResult
from e2i_assets.core.search.tuning import Tuned
from e2i_assets.services.project import Project
from e2i_assets.services.tune import importances


def drawn_study(project: Project, experiment: Experiment, tuned: Tuned, warm_start: WarmStart) -> dict[str, bytes]:
    """Draw and store the plots: PNGs by file name, empty without a study or if plots are switched off."""
    result = tuned.result
    if result is None:
        return {}
    of = tuned.decided(experiment)
    drawn = _drawn(project, of, result, warm_start.of(of.algorithm)) if project.settings.pictures else {}
    store_pictures(project.store, f"{report_key(experiment.name, tuned.identity)}/{STUDY}", drawn)
    return drawn


def _drawn(project: Project, experiment: Experiment, result: StudyResult, warm_start: WarmStart) -> dict[str, bytes]:
    startup = startup_trials(experiment.hpo.sampler, experiment.hpo.trials, warm_start.tries or STARTUP_TRIALS)
    drawn = {"optimisation_history.png": search_history.optimisation_history(result, experiment.metric, startup)}
    if len(result.objectives.greater_is_better) > 1:
        drawn["pareto_front.png"] = search_history.pareto_front(result)
    shares = importances(project, result)
    if shares:
        drawn["parameter_importances.png"] = search_history.parameter_importances(shares)
    return drawn | study_pictures(result, experiment.search_space(), shares, experiment.metric)
