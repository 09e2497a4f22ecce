"""Alerts about failed runs: sent by webhook, by e-mail, or both, as the environment configures."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage

from e2i_assets.adapters.addresses import address_parts, shown_address
from e2i_assets.adapters.alerts.mail_server import MailNotSent, send
from e2i_assets.adapters.repositories.monitoring import AlertRepository
from e2i_assets.adapters.settings import DAGSTER_HERE, DAGSTER_URL
from e2i_assets.core.automation.alerts import Failure, cause, headline, slack_message, text
from e2i_assets.core.errors import E2iError

WEBHOOK = "E2I_ALERT_WEBHOOK"
EMAIL = "E2I_ALERT_EMAIL"
SENDER = "E2I_ALERT_SENDER"
SMTP = "E2I_SMTP_URL"
_SECONDS = 10.0


class AlertNotSent(E2iError):
    """An alert could not be sent."""


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """The recipients of alerts.

    Attributes:
        webhook: Address that accepts Slack's JSON. Secret.
        recipients: E-mail addresses.
        sender: E-mail address.
        smtp: Mail server: smtp:// (with STARTTLS if offered; required for a password) or smtps://. Secret.
        ui: Address of the Dagster UI, for links.
    """

    webhook: str | None = field(default=None, repr=False)
    recipients: tuple[str, ...] = ()
    sender: str = "e2i_assets@localhost"
    smtp: str = field(default="smtp://localhost:25", repr=False)
    ui: str = DAGSTER_HERE

    @property
    def has_recipients(self) -> bool:
        """Whether a webhook or an e-mail recipient is configured."""
        return bool(self.webhook or self.recipients)


def alert_settings(environment: Mapping[str, str]) -> AlertSettings:
    """Read the alert settings from environment variables.

    Raises:
        E2iError: An address is invalid.
    """
    for name, schemes in {WEBHOOK: ("http", "https"), SMTP: ("smtp", "smtps"), DAGSTER_URL: ("http", "https")}.items():
        given = environment.get(name)
        if given:
            _require_address(name, given, schemes)
    named = [one.strip() for one in environment.get(EMAIL, "").split(",")]
    chosen = {"sender": environment.get(SENDER), "smtp": environment.get(SMTP)}
    return AlertSettings(
        webhook=environment.get(WEBHOOK) or None,
        recipients=tuple(one for one in named if one),
        ui=shown_address(DAGSTER_URL, environment.get(DAGSTER_URL) or DAGSTER_HERE),
        **{name: value.rstrip("/") for name, value in chosen.items() if value},
    )


def _require_address(name: str, given: str, schemes: tuple[str, ...]) -> None:
    # The path of a Teams webhook contains an @; the address of a webhook is never shown.
    parts = address_parts(name, given, f"{schemes[-1]}://host", path_may_hold_at=name == WEBHOOK)
    if parts.scheme not in schemes or not parts.hostname:
        allowed = " or ".join(f"{one}://" for one in schemes)
        raise E2iError(f"{name} is not a valid address: it must begin with {allowed} and name a host")


def send_alert(settings: AlertSettings, store: AlertRepository, failure: Failure) -> str:
    """Send an alert about a failure, at most once an hour per cause, and return what was done.

    Raises:
        AlertNotSent: The alert could not be sent; the next failure of this cause is reported again.
    """
    if not settings.has_recipients:
        return f"no alert is sent: neither {WEBHOOK} nor {EMAIL} is set"
    key = cause(failure)
    unreported = store.claim(key, headline(failure))
    if unreported is None:
        return "an alert for this cause was sent less than an hour ago"
    try:
        if settings.webhook:
            _post(settings.webhook, failure, unreported)
        if settings.recipients:
            _mail(settings, failure, unreported)
    except BaseException:  # after any error, this cause must not count as reported
        store.release(key)
        raise
    return f"alert sent: {headline(failure)}"


def _post(webhook: str, failure: Failure, unreported: int) -> None:
    import requests

    try:
        requests.post(webhook, json=slack_message(failure, unreported), timeout=_SECONDS).raise_for_status()
    except requests.RequestException as error:
        # Neither its text nor the chained error: both contain the address, which allows anyone to post there.
        status = f" with {error.response.status_code}" if error.response is not None else ""
        raise AlertNotSent(
            f"the webhook of {WEBHOOK} did not accept the message: {type(error).__name__}{status}"
        ) from None


def _mail(settings: AlertSettings, failure: Failure, unreported: int) -> None:
    message = EmailMessage()
    message["Subject"] = f"[e2i] {headline(failure)}"
    message["From"] = settings.sender
    message["To"] = ", ".join(settings.recipients)
    message.set_content(text(failure, unreported))
    try:
        send(message, settings.smtp)
    except MailNotSent as error:
        raise AlertNotSent(f"the mail server of {SMTP} did not accept the message: {error}") from None
