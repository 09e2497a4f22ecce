"""Numbers for people."""

import pytest

from e2i_assets.core.figures import figure, rounded


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
