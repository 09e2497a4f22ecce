"""Registration: all selected experiments are registered, or none."""

from collections.abc import Callable
from pathlib import Path

import pytest

from e2i_assets.core.errors import E2iError, ExperimentInvalid
from e2i_assets.services.project import Project
from e2i_assets.services.register import registered

Written = Callable[..., Path]


def known(project: Project) -> list[str]:
    return [row.experiment_name for row in project.experiments.list()]


def test_all_files_are_registered_without_names(project: Project, written: Written) -> None:
    written("visits")
    written("churn")
    assert registered(project, []) == ["churn", "visits"]
    assert known(project) == ["churn", "visits"]
    row = project.experiments.get("churn")
    assert row is not None
    assert (row.prediction_target, row.created_by) == ("left", "team:tests")
    assert project.experiment("churn").algorithm == "XGBoost"


def test_named_experiments_are_registered_once_in_the_given_order(project: Project, written: Written) -> None:
    for name in ("a", "b", "c"):
        written(name)
    assert registered(project, ["c", "a", "c"]) == ["c", "a"]
    assert known(project) == ["a", "c"]


def test_registering_again_keeps_the_id_and_updates_the_row(project: Project, written: Written) -> None:
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
def test_one_invalid_selected_file_registers_nothing(project: Project, written: Written, names: list[str]) -> None:
    written("good")
    bad = written("bad")
    bad.write_text(bad.read_text().replace("XGBoost", "XGBost") + "unknown: 1\n")
    with pytest.raises(ExperimentInvalid) as refusal:
        registered(project, names)
    assert {mistake.where for mistake in refusal.value.violations} == {"algorithm", "unknown"}
    assert known(project) == []


def test_all_invalid_files_are_reported(project: Project, written: Written) -> None:
    written("one", "name: one\n")
    written("two", "name: two\n")
    for names in ([], ["one", "two"]):
        with pytest.raises(E2iError, match=r"(?s)one\.yaml.*two\.yaml"):
            registered(project, names)


def test_an_invalid_file_that_is_not_selected_is_ignored(project: Project, written: Written) -> None:
    written("good")
    written("bad", "a: [")
    assert registered(project, ["good"]) == ["good"]


def test_an_unknown_name_is_an_error_that_lists_the_names(project: Project, written: Written) -> None:
    written("churn")
    with pytest.raises(E2iError, match=r"no experiment 'chrun'; did you mean 'churn'\? There are: churn"):
        registered(project, ["churn", "chrun"])
    assert known(project) == []


def test_a_file_must_have_the_name_of_its_experiment(project: Project, written: Written) -> None:
    written("churn", file="other.yaml")
    with pytest.raises(ExperimentInvalid, match=r"call the file churn\.yaml"):
        registered(project, [])
    assert known(project) == []


def test_an_empty_folder_is_an_error_that_says_how_to_begin(project: Project) -> None:
    with pytest.raises(E2iError, match="e2i experiment new NAME"):
        registered(project, [])
