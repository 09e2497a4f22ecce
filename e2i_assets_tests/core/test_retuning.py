"""The decision to tune a model again, and its budget, as tables."""

from datetime import UTC, datetime, timedelta

import pytest

from e2i_assets.core.automation.retuning import decision, trials

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("days", "searches", "asked", "under_way", "run", "why"),
    [
        pytest.param(None, True, False, False, False, "no model yet", id="never trained"),
        pytest.param(29.9, True, False, False, False, "not old enough", id="young"),
        pytest.param(30.0, True, False, False, True, "30 days old", id="as old as it may be"),
        pytest.param(90.0, True, True, False, False, "was requested", id="asked for, and it failed"),
        pytest.param(90.0, True, False, True, False, "in progress", id="on its way"),
        pytest.param(90.0, False, False, False, False, "no search", id="nothing to tune"),
    ],
)
def test_decision(days: float | None, searches: bool, asked: bool, under_way: bool, run: bool, why: str) -> None:
    trained = None if days is None else NOW - timedelta(days=days)
    found = decision(trained, NOW, 30.0, searches, asked, under_way)
    assert found.run is run
    assert why in found.why


@pytest.mark.parametrize(
    ("asked", "spent", "budget"),
    [(100, 100, 120), (100, 0, 20), (10, 10, 15), (100, 120, 140), (1, 0, 5)],
)
def test_budget_of_a_retune_is_a_fifth_more(asked: int, spent: int, budget: int) -> None:
    assert trials(asked, spent) == budget
