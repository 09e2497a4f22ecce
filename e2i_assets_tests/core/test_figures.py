"""Numbers for people."""

import pytest

from e2i_assets.core.figures import Bound, against, figure, rounded


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.992117, "0.9921"),
        (0.5, "0.5"),
        (0.00123456, "0.001235"),
        (12.3456, "12.35"),
        (11320.4, "11,320"),
        (16044742.716404, "16,040,000"),
        (-3.14159, "-3.142"),
        (0.0, "0"),
        (1.5e-9, "1.5e-09"),
        (9.99999, "10"),
        (float("inf"), "inf"),
        (None, "-"),
    ],
)
def test_a_number_has_four_significant_digits_and_no_needless_exponent(value: float | None, text: str) -> None:
    assert figure(value) == text


def test_a_rounded_number_stays_a_number() -> None:
    assert rounded(16044742.716404) == 16040000.0


@pytest.mark.parametrize(
    ("value", "bound", "limit", "met", "unit", "text"),
    [
        (0.673219, "minimum", 0.7, False, "", "0.6732, required at least 0.7: missed"),
        (0.749996, "minimum", 0.75, False, "", "0.749996, required at least 0.75: missed"),
        (0.75, "minimum", 0.75, True, "", "0.75, required at least 0.75: met"),
        (11320.4, "maximum", 20000, True, "rows", "11,320 rows, required at most 20,000 rows: met"),
        (0.3456, "minimum", 0.1, True, "%", "34.56 %, required at least 10 %: met"),
        (None, "minimum", 0.1, False, "%", "not computed, required at least 10 %: missed"),
    ],
)
def test_a_value_beside_its_limit_differs_from_it_as_text(
    value: float | None, bound: Bound, limit: float, met: bool, unit: str, text: str
) -> None:
    assert against(value, bound, limit, met=met, unit=unit) == text
