"""Figures of the sizes 8e-5 and 1e12 are formatted, compared and evaluated in the same way."""

import pytest

from e2i_assets.core.automation.champion import Comparison, verdict
from e2i_assets.core.evaluation.measures import metric_text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.81234, "0.8123"), (0.0, "0.0000"), (8.1234e-5, "8.123e-05"), (1.23456e12, "1.235e+12"), (-2e-9, "-2e-09"),
     (123456.78, "123456.7800")],
)  # fmt: skip
def test_a_metric_shows_its_digits_at_any_size(value: float, text: str) -> None:
    assert metric_text(value) == text


@pytest.mark.parametrize("size", [1e-30, 8e-5, 1.0, 1e12])
def test_a_worse_model_is_worse_in_any_unit(size: float) -> None:
    same = {"metric": "rmse", "test_rows": 100, "champion": size, "gain_low": None, "gain_high": None}
    worse = Comparison(challenger=1.1 * size, gain=-0.1 * size, **same)
    equal = Comparison(challenger=size * (1 + 1e-15), gain=-1e-15 * size, **same)
    assert not verdict([], True, worse).promoted
    assert verdict([], True, equal).promoted
