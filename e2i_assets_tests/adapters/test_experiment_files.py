from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from e2i_assets.adapters.files.experiment_files import read_experiment, read_folder
from e2i_assets.adapters.sources.datasets import load
from e2i_assets.core.data.dataset import dataset_of, schema_of
from e2i_assets.core.data.quality import assess, gate
from e2i_assets.core.errors import E2iError, ExperimentInvalid
from e2i_assets.core.experiments.experiment import Experiment

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
# By name: users of a checkout add experiments to the same folder, and these are not tested here.
SHIPPED = ("rand_inpatient", "rand_inpatient_logistic", "rand_visit_level", "rand_visits")
GOOD = "name: {name}\nowner: team:a\nsource: {{csv: a.csv}}\ntarget: y\nproblem_type: regression\nalgorithm: Ridge\n"
# Columns of the predicted year, or known only at its end.
OUTCOMES = {
    "outpdol", "drugdol", "suppdol", "mentdol", "inpdol", "meddol", "totadm", "inpmis",
    "mentvis", "mdvis", "notmdvis", "lnmeddol", "binexp", "time",
}  # fmt: skip


def write(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


def test_a_folder_gives_its_experiments_by_name(tmp_path: Path) -> None:
    write(tmp_path, b=GOOD.format(name="second"), a=GOOD.format(name="first"))
    (tmp_path / "c.yml").write_text("\ufeff" + GOOD.format(name="third"), encoding="utf-8")
    (tmp_path / ".hidden.yaml").write_text("no")
    (tmp_path / "notes.txt").write_text("no")
    folder = read_folder(tmp_path)
    assert list(folder.experiments) == ["first", "second", "third"]
    assert folder.files["first"] == tmp_path / "a.yaml"
    assert folder.experiment("second").name == "second"
    folder.require_valid()


def test_an_invalid_file_is_reported_and_does_not_hide_valid_ones(tmp_path: Path) -> None:
    write(tmp_path, good=GOOD.format(name="good"), bad=GOOD.format(name="Bad"), worse="a: [")
    (tmp_path / "latin.yaml").write_bytes("name: é".encode("latin-1"))
    folder = read_folder(tmp_path)
    assert list(folder.experiments) == ["good"]
    assert {path.stem for path in folder.invalid} == {"bad", "worse", "latin"}
    assert "is not text in UTF-8" in str(folder.invalid[tmp_path / "latin.yaml"])
    with pytest.raises(E2iError) as caught:
        folder.require_valid()
    assert all(f"{name}.yaml" in str(caught.value) for name in ("bad", "worse", "latin"))
    with pytest.raises(ExperimentInvalid, match="name: 'Bad'"):
        folder.experiment("bad")


def test_two_files_cannot_have_one_name(tmp_path: Path) -> None:
    folder = read_folder(write(tmp_path, a=GOOD.format(name="same"), b=GOOD.format(name="same")))
    assert list(folder.files.values()) == [tmp_path / "a.yaml"]
    with pytest.raises(ExperimentInvalid, match=r"name: 'same' is the name of the experiment in a\.yaml as well"):
        folder.require_valid()


def test_an_unknown_name_is_reported_with_the_existing_ones(tmp_path: Path) -> None:
    folder = read_folder(write(tmp_path, a=GOOD.format(name="visits")))
    with pytest.raises(E2iError, match=r"there is no experiment 'visit'; did you mean 'visits'\? There are: visits"):
        folder.experiment("visit")
    with pytest.raises(E2iError, match="there is no experiments folder"):
        read_folder(tmp_path / "none")
    with pytest.raises(E2iError, match="there is no experiment file"):
        read_experiment(tmp_path / "none.yaml")


def shipped(name: str) -> Experiment:
    return read_experiment(EXPERIMENTS / f"{name}.yaml")


@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_file_is_valid_named_by_its_experiment_and_known_to_editors(name: str) -> None:
    experiment = shipped(name)
    assert experiment.name == name
    text = (EXPERIMENTS / f"{name}.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=../docs/experiment.schema.json\n")
    assert experiment.description
    assert experiment.success_criteria


def test_the_shipped_experiments_cover_boosters_a_forest_and_a_linear_model_on_every_problem_type() -> None:
    every = [shipped(name) for name in SHIPPED]
    named = {name for one in every for name in one.contenders}
    assert {"XGBoost", "LightGBM", "RandomForest", "LogisticRegression"} <= named
    assert len({one.problem_type for one in every}) == 3


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    return load(shipped("rand_visits").source, EXPERIMENTS.parent, {})


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_experiment_uses_no_feature_that_is_known_too_late(name: str, people: pd.DataFrame) -> None:
    experiment = shipped(name)
    made = dataset_of(people, experiment)
    assert not OUTCOMES & set(made.features)
    assert "zper" not in made.features
    assert made.group == "zper"
    assert len(made.frame) == 20190
    schema_of(made).validate(made.frame)
    assert gate(assess(made, name, datetime.now(UTC))).passed
