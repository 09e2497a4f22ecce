"""The decision whether changed rows start a run, as a table."""

import pytest

from e2i_assets.core.automation.changed_data import Decision, decision, summary


@pytest.mark.parametrize(
    ("now", "read", "asked", "under_way", "run", "why"),
    [
        pytest.param("b", "a", None, False, True, "have changed", id="appended to"),
        pytest.param("a", "a", None, False, False, "since they were last read", id="touched"),
        pytest.param("b", "a", "b", False, False, "never read them", id="requested, but the run did not read the rows"),
        pytest.param("c", "a", "b", False, True, "have changed", id="changed once more"),
        pytest.param(
            "a", "a", "b", False, False, "since they were last read", id="changed back before anybody read it"
        ),
        pytest.param("b", "b", "b", False, False, "since they were last read", id="read by the requested run"),
        pytest.param("a", "b", "b", False, True, "have changed", id="changed back after it was read"),
        pytest.param("b", "a", None, True, False, "in progress", id="a run is on its way and reads it itself"),
        pytest.param("a", None, None, False, False, "no run has read", id="new"),
    ],
)
def test_decision(now: str, read: str | None, asked: str | None, under_way: bool, run: bool, why: str) -> None:
    found = decision(now, read, asked, under_way)
    assert found.run is run
    assert why in found.why


def test_a_tick_reports_why_nothing_runs_and_what_was_not_evaluated() -> None:
    same = Decision(False, "its rows have not changed since they were last read")
    said = summary({"a": same, "b": same, "c": Decision(True, "")}, {"d": "d.csv cannot be read"}, left=3)
    assert said == (
        "the rows of c have changed; its rows have not changed since they were last read: a, b; "
        "not evaluated at d: d.csv cannot be read; 3 experiments are left for the next scan"
    )
    assert summary({}, {}, 0) == "there is no experiment to scan"
