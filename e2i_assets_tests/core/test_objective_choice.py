"""`hpo.objective: auto` decides by the rows whether trials are evaluated on folds, and every record says the same."""

from typing import Any

import pytest
from small_training import Names, rows_of

from e2i_assets.core.content_hash import content_hash, hash_with_later_keys
from e2i_assets.core.data.split_tables import SearchRows, SplitFacts
from e2i_assets.core.errors import E2iError, ExperimentInvalid
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.file import experiment_from
from e2i_assets.core.report import tables
from e2i_assets.core.search import tuning
from e2i_assets.core.search.objective_choice import FEW_OF_A_CLASS, FEW_ROWS, MOST_CELLS, objective_choice
from e2i_assets.core.search.study_output import hpo_output


def experiment(problem_type: str = "binary_classification", objective: str = "auto", **sections: Any) -> Experiment:
    hpo = {"objective": objective, **sections.pop("hpo", {})}
    algorithm = "Ridge" if problem_type == "regression" else "LogisticRegression"
    return experiment_from(
        {
            **{"name": "small", "owner": "team:tests", "source": {"csv": "rows.csv"}, "target": "left"},
            **{"problem_type": problem_type, "algorithm": algorithm, "hpo": hpo, **sections},
        },
        "small",
    )


def facts(
    rows: int, classes: tuple[int, ...] = (), features: int = 4, groups: tuple[int, ...] | None = None
) -> SplitFacts:
    """The facts of a split with so many train and validation rows, of so many people with several rows."""
    kind = (
        "regression" if not classes else "binary_classification" if len(classes) == 2 else "multiclass_classification"
    )
    train = rows * 3 // 4
    return SplitFacts(
        experiment="small", problem_type=kind, target="left", features=tuple(f"f{k}" for k in range(features)),
        classes=tuple(range(len(classes))), searched_classes=classes, data_hash="d", split_hash="e", search_hash="f",
        strategy="random", seed=1, counts={"train": train, "validation": rows - train, "test": 9, "holdout": 9},
        left_out=0, entity=() if groups is None else ("person",), searched_groups=groups or (),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("of", "sections", "objective", "why"),
    [
        (facts(FEW_ROWS), {}, "cross_validation", "too few to compare trials on one split"),
        (facts(FEW_ROWS + 1), {}, "validation", "enough to compare trials on one split"),
        (facts(9_000, (8_800, FEW_OF_A_CLASS)), {}, "cross_validation", f"{FEW_OF_A_CLASS} of the rarest class"),
        (facts(9_000, (8_799, FEW_OF_A_CLASS + 1)), {}, "validation", "enough to compare"),
        (facts(FEW_ROWS, (500, 1_496, 4)), {}, "validation", "4 of the rarest class: too few for 5 folds"),
        (facts(FEW_ROWS, (500, 1_496, 4)), {"hpo": {"folds": 4}}, "cross_validation", "too few to compare"),
        (facts(FEW_ROWS, (), MOST_CELLS // FEW_ROWS + 1), {}, "validation", "costs too much"),
        (facts(300, groups=(9,)), {}, "validation", "9 groups: too few for 5 folds"),
        (facts(300, groups=(10,)), {}, "cross_validation", "too few to compare"),
        (facts(300, (200, 100), groups=(40, 9)), {}, "validation", "9 groups of the rarest class: too few for 5 folds"),
        (facts(300, (200, 100), groups=(40, 9)), {"hpo": {"folds": 4}}, "cross_validation", "too few to compare"),
        (facts(300), {"columns": {"time": "day"}}, "validation", "columns.time orders the rows"),
    ],
)
def test_folds_are_used_where_rows_are_few_and_fits_are_cheap(
    of: SplitFacts, sections: dict[str, Any], objective: str, why: str
) -> None:
    found = objective_choice(experiment(of.problem_type, **sections), of)
    assert found.objective == objective
    assert why in found.reason


def test_an_explicit_objective_is_used_whatever_the_rows() -> None:
    assert objective_choice(experiment("regression", "cross_validation"), facts(90_000)).objective == "cross_validation"
    assert objective_choice(experiment("regression", "validation"), facts(90)).objective == "validation"


def test_auto_shares_the_study_of_the_objective_that_it_chooses() -> None:
    few = facts(300)
    keys = {one: tuning.spec_hash(experiment("regression", one), few) for one in ("auto", "cross_validation")}
    assert keys["auto"] == keys["cross_validation"]
    assert keys["auto"] != tuning.spec_hash(experiment("regression", "validation"), few)


def test_the_scheme_the_contract_and_the_report_agree() -> None:
    given, auto = rows_of(Names(), "binary_classification"), experiment(hpo={"folds": 3})
    few = given.facts.model_copy(update={"searched_classes": (150, 170)})
    assert tuning.scheme(auto, SearchRows(few, given.train, given.validation)).folds == 3
    choice = objective_choice(auto, few)
    output = hpo_output(auto, "a" * 64, None, choice=choice)
    assert (output.hpo_objective, output.hpo_objective_reason) == ("cross_validation", choice.reason)
    (search,) = (row["what"] for row in tables.task(auto, few) if row[""] == "Search")
    assert search.endswith(
        "evaluated on 3 folds, 1 repeats (320 train and validation rows, 150 of the rarest class: too few to compare "
        "trials on one split)"
    )


def test_splits_of_earlier_releases_have_no_class_counts_and_must_be_made_again() -> None:
    old = facts(300, (100, 200)).model_copy(update={"searched_classes": ()})
    with pytest.raises(E2iError, match=r"no counts of the classes.*materialise them again"):
        objective_choice(experiment(), old)
    with pytest.raises(E2iError, match="materialise them again"):
        objective_choice(experiment("regression"), facts(300, groups=()))
    keys = [tuning.spec_hash(experiment(objective=one), old) for one in ("auto", "validation", "cross_validation")]
    assert len(set(keys)) == 3  # no study has the first: a run makes the splits again
    assert objective_choice(experiment(objective="validation"), old).objective == "validation"


def test_a_pruner_that_needs_folds_is_refused_where_auto_may_not_use_them() -> None:
    with pytest.raises(ExperimentInvalid, match=r"hpo\.pruner: 'wilcoxon' compares folds, which auto may not use"):
        experiment(hpo={"pruner": "wilcoxon"})


def test_a_later_key_that_is_null_does_not_change_a_content_hash() -> None:
    assert hash_with_later_keys({"a": 1, "b": None, "later": None}, "later") == content_hash({"a": 1, "b": None})
    assert hash_with_later_keys({"a": 1, "later": 2}, "later") == content_hash({"a": 1, "later": 2})
