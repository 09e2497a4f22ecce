"""Registration: the chosen experiments all, or none of them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from e2i_assets.core.errors import E2iError, ExperimentInvalid
from e2i_assets.services.project import Project
from e2i_assets.services.register import registered

Written = Callable[..., Path]


def known(project: Project) -> list[str]:
    return [row.experiment_name for row in project.experiments.list()]


def test_all_files_are_registered_when_none_is_named(project: Project, written: Written) -> None:
    written("visits")
    written("churn")
    assert registered(project, []) == ["churn", "visits"]
    assert known(project) == ["churn", "visits"]
    row = project.experiments.get("churn")
    assert row is not None
    assert (row.prediction_target, row.created_by) == ("left", "team:tests")
    assert project.experiment("churn").algorithm == "XGBoost"


def test_named_ones_are_registered_once_each_in_the_order_given(project: Project, written: Written) -> None:
    for name in ("a", "b", "c"):
        written(name)
    assert registered(project, ["c", "a", "c"]) == ["c", "a"]
    assert known(project) == ["a", "c"]


def test_registering_twice_keeps_the_id_and_takes_the_changes(project: Project, written: Written) -> None:
    path = written("churn")
    registered(project, [])
    store = project.experiments
    first = store.id_of("churn")
    registered(project, [])
    path.write_text(path.read_text() + "hpo: {trials: 7}\n")
    registered(project, ["churn"])
    assert store.id_of("churn") == first
    assert project.experiment("churn").hpo.trials == 7


@pytest.mark.parametrize("names", [[], ["good", "bad"]])
def test_one_bad_file_among_the_chosen_registers_nothing(project: Project, written: Written, names: list[str]) -> None:
    written("good")
    bad = written("bad")
    bad.write_text(bad.read_text().replace("XGBoost", "XGBost") + "unknown: 1\n")
    with pytest.raises(ExperimentInvalid) as refusal:
        registered(project, names)
    assert {mistake.where for mistake in refusal.value.violations} == {"algorithm", "unknown"}
    assert known(project) == []


def test_several_bad_files_are_all_told(project: Project, written: Written) -> None:
    written("one", "name: one\n")
    written("two", "name: two\n")
    for names in ([], ["one", "two"]):
        with pytest.raises(E2iError, match=r"(?s)one\.yaml.*two\.yaml"):
            registered(project, names)


def test_bad_file_that_was_not_chosen_does_not_matter(project: Project, written: Written) -> None:
    written("good")
    written("bad", "a: [")
    assert registered(project, ["good"]) == ["good"]


def test_unknown_name_is_answered_with_the_names_there_are(project: Project, written: Written) -> None:
    written("churn")
    with pytest.raises(E2iError, match=r"no experiment 'chrun'; did you mean 'churn'\? There are: churn"):
        registered(project, ["churn", "chrun"])
    assert known(project) == []


def test_file_must_be_named_like_its_experiment(project: Project, written: Written) -> None:
    written("churn", file="other.yaml")
    with pytest.raises(ExperimentInvalid, match=r"call the file churn\.yaml"):
        registered(project, [])
    assert known(project) == []


def test_empty_folder_says_how_to_begin(project: Project) -> None:
    with pytest.raises(E2iError, match="e2i experiment new NAME"):
        registered(project, [])
