"""The checks of `hpo_study`: the file and the tables have the same study, and its best value is reproducible."""

import math
import warnings
from collections import Counter

from e2i_assets.adapters.repositories.study_rows import StoredStudy, TrialRow
from e2i_assets.core.data.split_tables import SearchRows, SplitFacts
from e2i_assets.core.errors import E2iError
from e2i_assets.core.figures import figure
from e2i_assets.core.search import tuning
from e2i_assets.core.search.objective_choice import used_objective
from e2i_assets.core.search.study_result import StudyResult
from e2i_assets.core.search.trials import TRIED_AGAIN, TrialRecord
from e2i_assets.services.checks.check import (
    CheckFailed,
    CheckResult,
    check_result,
    decided_experiment,
    of_asset,
    passed,
    stored,
)
from e2i_assets.services.project import Project

TOLERANCE = 1e-9
_NO_SEARCH = "the experiment does not search: it trains the defaults"
_FITTED_AGAIN = {
    "validation": "fitted again on train and evaluated on validation",
    "cross_validation": "fitted again on each fold of train and validation",
}
_STATES = {"COMPLETE": "n_completed", "PRUNED": "n_pruned", "FAIL": "n_failed"}


@of_asset("hpo_study")
def study_matches_rows_and_experiment(project: Project, name: str) -> CheckResult:
    """The study key matches the stored splits and the registered experiment."""
    tuned: tuning.Tuned = stored(project, tuning.Tuned, "hpo_study", name)
    facts: SplitFacts = stored(project, SplitFacts, "validation_splits", name)
    experiment = project.experiment(name)
    mistakes = []
    for one in (tuned, *(tuned.others or ())):
        expected = tuning.spec_hash(one.decided(experiment), facts)
        if one.identity != expected:
            mistakes.append(
                f"it has the identity {one.identity[:12]}, and today's rows and experiment have {expected[:12]}: "
                "materialise hpo_study again"
            )
    return check_result(
        mistakes, "it is a study of the current rows and the current experiment", identity=tuned.identity
    )


@of_asset("hpo_study")
def counts_add_up(project: Project, name: str) -> CheckResult:
    """The result and both tables have the same numbers of completed, pruned and failed trials."""
    result = _result(project, name)
    if result is None:
        return passed(_NO_SEARCH)
    row, trials = _rows(project, name)
    in_table = Counter(trial.state for trial in trials if trial.error_type not in TRIED_AGAIN)
    spent = sum(result.count(state) for state in _STATES)
    mistakes = []
    for state, column in _STATES.items():
        counts = (result.count(state), getattr(row, column), in_table[state])
        if len(set(counts)) > 1:
            mistakes.append(
                f"{state}: {counts[0]} in the result, {counts[1]} in ml_hpo_studies, {counts[2]} in ml_hpo_trials"
            )
    if row.n_trials != max(result.n_trials, spent):
        mistakes.append(f"the budget is {result.n_trials} trials in the result and {row.n_trials} in ml_hpo_studies")
    if result.stop_reason == "budget spent" and spent < result.n_trials:
        mistakes.append(f"the budget of {result.n_trials} trials is recorded as spent, but {spent} trials ended")
    facts = {f"{state.lower()} trials": result.count(state) for state in _STATES}
    return check_result(
        mistakes, f"{spent} of {result.n_trials} trials, the same in the result and in both tables", **facts
    )


@of_asset("hpo_study")
def tables_match_the_study(project: Project, name: str) -> CheckResult:
    """Best trial, values and parameters are equal in the result, ml_hpo_studies and ml_hpo_trials."""
    result = _result(project, name)
    if result is None:
        return passed(_NO_SEARCH)
    row, trials = _rows(project, name)
    best, front = result.best, [trial.number for trial in result.pareto_front]
    pairs = {
        "status": (result.status, row.status),
        "best trial": (best.number if best else None, row.best_trial_number),
        "best value": (best.value if best else None, row.best_value),
        "best parameters": (best.params if best else {}, row.best_params),
        "value of the defaults": (result.default_value, row.default_value),
        "objectives": (
            result.objectives.greater_is_better,
            {one["name"]: one["greater_is_better"] for one in row.objectives},
        ),
    }
    mistakes = [
        f"{what} is {here} in the result, and {there} in ml_hpo_studies"
        for what, (here, there) in pairs.items()
        if here != there
    ]
    if front != (marked := project.studies.pareto_set(row.id)):
        mistakes.append(f"the Pareto front is {front} in the result and {marked} in ml_hpo_trials")
    rows = {trial.trial_number: _compared(trial) for trial in trials}
    for trial in result.trials:
        if rows.get(trial.number) != _compared(trial):
            mistakes.append(f"trial {trial.number} differs from its row in ml_hpo_trials")
    return check_result(mistakes, f"{len(result.trials)} trials and the best trial are the same in the tables")


