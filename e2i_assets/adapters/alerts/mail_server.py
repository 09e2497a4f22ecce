"""Sending messages to a mail server; a password is sent only over an encrypted or local connection."""

import ipaddress
import smtplib
import ssl
from email.message import EmailMessage
from urllib.parse import SplitResult, unquote, urlsplit

from e2i_assets.core.errors import E2iError

_SECONDS = 10.0


class MailNotSent(E2iError):
    """The message was not sent or not accepted; the reason contains no secret."""


def send(message: EmailMessage, url: str) -> None:
    """Send a message through a mail server.

    Args:
        message: The message with its recipients.
        url: smtp:// or smtps://, with user name and password if the server requires them.

    Raises:
        MailNotSent: The message was not accepted, or the password could not be sent securely.
    """
    address = urlsplit(url)
    try:
        with _connected(address) as server:
            if address.username:
                server.login(unquote(address.username), unquote(address.password or ""))
            server.send_message(message)
    except ssl.SSLCertVerificationError as error:
        raise MailNotSent(
            f"its certificate is not trusted ({error.verify_message}). Set SSL_CERT_FILE to the certificate of its "
            "issuer, or use the server name that its certificate contains"
        ) from None
    except (smtplib.SMTPException, OSError, UnicodeError) as error:
        # Neither its text nor the chained error: both may repeat what was sent.
        raise MailNotSent(type(error).__name__) from None


def _connected(address: SplitResult) -> smtplib.SMTP:
    """Return a connection, which is encrypted if required."""
    host, port = str(address.hostname), address.port or 0
    if address.scheme == "smtps":
        return smtplib.SMTP_SSL(host, port, timeout=_SECONDS, context=ssl.create_default_context())
    server = smtplib.SMTP(host, port, timeout=_SECONDS)
    try:
        _encrypt(server, is_local=_is_local(host), has_password=bool(address.username))
    except BaseException:
        server.close()
        raise
    return server


def _encrypt(server: smtplib.SMTP, *, is_local: bool, has_password: bool) -> None:
    server.ehlo_or_helo_if_needed()  # the server lists its extensions only in its answer
    # Local connections need no encryption, and a local mail server often has a self-signed certificate.
    if server.has_extn("starttls") and (has_password or not is_local):
        server.starttls(context=ssl.create_default_context())
    elif has_password and not is_local:
        raise MailNotSent("it does not offer TLS, and a password is not sent in clear text: use smtps://")


def _is_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        return host == "localhost"
