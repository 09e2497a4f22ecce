"""The delivery of alerts: what a webhook and a mail server receive, how often, and the retry of a failed delivery."""

import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from mail_receiver import mail_receiver, self_signed
from webhook_receiver import webhook_receiver

from e2i_assets.adapters.alerts.delivery import AlertNotSent, AlertSettings, alert_settings, send_alert
from e2i_assets.adapters.postgres.database import Database
from e2i_assets.adapters.repositories.monitoring import AlertRepository
from e2i_assets.core.automation.alerts import Failure
from e2i_assets.core.errors import E2iError

FAILURE = Failure(
    job="tune_and_train",
    experiment="visits",
    asset="dataset",
    kind="DataInvalid",
    message="data of experiment visits: 7 rows are wrong",
    run_id="7b1c3f0e-1111",
    link="http://127.0.0.1:3000/runs/7b1c3f0e-1111",
)


def test_a_cause_is_reported_once_an_hour_with_its_count(tables: Database) -> None:
    with webhook_receiver() as webhook:
        settings = AlertSettings(webhook=webhook.address)
        store = AlertRepository(tables)
        for _ in range(3):
            send_alert(settings, store, FAILURE)
        other = replace(FAILURE, experiment="doses", message="data of experiment doses: 9 rows are wrong")
        assert "less than an hour ago" in send_alert(settings, store, other)
        assert len(webhook.messages) == 1
        assert webhook.messages[0]["text"] == "visits failed in dataset: DataInvalid"
        send_alert(settings, store, replace(FAILURE, kind="OSError"))
        assert len(webhook.messages) == 2
        with tables.begin() as connection:
            connection.exec_driver_sql("UPDATE ml_alerts SET told_at = told_at - interval '61 minutes'")
        send_alert(settings, store, FAILURE)
        assert "occurred 3 times since" in str(webhook.messages[2])


def test_concurrent_failures_of_one_cause_send_one_alert(tables: Database) -> None:
    with webhook_receiver() as webhook, ThreadPoolExecutor(8) as pool:
        settings = AlertSettings(webhook=webhook.address)
        list(pool.map(lambda _: send_alert(settings, AlertRepository(tables), FAILURE), range(24)))
        assert len(webhook.messages) == 1


def test_an_undelivered_message_is_retried_with_the_next_failure_and_contains_no_secret(tables: Database) -> None:
    with webhook_receiver() as webhook:
        settings = AlertSettings(webhook=webhook.address)
        webhook.status = 500
        with pytest.raises(AlertNotSent) as caught:
            send_alert(settings, AlertRepository(tables), FAILURE)
        assert "secret" not in str(caught.value)
        assert "secret" not in repr(settings)
        webhook.status = 200
        send_alert(settings, AlertRepository(tables), FAILURE)
        assert len(webhook.messages) == 1


def mailed(smtp: str) -> AlertSettings:
    return alert_settings({"E2I_ALERT_EMAIL": "a@x.org, b@x.org", "E2I_SMTP_URL": smtp})


def test_an_email_has_the_same_content(tables: Database) -> None:
    with mail_receiver() as server:
        send_alert(mailed(f"smtp://127.0.0.1:{server.port}"), AlertRepository(tables), FAILURE)
        (message,) = server.messages
        assert message["Subject"] == "[e2i] visits failed in dataset: DataInvalid"
        assert message["To"] == "a@x.org, b@x.org"
        assert FAILURE.link in str(message.get_payload())


