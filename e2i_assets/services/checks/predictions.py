"""The checks of `predictions`: the file is whole, and the new rows and their scores look like those of the training."""

from collections.abc import Callable
from functools import wraps

from e2i_assets.core.automation.drift import FEWEST_ROWS, psi_text
from e2i_assets.core.figures import against
from e2i_assets.core.predictions import NewPredictions
from e2i_assets.services.checks.check import Check, CheckResult, check_result, of_asset, passed, stored
from e2i_assets.services.predict_new_rows import ASSET
from e2i_assets.services.prediction_targets import target_of
from e2i_assets.services.project import Project

# A larger share of rows with a new category is a warning.
_MOST_UNSEEN = 0.05
# So is a number of rows that is more than this many times the one before, or less than that part of it.
_USUAL_TIMES = 2.0
_MOST_SHOWN = 5


def _of_predictions(
    judged: Callable[[Project, str, NewPredictions], CheckResult],
) -> Callable[[Project, str], CheckResult]:
    """Give a check the stored predictions; it passes for an experiment that has none."""

    @wraps(judged)
    def evaluate(project: Project, name: str) -> CheckResult:
        if project.experiment(name).predict is None:
            return passed("the experiment scores no new rows: it has no section predict")
        if not project.has_value(ASSET, name):
            return passed("the new rows have not been scored yet")
        return judged(project, name, stored(project, NewPredictions, ASSET, name))

    return evaluate


@of_asset(ASSET, answers_for_the_file=True)
@_of_predictions
def the_file_of_predictions_is_whole(project: Project, name: str, found: NewPredictions) -> CheckResult:
    """The file of predictions is the one that was written, or the table has all rows that were."""
    target = target_of(project, project.experiment(name))
    if target.shown != found.place:
        return check_result([f"they are in {found.place}, and are due in {target.shown}: materialise predictions"], "")
    content = target.content(found.predicted_at)
    if content is None:
        return check_result([f"{found.place} is not there: materialise predictions again"], "")
    changed = f"{found.place} was changed after it was written: materialise predictions again"
    mistakes = [] if content == found.content else [changed]
    return check_result(mistakes, f"{found.rows:,} rows, as they were written", rows=found.rows)


@of_asset(ASSET, severity="WARN")
@_of_predictions
def predictions_are_of_the_champion(project: Project, name: str, found: NewPredictions) -> CheckResult:
    """The model in use has made the predictions."""
    champion = project.champions.current(project.experiments.id_of(name))
    key = champion.challenger_key if champion else "none"
    why = f"the predictions are of model {found.model_key[:12]}"
    return check_result([] if key == found.model_key else [f"{why}, and the champion is {key[:12]}"], why)


@of_asset(ASSET, severity="WARN")
@_of_predictions
def new_rows_match_the_schema(project: Project, name: str, found: NewPredictions) -> CheckResult:
    """The new rows have the types, ranges and categories of the schema file of the experiment."""
    if found.schema_mistakes is None:
        return passed("the experiment has no schema file")
    return check_result(found.schema_mistakes, f"{found.compared_rows:,} compared rows match the schema file")


@of_asset(ASSET, severity="WARN")
@_of_predictions
def categories_of_new_rows_are_known(project: Project, name: str, found: NewPredictions) -> CheckResult:
    """At most 5 % of the new rows have a category in a column that the train rows do not have."""
    mistakes = [
        f"{column}: {rows:,} of {found.rows:,} rows have a category that is new to the model"
        for column, rows in found.unseen.items()
        if rows > _MOST_UNSEEN * found.rows
    ]
    facts = {column: _share(rows, found.rows) for column, rows in found.unseen.items()}
    return check_result(mistakes, f"new categories in {len(found.unseen)} columns", **facts)


def _share(rows: int, of: int) -> str:
    share = rows / max(of, 1)
    return f"{rows:,} rows, {against(share, 'maximum', _MOST_UNSEEN, met=rows <= _MOST_UNSEEN * of, unit='%')}"


@of_asset(ASSET, severity="WARN")
@_of_predictions
def new_rows_have_the_distribution_of_the_train_rows(project: Project, name: str, found: NewPredictions) -> CheckResult:
    """No feature of the new rows has drifted from the train rows (watch.largest_psi)."""
    if not found.drift:
        return passed(f"{found.compared_rows} rows are too few for a conclusion: {FEWEST_ROWS} are needed")
    mistakes = [
        f"{one['feature']} has drifted (PSI {one['psi']:.2g}, p {one['p_adjusted']:.2g})"
        for one in found.drift
        if one["drifted"]
    ]
    largest = project.experiment(name).watch.largest_psi
    facts = {f"PSI of {one['feature']}": psi_text(one, largest) for one in found.drift[:_MOST_SHOWN]}
    return check_result(mistakes, f"none of {len(found.drift)} features has drifted", **facts)


@of_asset(ASSET, severity="WARN")
@_of_predictions
def scores_have_the_distribution_of_the_test_rows(project: Project, name: str, found: NewPredictions) -> CheckResult:
    """The scores of the new rows have not drifted from those of the test rows (watch.largest_psi)."""
    drift = found.score_drift
    if drift is None:
        return passed(f"{found.compared_rows} rows are too few for a conclusion: {FEWEST_ROWS} are needed")
    why = f"PSI {drift['psi']:.2g}, p {drift['p_adjusted']:.2g} against the scores of the test rows"
    facts = {"PSI of the scores": psi_text(drift, project.experiment(name).watch.largest_psi)}
    return check_result([f"the scores have drifted: {why}"] if drift["drifted"] else [], why, **facts)


@of_asset(ASSET, severity="WARN")
@_of_predictions
def the_number_of_new_rows_is_usual(project: Project, name: str, found: NewPredictions) -> CheckResult:
    """The number of new rows is between half and twice the number before."""
    before = found.rows_before
    facts = {"rows": found.rows, "rows before": before}
    if before is None:
        return passed(f"{found.rows:,} rows, the first ones", **facts)
    usual = before / _USUAL_TIMES <= found.rows <= before * _USUAL_TIMES
    why = f"{found.rows:,} rows, after {before:,} before"
    return check_result([] if usual else [why], why, **facts)


CHECKS: tuple[Check, ...] = (
    the_file_of_predictions_is_whole,
    predictions_are_of_the_champion,
    new_rows_match_the_schema,
    categories_of_new_rows_are_known,
    new_rows_have_the_distribution_of_the_train_rows,
    scores_have_the_distribution_of_the_test_rows,
    the_number_of_new_rows_is_usual,
)
