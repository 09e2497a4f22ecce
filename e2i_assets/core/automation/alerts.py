"""Alerts about failed runs: their text, and the cause by which repeated failures are grouped into one alert."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from e2i_assets.core.content_hash import content_hash

MOST_CHARACTERS = 1500
# Parts of a message that differ between occurrences: ids, hashes, memory addresses, numbers, times.
_VARIABLE = re.compile(r"0x[0-9a-fA-F]+|\b[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}\b|\b[0-9a-fA-F]{12,}\b|\d+(?:[.:]\d+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A run that failed.

    Attributes:
        experiment: Its partition; None for a run without one, such as the nightly checks.
        asset: The failed step; None when the run failed before its first step or its process died.
        kind: Type of the error.
        message: The message for the user.
        link: URL of the run.
    """

    job: str
    experiment: str | None
    asset: str | None
    kind: str
    message: str
    run_id: str
    link: str


def cause(failure: Failure) -> str:
    """Return the key of the cause: the same for every experiment and every occurrence."""
    message = failure.message
    if failure.experiment:
        message = message.replace(failure.experiment, "EXPERIMENT")
    pattern = _VARIABLE.sub("N", message)
    return content_hash({"job": failure.job, "asset": failure.asset, "kind": failure.kind, "message": pattern})


def headline(failure: Failure) -> str:
    """Return one line that names the experiment or job, the failed asset and the error."""
    where = f" in {failure.asset}" if failure.asset else ""
    return f"{failure.experiment or failure.job} failed{where}: {failure.kind}"


def text(failure: Failure, unsynced: int) -> str:
    """Return the whole message as plain text.

    Args:
        failure: The failure.
        unsynced: Number of failures with the same cause since its last alert.
    """
    again = f"The same failure occurred {unsynced} times since the last alert." if unsynced else ""
    return "\n".join(filter(None, [headline(failure), _shortened(failure.message), again, failure.link]))


def slack_message(failure: Failure, unsynced: int) -> Mapping[str, Any]:
    """Return the message in the format of Slack's incoming webhooks, which Mattermost and others accept too."""
    fields = {"Experiment": failure.experiment, "Asset": failure.asset, "Job": failure.job, "Run": failure.run_id[:8]}
    shown = [{"type": "mrkdwn", "text": f"*{name}*\n{_escaped(value)}"} for name, value in fields.items() if value]
    again = f"The same failure occurred {unsynced} times since the last alert. " if unsynced else ""
    return {
        # The text of the desktop notification.
        "text": _escaped(headline(failure)),
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": headline(failure)[:150]}},
            {"type": "section", "fields": shown},
            {"type": "section", "text": {"type": "mrkdwn", "text": f"```{_escaped(_shortened(failure.message))}```"}},
            {"type": "section", "text": {"type": "mrkdwn", "text": f"{again}<{failure.link}|Open the run>"}},
        ],
    }


def _shortened(message: str) -> str:
    return message if len(message) <= MOST_CHARACTERS else f"{message[:MOST_CHARACTERS]} ..."


def _escaped(value: str) -> str:
    """Return a text with Slack's markup escaped."""
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("```", "'''")
