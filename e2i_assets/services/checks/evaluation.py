"""The checks of how `trained_model` was evaluated: on enough rows, once, no worse than before. All are warnings."""

from e2i_assets.adapters.repositories.training_runs import StoredRun
from e2i_assets.core.evaluation import measures
from e2i_assets.core.evaluation.measures import Measure
from e2i_assets.core.evaluation.success_criteria import criteria
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.figures import against, figure, span
from e2i_assets.services.checks import model_links
from e2i_assets.services.checks.check import CheckResult, check_result, of_asset, passed
from e2i_assets.services.project import Project

# Maximum width of an interval: in points for a share, relative to the value for an error.
WIDEST = 0.10
WIDEST_OF_AN_ERROR = 0.25
_OLDER = "the model was trained before this was recorded"


@of_asset("trained_model", severity="WARN")
def test_rows_are_enough(project: Project, name: str) -> CheckResult:
    """The confidence interval of the metric on the test rows is narrow, and no criterion is met by chance."""
    run, experiment = model_links.training_run(project, name), project.experiment(name)
    measure = _measure(experiment)
    interval, value = run.test_intervals.get(measure.name), run.test_metrics.get(measure.name)
    if value is None:
        reason = f"{measure.name} could not be computed on the {run.test_samples} test rows"
        return check_result([f"{reason}: a class has too few rows, or none"], "")
    if interval is None:
        return passed(_OLDER if not run.test_intervals else f"{measure.name} has no interval")
    low, high = float(interval["low"]), float(interval["high"])
    allowed = WIDEST_OF_AN_ERROR * abs(value) if measure.high == float("inf") else WIDEST
    sentence = f"{measure.name} is {figure(value)} on {run.test_samples} test rows (95 %: {span(low, high)})"
    mistakes = []
    if high - low > allowed:
        mistakes.append(f"{sentence}: too few to distinguish models that differ by less than {figure(high - low, 2)}")
    mistakes += _undecided(run, experiment)
    width = against(high - low, "maximum", allowed, met=high - low <= allowed)
    facts = {"test rows": run.test_samples, "95 % interval": span(low, high), "its width": width}
    return check_result(mistakes, sentence, **facts)


def _undecided(run: StoredRun, experiment: Experiment) -> list[str]:
    """Return the criteria that are met, but not at the worse end of the interval."""
    found = []
    for one in criteria(experiment.success_criteria, experiment.problem_type, experiment.metric):
        interval, value = run.test_intervals.get(one.metric), run.test_metrics.get(one.metric)
        if interval is None or value is None or not one.met(value):
            continue
        worse = one.worse_end(float(interval["low"]), float(interval["high"]))
        if not one.met(worse):
            at = f"but not at the worse end of its 95 % interval, {figure(worse)}"
            found.append(f"{one.metric} {one.against(value)}, {at}")
    return found


@of_asset("trained_model", severity="WARN")
def test_set_was_accessed_once(project: Project, name: str) -> CheckResult:
    """The test rows were used once to evaluate this model. Further accesses are listed with user, time and reason."""
    run = model_links.training_run(project, name)
    looks = project.test_access.accesses(run.model_key) if run.model_key else []
    if not looks:
        return passed(_OLDER)
    again = [f"look {one.look} by {one.looked_by} at {one.looked_at:%Y-%m-%d %H:%M}: {one.reason}" for one in looks[1:]]
    first = f"the test rows were looked at once for this model, by {looks[0].looked_by}"
    return check_result(again, f"{first} at {looks[0].looked_at:%Y-%m-%d %H:%M}", accesses=len(looks))


@of_asset("trained_model", severity="WARN")
def holdout_is_unopened(project: Project, name: str) -> CheckResult:
    """The holdout was not opened before this model was trained, and at most once since."""
    run, store = model_links.training_run(project, name), project.test_access
    openings = store.openings(name)
    if not openings:
        return passed("nobody has opened the holdout", openings=0)
    looks = store.accesses(run.model_key) if run.model_key else []
    trained = looks[0].looked_at if looks else run.started_at
    before = [one for one in openings if one.opened_at < trained]
    mistakes = [
        f"{one.opened_by} opened it at {one.opened_at:%Y-%m-%d %H:%M}, before this model was trained: {one.reason}"
        for one in before
    ]
    mistakes += [
        f"{one.opened_by} opened it once more at {one.opened_at:%Y-%m-%d %H:%M}: {one.reason}"
        for one in openings[1:]
        if one not in before
    ]
    first = openings[0]
    why = f"{first.opened_by} opened it once, after this model was trained: {first.reason}"
    return check_result(mistakes, why, openings=len(openings))


@of_asset("trained_model", severity="WARN")
def metric_has_not_drifted(project: Project, name: str) -> CheckResult:
    """The model is not significantly worse than the previously trained one."""
    run, measure = model_links.training_run(project, name), _measure(project.experiment(name))
    earlier = project.training_runs.before(run)
    now, interval = run.test_metrics.get(measure.name), run.test_intervals.get(measure.name)
    then = earlier.test_metrics.get(measure.name) if earlier else None
    if earlier is None or then is None or now is None or interval is None:
        return passed("there is no earlier model to compare with")
    low, high = float(interval["low"]), float(interval["high"])
    worse = high < then if measure.greater_is_better else low > then
    compared = (
        f"{measure.name} on test is {figure(now)} ({span(low, high)}), and was {figure(then)} with {earlier.run_name}"
    )
    facts = {"now": f"{measure.name} {figure(now)}", "before": f"{measure.name} {figure(then)}"}
    return check_result([f"{compared}: a larger loss than chance explains"] if worse else [], compared, **facts)


def _measure(experiment: Experiment) -> Measure:
    found = measures.measure(experiment.metric, experiment.problem_type)
    return found if found is not None else Measure(experiment.metric)


CHECKS = (
    test_rows_are_enough,
    metric_has_not_drifted,
    test_set_was_accessed_once,
    holdout_is_unopened,
)
