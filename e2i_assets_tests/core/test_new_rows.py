"""New rows are read by the rules of the train rows: in the model's types, alike in all pieces, or not at all."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from e2i_assets.core.algorithms.prepared_data import Task
from e2i_assets.core.algorithms.registry import algorithm
from e2i_assets.core.data.dataset import dataset_of
from e2i_assets.core.data.new_rows import NewRows
from e2i_assets.core.errors import DataInvalid
from e2i_assets.core.experiments.experiment import Experiment
from e2i_assets.core.experiments.file import experiment_from
from e2i_assets.core.fitting.fit_context import Rows, fit_context
from e2i_assets.core.fitting.fitted_model import FittedModel

N = 200


def experiment_of(**sections: Any) -> Experiment:
    return experiment_from(
        {
            "name": "small",
            "owner": "team:tests",
            "source": {"csv": "rows.csv"},
            "target": "left",
            "problem_type": "binary_classification",
            "algorithm": "LogisticRegression",
            **sections,
        },
        "test",
    )


def train_rows() -> pd.DataFrame:
    random = np.random.default_rng(1)
    frame = pd.DataFrame({"share": random.normal(size=N), "cost": [f"{one},5" for one in random.integers(1, 90, N)]})
    frame["icd"] = random.choice(["250.00", "V45", "401.9"], N)
    frame["insured"] = random.random(N) < 0.5
    frame["seen"] = (pd.to_datetime("2025-01-13") + pd.to_timedelta(random.integers(0, 300, N), "D")).strftime(
        "%d/%m/%Y"
    )
    return frame.assign(left=np.where(frame["share"] > 0, "yes", "no"))


def model_of(experiment: Experiment) -> FittedModel:
    data = dataset_of(train_rows(), experiment)
    features, target = data.frame[list(data.features)], data.frame["left"]
    task = Task("binary_classification", 2)
    chosen = algorithm("LogisticRegression")
    context = fit_context(chosen, task, Rows(features, target), Rows(features, target), ("no", "yes"))
    return context.model(context.fit({**chosen.default_values, **chosen.fixed_values}, None))


def reader(**sections: Any) -> NewRows:
    experiment = experiment_of(**sections)
    return NewRows(model_of(experiment), experiment, experiment.source)


def rows(**columns: list[Any]) -> pd.DataFrame:
    """Rows as the reader of CSV pieces returns them: codes as text, other columns with the type of their cells."""
    plain = {"share": [0.5], "cost": ["7,5"], "icd": ["V45"], "insured": [True], "seen": ["25/01/2025"]}
    count = max(map(len, columns.values()), default=1)
    return pd.DataFrame({**{name: cells * count for name, cells in plain.items()}, **columns})


def refusal(new: NewRows, piece: pd.DataFrame) -> str:
    with pytest.raises(DataInvalid) as refused:
        new.features(piece)
    return str(refused.value)


def test_cells_get_the_types_of_the_train_rows() -> None:
    new = reader()
    assert new.model.column_kinds == {
        "share": "number", "cost": "number", "icd": "category", "insured": "number", "seen": "date",
    }  # fmt: skip
    found = new.features(rows(cost=["7,5", "8,25"], icd=["250.00", "V45"], seen=["25/01/2025", "02/03/2025"]))
    assert found["cost"].tolist() == [7.5, 8.25]
    assert found["icd"].tolist() == ["250.00", "V45"]
    assert found["seen"].tolist() == [pd.Timestamp("2025-01-25"), pd.Timestamp("2025-03-02")]
    assert new.unseen == {}
    assert new.model.predict(found).shape == (2,)


def test_a_later_piece_is_read_like_the_first_one() -> None:
    new = reader()
    new.features(rows(cost=["7,5"], seen=["25/01/2025"]))
    found = new.features(rows(share=[0.5, 0.25], cost=["1,234", "5,678"], seen=["02/03/2025", "03/04/2025"]))
    assert found["cost"].tolist() == [1.234, 5.678]
    assert found["seen"].tolist() == [pd.Timestamp("2025-03-02"), pd.Timestamp("2025-04-03")]
    assert "has the decimal sign ',' in some rows and '.' in others" in refusal(new, rows(cost=["1,234.5", "2,000.25"]))


def test_what_is_ambiguous_is_refused_with_the_key_to_set() -> None:
    message = refusal(reader(), rows(share=[1, 2], cost=["1,234", "5,678"], seen=["02/03/2025", "03/04/2025"]))
    assert "columns: {decimal: {cost: ','}}" in message
    assert "columns: {dates: {seen: '%d/%m/%Y'}}" in message
    declared = reader(columns={"decimal": {"cost": ","}, "dates": {"seen": "%d/%m/%Y"}})
    found = declared.features(rows(share=[1, 2], cost=["1,234", "5,678"], seen=["02/03/2025", "03/04/2025"]))
    assert found["cost"].tolist() == [1.234, 5.678]
    assert found["seen"].iloc[0] == pd.Timestamp("2025-03-02")


def test_new_categories_are_counted_and_missing_cells_are_not() -> None:
    new = reader()
    new.features(rows(icd=["V45", "V99", "V99", "", "NA"]))
    new.features(rows(icd=["V99", None, "401.9", "401.90"]))
    assert {name: dict(counts) for name, counts in new.unseen.items()} == {"icd": {"V99": 3, "401.90": 1}}


def test_numbers_as_categories_are_known_however_they_are_written() -> None:
    experiment = experiment_of(columns={"categorical": ["grade"]})
    random = np.random.default_rng(1)
    raw = train_rows().assign(grade=random.integers(1, 4, N))
    data = dataset_of(raw, experiment)
    chosen = algorithm("LogisticRegression")
    rows_of = Rows(data.frame[list(data.features)], data.frame["left"])
    context = fit_context(chosen, Task("binary_classification", 2), rows_of, rows_of, ("no", "yes"))
    model = context.model(context.fit({**chosen.default_values, **chosen.fixed_values}, None))
    new = NewRows(model, experiment, experiment.source)
    found = new.features(rows(grade=["1", "2.0", "3.00", "true", "4"]))
    assert found["grade"].tolist() == ["1", "2", "3", "1", "4"]
    assert new.unseen == {"grade": {"4": 1}}


def test_a_column_without_a_value_is_missing() -> None:
    found = reader().features(rows(share=[None], cost=[""], icd=["NA"], seen=[None]))
    assert found[["share", "cost", "icd", "seen"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("column", "cells", "message"),
    [
        ("share", [1.0, "much"], "takes numbers, as in the train rows, and has 'much' (1: row 2)"),
        (
            "share",
            ["much", "more"],
            "has 'much' (1: row 1), 'more' (1: row 2)",
        ),
        ("share", [1.0, [2.0]], "takes numbers, as in the train rows, and has '[2.0]' (1: row 2)"),
        ("seen", [{"day": 1}], "takes dates, as in the train rows, and has"),
        ("cost", ["7,5", "free"], "takes numbers, as in the train rows, and has 'free' (1: row 2)"),
        ("share", [1.0, np.inf], "takes finite numbers, as in the train rows, and has 'inf' (1: row 2)"),
        ("share", [pd.Timestamp("2025-01-01")], "takes numbers, as in the train rows, and has '2025-01-01 00:00:00'"),
        ("seen", [20250101], "takes dates, as in the train rows, and has '20250101' (1: row 1)"),
        ("seen", ["soon"], "takes dates, as in the train rows, and has 'soon' (1: row 1)"),
        ("seen", ["2025-01-01T10:00:00Z"], "and the train rows have dates without a UTC offset"),
    ],
)
def test_another_type_is_refused_with_its_cells(column: str, cells: list[Any], message: str) -> None:
    assert message in refusal(reader(), rows(**{column: cells}))


def test_missing_columns_are_all_named() -> None:
    message = refusal(reader(), rows().drop(columns=["share"]).rename(columns={"cost": "costs"}))
    assert "'share' is a column of the model that these rows lack" in message
    assert "'cost' is a column of the model that these rows lack; did you mean 'costs'?" in message


def test_keys_stay_text_and_other_columns_are_named() -> None:
    new = reader()
    new.experiment = experiment_of(columns={"group": "person", "id": ["visit"], "drop": ["note"]})
    piece = rows().assign(person="007", visit=7.0, note="a", colour="red", left=None)
    new.features(piece)
    assert {name: column.tolist() for name, column in new.row_keys(piece).items()} == {
        "visit": ["7"],
        "person": ["007"],
    }
    assert new.not_used == ("colour",)
    assert new.as_text == {"visit", "person", "icd"}
