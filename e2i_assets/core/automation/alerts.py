"""What is said of a failed run, and which failures are one and the same cause: then they are told once."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from e2i_assets.core.content_hash import content_hash

MOST_CHARACTERS = 1500
# What differs from one occurrence to the next: ids, hashes, addresses in memory, numbers, moments.
_PASSING = re.compile(r"0x[0-9a-fA-F]+|\b[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}\b|\b[0-9a-fA-F]{12,}\b|\d+(?:[.:]\d+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A run that failed.

    Attributes:
        experiment: Its partition; None for a run of none, such as the nightly checks.
        asset: The step that failed, None when the run failed before one began or its process died.
        kind: Type of the error.
        message: What a person can act on.
        link: Where the run can be seen.
    """

    job: str
    experiment: str | None
    asset: str | None
    kind: str
    message: str
    run_id: str
    link: str


def cause(failure: Failure) -> str:
    """Return the identity of what went wrong: the same for every experiment that it hits, and for every time."""
    message = failure.message
    if failure.experiment:
        message = message.replace(failure.experiment, "EXPERIMENT")
    alike = _PASSING.sub("N", message)
    return content_hash({"job": failure.job, "asset": failure.asset, "kind": failure.kind, "message": alike})


def headline(failure: Failure) -> str:
    """Return one line: what failed, and where."""
    where = f" in {failure.asset}" if failure.asset else ""
    return f"{failure.experiment or failure.job} failed{where}: {failure.kind}"


def text(failure: Failure, unsynced: int) -> str:
    """Return the whole message as plain text.

    Args:
        failure: What to tell.
        untold: How often the same cause has come since it was last told.
    """
    again = f"The same has happened {unsynced} times since this was last told." if unsynced else ""
    return "\n".join(filter(None, [headline(failure), _shortened(failure.message), again, failure.link]))


def slack_message(failure: Failure, unsynced: int) -> Mapping[str, Any]:
    """Return the message as Slack's incoming webhooks take it, and Mattermost's and others that understand them."""
    fields = {"Experiment": failure.experiment, "Asset": failure.asset, "Job": failure.job, "Run": failure.run_id[:8]}
    shown = [{"type": "mrkdwn", "text": f"*{name}*\n{_escaped(value)}"} for name, value in fields.items() if value]
    again = f"The same has happened {unsynced} times since this was last told. " if unsynced else ""
    return {
        # What a notification shows.
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
    """Return a text without what Slack takes for its own marks."""
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("```", "'''")
