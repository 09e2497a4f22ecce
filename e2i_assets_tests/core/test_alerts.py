"""The grouping of failures by cause, and the text of an alert."""

from dataclasses import replace
from typing import Any

import pytest

from e2i_assets.core.automation.alerts import MOST_CHARACTERS, Failure, cause, headline, slack_message, text

FAILURE = Failure(
    job="tune_and_train",
    experiment="visits",
    asset="dataset",
    kind="DatabaseUnreachable",
    message="No database answers for visits at host:5432 after 3.5 s (run 7b1c3f0e-1111-4222-8333-123456789abc)",
    run_id="7b1c3f0e-1111-4222-8333-123456789abc",
    link="http://127.0.0.1:3000/runs/7b1c3f0e",
)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        pytest.param({}, True, id="once more"),
        pytest.param({"run_id": "other", "link": "http://elsewhere"}, True, id="another run"),
        pytest.param(
            {"experiment": "doses", "message": FAILURE.message.replace("visits", "doses")},
            True,
            id="of another experiment",
        ),
        pytest.param({"message": FAILURE.message.replace("3.5", "12")}, True, id="with other numbers"),
        pytest.param({"asset": "trained_model"}, False, id="another asset"),
        pytest.param({"kind": "DataInvalid"}, False, id="another error"),
        pytest.param({"message": "the disk is full"}, False, id="another message"),
        pytest.param({"job": "check_everything"}, False, id="another job"),
    ],
)
def test_failures_are_grouped_by_cause(change: dict[str, Any], same: bool) -> None:
    assert (cause(replace(FAILURE, **change)) == cause(FAILURE)) is same


def test_message_names_experiment_asset_error_and_link() -> None:
    message = text(FAILURE, unsynced=4)
    for part in ("visits", "dataset", "DatabaseUnreachable", "No database answers", FAILURE.link, "4 times"):
        assert part in message
    assert "times" not in text(FAILURE, unsynced=0)
    assert headline(replace(FAILURE, experiment=None, asset=None)) == "tune_and_train failed: DatabaseUnreachable"


def test_slack_message_escapes_markup_and_is_truncated() -> None:
    message = slack_message(replace(FAILURE, message="<!channel> a & b ```" + "x" * 5000), unsynced=0)
    shown = str(message)
    assert "<!channel>" not in shown
    assert "&lt;!channel&gt; a &amp; b '''" in shown
    section = message["blocks"][2]["text"]["text"]
    assert len(section) < MOST_CHARACTERS + 100 < 3000  # the limit of Slack
