"""The champion model changes only if the challenger is not worse on the same test rows."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from e2i_assets.core.automation.champion import ChampionModel
from e2i_assets.core.data.split_tables import TrainingRows
from e2i_assets.services import promote as promotion

PLAIN = """\
name: cells
owner: team:tests
source: {csv: cells.csv}
target: {name: kind, column: target, bins: [0], labels: [malignant, benign]}
problem_type: binary_classification
columns: {group: patient}
algorithm: LogisticRegression
hpo: {enabled: false}
"""


def ran(project, text: str = PLAIN):
    result = project.run(text)
    assert result.success, project.failure(result)
    checks = {one.check_name: one for one in result.get_asset_check_evaluations()}
    return project.project.read(ChampionModel, "champion_model", "cells"), checks


def champions(project) -> list[str]:
    return [key for (key,) in project.all("SELECT model_key FROM ml_model_registry WHERE is_champion")]


def alias(project) -> str:
    version = project.project.tracker().champion("e2i_cells")
    ((key,),) = project.all(f"SELECT model_key FROM ml_model_registry WHERE model_version = '{version}'")
    return key


@pytest.fixture
def shuffled_labels(project):
    """Return rows whose labels in train and validation are shuffled, so that a model learns nothing useful."""

    def make():
        placed = dict(project.all("SELECT entity_key, role FROM ml_split_assignments"))
        frame = project.rows()
        learnt = frame.patient.map(placed).isin(["train", "validation"])
        draws = np.random.default_rng(5)
        frame.loc[learnt, "target"] = draws.permutation(frame.loc[learnt, "target"].to_numpy())
        return frame

    return make


def test_a_worse_model_is_never_promoted_and_a_better_one_is(project, shuffled_labels):
    first, checks = ran(project)
    assert first.promoted
    assert first.model_key == first.challenger_key
    assert checks["challenger_is_not_worse"].passed
    assert champions(project) == [alias(project)] == [first.model_key]

    project.write_rows(shuffled_labels())
    worse, checks = ran(project)
    assert not worse.promoted
    assert worse.model_key == first.model_key != worse.challenger_key
    assert champions(project) == [alias(project)] == [first.model_key]
    check = checks["challenger_is_not_worse"]
    assert not check.passed
    facts = {name: str(value.value) for name, value in check.metadata.items()}
    challenger, champion = (facts[name].removeprefix("roc_auc ") for name in ("new model", "model in use"))
    low, high = map(float, facts["95 % interval of the gain"].split(" to "))
    assert float(facts["gain"]) == pytest.approx(float(challenger) - float(champion), abs=2e-4)
    assert low < float(facts["gain"]) < high < 0
    assert checks["champion_model_loads"].passed
    assert checks["mlflow_alias_points_to_the_champion"].passed
    # The comparison scores the champion on the test rows again, and this access is recorded.
    reasons = project.all(f"SELECT reason FROM ml_test_looks WHERE model_key = '{first.model_key}' ORDER BY look")
    assert [reason for (reason,) in reasons][1].startswith("it was compared with the challenger")

    # A repeated run repeats no decision.
    decisions = "SELECT count(*) FROM ml_champion_decisions"
    looks = "SELECT count(*) FROM ml_test_looks WHERE reason LIKE 'it was compared%%'"
    before = [project.all(one) for one in (decisions, looks)]
    again, checks = ran(project)
    assert not again.promoted
    assert not checks["challenger_is_not_worse"].passed
    assert [project.all(one) for one in (decisions, looks)] == before

    project.write_rows(project.rows().iloc[:-2])
    better, checks = ran(project)
    assert checks["challenger_is_not_worse"].passed is better.promoted
    assert champions(project) == [alias(project)] == [better.model_key]


def test_concurrent_promotions_of_one_experiment_wait_for_each_other(finished):
    opened = finished.project
    with ThreadPoolExecutor(1) as pool:
        with opened.database.advisory_lock("champion of cells"):
            rows = opened.read(TrainingRows, "validation_splits", "cells")
            other = pool.submit(promotion.promote, opened, opened.experiment("cells"), rows)
            with pytest.raises(TimeoutError):
                other.result(1)
        assert other.result(30).model_key == champions(finished)[0]


def test_a_champion_of_another_split_is_not_compared_on_the_test_rows(project):
    first, _ = ran(project)
    found, checks = ran(project, PLAIN + "split: {seed: 7}\n")
    assert found.promoted
    assert found.model_key != first.model_key
    assert "split differently" in checks["challenger_is_not_worse"].description


def test_a_later_training_of_the_study_leaves_the_champion_unchanged(project):
    """A study with a larger budget writes to the same model folder again."""
    first, _ = ran(project, project.experiment)
    champion = project.project.champion_folder("cells", first.model_key) / "data" / "model" / "model.skops"
    before = champion.read_bytes()
    ran(project, project.experiment.replace("trials: 6", "trials: 12"))
    assert champion.read_bytes() == before
