"""The next step for an experiment, given its file and its records, as a table."""

import pytest

from e2i_assets.core.automation.new_experiments import Decision, Found, Known, decision, run_key, summary

AS_IT_IS = Found(spec_hash="s1", run_hash="r1")
FOR_PEOPLE = Found(spec_hash="s2", run_hash="r1")
CHANGED = Found(spec_hash="s2", run_hash="r2")
ASKED = Known(spec_hash="s1", requested_hash="r1", active=True, from_file=True)
REGISTERED = Known(spec_hash="s1", active=True, from_file=True)
RETIRED = Known(spec_hash="s1", requested_hash="r1", active=False, from_file=True)
A_ROW = Known(spec_hash="s1", requested_hash="r1", active=True, from_file=False)


@pytest.mark.parametrize(
    ("found", "invalid", "known", "step"),
    [
        pytest.param(AS_IT_IS, False, Known(), "run", id="a file that nobody knows"),
        pytest.param(AS_IT_IS, False, REGISTERED, "run", id="registered by somebody, and never run"),
        pytest.param(AS_IT_IS, False, ASKED, "nothing", id="a file that was touched"),
        pytest.param(FOR_PEOPLE, False, ASKED, "register", id="another description"),
        pytest.param(CHANGED, False, ASKED, "run", id="another budget"),
        pytest.param(CHANGED, False, Known(spec_hash="s2", requested_hash="r1", active=True), "run", id="run by hand"),
        pytest.param(None, True, ASKED, "nothing", id="a known file that was broken"),
        pytest.param(None, True, Known(), "nothing", id="a new file that cannot be read"),
        pytest.param(None, False, ASKED, "retire", id="a file that was removed"),
        pytest.param(None, False, RETIRED, "nothing", id="removed long ago"),
        pytest.param(None, False, A_ROW, "nothing", id="a row that never had a file"),
        pytest.param(AS_IT_IS, False, A_ROW, "register", id="a row that now has a file which says the same"),
        pytest.param(AS_IT_IS, False, RETIRED, "register", id="a file that is back as it was"),
        pytest.param(CHANGED, False, RETIRED, "run", id="a file that is back with changes"),
    ],
)
def test_step_for_an_experiment(found: Found | None, invalid: bool, known: Known, step: str) -> None:
    assert decision(found, invalid, known).step == step


def test_a_spec_that_changes_back_and_forth_has_a_new_run_key_each_time() -> None:
    first, second, back = (run_key("a", "new_experiment", spec, n) for n, spec in enumerate(["x", "y", "x"]))
    assert len({first, second, back}) == 3
    assert run_key("a", "new_experiment", "x", 0) == first


@pytest.mark.parametrize(
    ("steps", "invalid", "waiting", "message"),
    [
        ({}, {}, [], "nothing to do: none of 0 experiments has changed"),
        ({"a": Decision("nothing", "same")}, {}, [], "nothing to do: none of 1 experiments has changed"),
        ({"a": Decision("run", "it is new")}, {}, ["a"], "to run: a (it is new)"),
        ({"a": Decision("nothing", "same")}, {}, ["a"], "requested and not started yet: a"),
        ({"a": Decision("retire", "gone")}, {"b.yaml": "bad"}, [], "retired: a (gone); not valid: b.yaml: bad"),
        ({f"e{n}": Decision("run", "new") for n in range(7)}, {}, [], "e4 (new) and 2 more"),
    ],
)
def test_a_tick_reports_what_it_did_and_why(
    steps: dict[str, Decision], invalid: dict[str, str], waiting: list[str], message: str
) -> None:
    assert message in summary(steps, invalid, waiting)