def _compared(trial: TrialRecord | TrialRow) -> tuple[object, ...]:
    values = dict(trial.objective_values), dict(trial.constraint_values)
    return trial.state, trial.value, trial.params, *values, trial.is_feasible


@of_asset("hpo_study", blocking=True, answers_for_the_file=True)
def best_value_is_finite(project: Project, name: str) -> CheckResult:
    """The study has a finite best value, or records that it has none."""
    result = _result(project, name)
    if result is None:
        return passed(_NO_SEARCH)
    if result.best is None or result.best.value is None:
        return passed(f"there is no trial to train ({result.stop_reason}), so there is no best value")
    metric, greater = next(iter(result.objectives.greater_is_better.items()))
    value = result.best.value if greater else -result.best.value
    sentence = f"the best {metric} is {figure(value)}, of trial {result.best.number}"
    mistakes = [] if math.isfinite(value) else [sentence]
    return check_result(mistakes, sentence, **{"best value": f"{metric} {figure(value)}"})


@of_asset("hpo_study", severity="WARN")
def no_failure_ended_the_search(project: Project, name: str) -> CheckResult:
    """Failed trials did not abort the search, and at least one trial can be trained."""
    tuned: tuning.Tuned = stored(project, tuning.Tuned, "hpo_study", name)
    cause = tuned.failure.error if tuned.failure else tuned.result.failure if tuned.result else None
    trained = "the best trial is trained" if tuned.result and tuned.result.best else "the defaults are trained"
    return check_result([f"{cause}; {trained}"] if cause else [], "no failure ended the search")


@of_asset("hpo_study")
def best_value_is_reproducible_from_train_and_validation(project: Project, name: str) -> CheckResult:
    """Refitting the best trial gives the same values to 1e-9, except for measured times. It uses the train and
    validation rows only, or folds of them.
    """
    result = _result(project, name)
    if result is None:
        return passed(_NO_SEARCH)
    best = result.best
    if best is None or best.value is None:
        return passed(f"there is no trial to train ({result.stop_reason}), so there is no best value")
    # This type reads only the files of train and validation.
    rows: SearchRows = stored(project, SearchRows, "validation_splits", name)
    experiment = decided_experiment(project, name)
    again_on = _FITTED_AGAIN[used_objective(experiment, rows.facts)]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they are stored with the trial
            objective = tuning.objective(experiment, rows)(math.inf)
            again = objective.measures_again(best.params, best.fold_rounds)
    except (E2iError, ValueError, TypeError) as error:
        return check_result([f"trial {best.number} cannot be fitted again: {error}"], "")
    first = objective.goals[0]
    value = first.oriented(again[first.name])
    mistakes = []
    if _differs(value, best.value):
        mistakes.append(f"trial {best.number} has {best.value!r}, and when {again_on} it has {value!r}")
    expected = {**best.constraint_values, **best.objective_values}
    mistakes += [
        f"trial {best.number} has the {name} {expected[name]!r}, and when {again_on} it has {measured!r}"
        for name, measured in again.items()
        if name in expected and _differs(measured, expected[name])
    ]
    shown = {"in the study": best.value, "evaluated again": value}
    facts = {when: f"{first.name} {figure(first.oriented(one))}" for when, one in shown.items()}
    why = f"trial {best.number} {again_on} has the same {first.name}, {figure(first.oriented(best.value))}"
    return check_result(mistakes, why, **facts)


def _differs(value: float, expected: float) -> bool:
    return not math.isclose(value, expected, rel_tol=TOLERANCE, abs_tol=1e-300)


def _result(project: Project, name: str) -> StudyResult | None:
    tuned: tuning.Tuned = stored(project, tuning.Tuned, "hpo_study", name)
    return tuned.result


def _rows(project: Project, name: str) -> tuple[StoredStudy, list[TrialRow]]:
    tuned: tuning.Tuned = stored(project, tuning.Tuned, "hpo_study", name)
    store = project.studies
    row = store.by_spec_hash(tuned.identity)
    if row is None:
        raise CheckFailed(
            f"the study {tuned.identity[:12]} of {name} is not in ml_hpo_studies: materialise hpo_study again"
        )
    return row, store.trials(row.id)


CHECKS = (
    study_matches_rows_and_experiment,
    counts_add_up,
    tables_match_the_study,
    best_value_is_finite,
    no_failure_ended_the_search,
    best_value_is_reproducible_from_train_and_validation,
)
