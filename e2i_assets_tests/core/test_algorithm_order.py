"""The order of compared algorithms: by their wins on similar rows that the memory knows for several of them."""

import pytest

from e2i_assets.core.memory.algorithm_order import win_shares
from e2i_assets.core.memory.warm_start import Pattern


def pattern(data_hash: str, best_value: float, similarity: float = 1.0) -> Pattern:
    return Pattern(
        pattern_id=data_hash,
        study_name=None,
        similarity=similarity,
        top=(),
        data_hash=data_hash,
        best_value=best_value,
    )


def test_an_algorithm_that_won_on_similar_rows_is_before_one_that_is_unknown_and_that_before_one_that_lost() -> None:
    shares = win_shares(
        {
            "Ridge": [pattern("a", 0.6), pattern("b", 0.7)],
            "LightGBM": [pattern("a", 0.9), pattern("b", 0.8)],
            "XGBoost": [],
        }
    )
    assert sorted(shares, key=lambda name: -shares[name]) == ["LightGBM", "XGBoost", "Ridge"]
    assert shares["XGBoost"] == 0.5
    assert shares["LightGBM"] == pytest.approx(2.5 / 3)


def test_the_most_similar_rows_count_most() -> None:
    shares = win_shares(
        {
            "Ridge": [pattern("near", 0.9, 0.9), *(pattern(far, 0.1, 0.25) for far in "abc")],
            "LightGBM": [pattern("near", 0.8, 0.9), *(pattern(far, 0.2, 0.25) for far in "abc")],
        }
    )
    assert shares["Ridge"] > 0.5 > shares["LightGBM"]


def test_rows_that_only_one_algorithm_was_tried_on_say_nothing() -> None:
    assert win_shares({"Ridge": [pattern("a", 0.9)], "LightGBM": [pattern("b", 0.1)]}) == {
        "Ridge": 0.5,
        "LightGBM": 0.5,
    }


def test_an_average_record_is_a_half_with_any_number_of_rivals() -> None:
    names = ("Ridge", "LightGBM", "XGBoost")
    shares = win_shares(
        {name: [pattern(str(rows), float(rows == place)) for rows in range(3)] for place, name in enumerate(names)}
    )
    assert shares == dict.fromkeys(names, 0.5)
