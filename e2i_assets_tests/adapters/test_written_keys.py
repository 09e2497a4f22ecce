"""The keys in the stored tables of a split are checked, and not only the content of their rows."""

import numpy as np
import pandas as pd
import pytest

from e2i_assets.core.data.dataset import dataset_of
from e2i_assets.core.data.splits import ROLES
from e2i_assets.core.experiments.file import parse_experiment
from e2i_assets.services.checks.stored_split import stored_rows
from e2i_assets.services.checks.validation_splits import _wrongly_named

COLUMNS = {"group": "columns: {group: patient}", "id": "columns: {id: [patient]}"}


@pytest.mark.parametrize("kind", COLUMNS)
@pytest.mark.parametrize("role", ROLES)
def test_a_key_of_another_split_or_of_no_entity_is_found(kind: str, role: str) -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"patient": [f"p{n}" for n in range(80)], "a": random.normal(size=80), "y": np.arange(80) % 2})
    text = "name: a\nowner: team:t\nsource: {csv: a.csv}\ntarget: y\nproblem_type: binary_classification\n"
    data = dataset_of(frame, parse_experiment(f"{text}{COLUMNS[kind]}\nalgorithm: XGBoost\n", "test"))
    parts = {one: data.frame.iloc[20 * place : 20 * place + 20] for place, one in enumerate(ROLES)}
    assigned = {f"p{number}": ROLES[number // 20] for number in range(80)}
    assert list(_wrongly_named(stored_rows(data, parts, assigned).written, "patient")) == []
    other = next(one for one in ROLES if one != role)
    for key, words in (
        (str(parts[other]["patient"].iloc[0]), f"assigned to {other}"),
        ("nobody", "without an assigned split"),
    ):
        written = parts[role].assign(patient=[key, *parts[role]["patient"].astype(str).iloc[1:]])
        (mistake,) = _wrongly_named(stored_rows(data, {**parts, role: written}, assigned).written, "patient")
        assert f"{key} in {role}" in mistake
        assert words in mistake
