"""CatBoost without its package: named everywhere, refused with the command that installs it, and never part of auto."""

import sys

import pytest

from e2i_assets.core.algorithms import registry
from e2i_assets.core.errors import ExperimentInvalid
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.file import experiment_from
from e2i_assets.core.experiments.schema import json_schema_text


def read(algorithm: object) -> Experiment:
    given = {"name": "a", "owner": "team:t", "source": {"csv": "a.csv"}, "target": "y", "problem_type": "regression"}
    return experiment_from({**given, "algorithm": algorithm}, "test")


@pytest.fixture
def without_catboost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "catboost", None)  # how Python marks a module that cannot be imported


@pytest.mark.usefixtures("without_catboost")
@pytest.mark.parametrize(
    ("algorithm", "where"),
    [("CatBoost", "algorithm"), (["Ridge", "CatBoost"], "algorithm.1")],
)
def test_without_its_package_an_algorithm_is_refused_with_the_command_that_installs_it(
    algorithm: object, where: str
) -> None:
    with pytest.raises(ExperimentInvalid) as caught:
        read(algorithm)
    (violation,) = caught.value.violations
    assert str(violation) == (
        f"{where}: 'CatBoost' needs the package catboost, which is not installed: pip install 'e2i-assets[catboost]'"
    )


@pytest.mark.usefixtures("without_catboost")
def test_the_names_and_the_schema_do_not_depend_on_what_is_installed() -> None:
    assert set(registry.names()) - set(registry.installed()) == {"CatBoost"}
    assert "CatBoost" in json_schema_text()
    with pytest.raises(ExperimentInvalid, match="not one of CatBoost, ExtraTrees"):
        read("Catbost")


def test_auto_compares_what_every_installation_has() -> None:
    assert "CatBoost" not in read("auto").contenders
    assert "CatBoost" in registry.able("regression")