def test_no_password_goes_to_a_mail_server_before_the_connection_is_encrypted(
    tables: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = self_signed(tmp_path / "here.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))  # the certificate is trusted
    with mail_receiver(certificate) as server:
        send_alert(mailed(f"smtp://me:hunter2@127.0.0.1:{server.port}"), AlertRepository(tables), FAILURE)
        assert server.in_clear == ["EHLO", "STARTTLS"]
        assert server.encrypted == ["EHLO", "AUTH", "MAIL", "RCPT", "RCPT", "DATA", "QUIT"]
        assert len(server.messages) == 1


@pytest.mark.parametrize(("scheme", "before"), [("smtp", ["EHLO", "STARTTLS"]), ("smtps", [])])
def test_an_untrusted_mail_server_gets_no_password_and_no_message(
    tables: Database, tmp_path: Path, scheme: str, before: list[str]
) -> None:
    with mail_receiver(self_signed(tmp_path / "here.pem"), is_encrypted=scheme == "smtps") as server:
        settings = mailed(f"{scheme}://me:hunter2@127.0.0.1:{server.port}")
        with pytest.raises(AlertNotSent, match=r"E2I_SMTP_URL .*certificate .*self-signed.*SSL_CERT_FILE"):
            send_alert(settings, AlertRepository(tables), FAILURE)
        assert (server.in_clear, server.encrypted, server.messages) == (before, [], [])


def test_a_password_is_sent_unencrypted_only_to_a_local_mail_server(tables: Database) -> None:
    with mail_receiver() as server:
        send_alert(mailed(f"smtp://me:hunter2@127.0.0.1:{server.port}"), AlertRepository(tables), FAILURE)
        assert server.in_clear == ["EHLO", "AUTH", "MAIL", "RCPT", "RCPT", "DATA", "QUIT"]
        server.in_clear.clear()
        # The name resolves to this machine, but is not a loopback address.
        elsewhere = mailed(f"smtp://me:hunter2@0.0.0.0:{server.port}")
        with pytest.raises(AlertNotSent, match=r"E2I_SMTP_URL .*not offer TLS.*smtps://"):
            send_alert(elsewhere, AlertRepository(tables), replace(FAILURE, kind="OSError"))
        assert server.in_clear == ["EHLO"]


def test_the_certificate_of_a_local_mail_server_is_not_verified(tables: Database, tmp_path: Path) -> None:
    """This is the default: many systems have a self-signed certificate for the local mail server."""
    with mail_receiver(self_signed(tmp_path / "here.pem")) as server:
        send_alert(mailed(f"smtp://127.0.0.1:{server.port}"), AlertRepository(tables), FAILURE)
        assert server.in_clear == ["EHLO", "MAIL", "RCPT", "RCPT", "DATA", "QUIT"]


def test_a_missing_recipient_is_reported_and_is_not_a_failure(tables: Database) -> None:
    assert "no alert is sent" in send_alert(AlertSettings(), AlertRepository(tables), FAILURE)


def test_a_message_with_an_unexpected_error_is_retried_with_the_next_failure(tables: Database) -> None:
    broken = AlertSettings(recipients=("a@x.org",), smtp="smtp://here:none")
    for _ in range(2):
        with pytest.raises(ValueError, match="none"):
            send_alert(broken, AlertRepository(tables), FAILURE)


@pytest.mark.parametrize("name", ["E2I_ALERT_WEBHOOK", "E2I_SMTP_URL", "E2I_DAGSTER_URL"])
@pytest.mark.parametrize("value", ["hooks.example.org", "ftp://x.org", "https:/x.org"])
def test_an_invalid_address_is_rejected_without_being_shown(name: str, value: str) -> None:
    with pytest.raises(E2iError, match=name) as caught:
        alert_settings({name: value})
    assert value not in str(caught.value)


@pytest.mark.parametrize(
    "value",
    [
        "//AKIA:BHunter2/rest@host:587",
        "//AKIA:25/BHunter2@host",
        "//AKIA:25#BHunter2@host",
        "//AKIA:BHunter2\uff1a@host",
    ],
)
@pytest.mark.parametrize("name", ["E2I_SMTP_URL", "E2I_DAGSTER_URL"])
def test_an_unescaped_password_is_rejected_without_being_shown(name: str, value: str) -> None:
    given = f"{'smtp' if name == 'E2I_SMTP_URL' else 'https'}:{value}"
    with pytest.raises(E2iError, match=rf"{name} .*as %2F") as caught:
        alert_settings({name: given})
    assert "Hunter2" not in "".join(traceback.format_exception(caught.value))


def test_a_webhook_may_have_an_at_sign_in_its_path() -> None:
    webhook = "https://example.webhook.office.com/webhookb2/guid@guid/IncomingWebhook/1"
    assert alert_settings({"E2I_ALERT_WEBHOOK": webhook}).webhook == webhook


def test_links_contain_no_password() -> None:
    assert (
        alert_settings({"E2I_DAGSTER_URL": "https://me:hunter2@dagster.example.org"}).ui
        == "https://dagster.example.org"
    )
