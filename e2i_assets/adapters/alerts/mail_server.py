"""Handing a message to a mail server: a password goes only where nobody else can read it."""

import ipaddress
import smtplib
import ssl
from email.message import EmailMessage
from urllib.parse import SplitResult, unquote, urlsplit

from e2i_assets.core.errors import E2iError

_SECONDS = 10.0


class MailNotSent(E2iError):
    """A message that a mail server did not take, or was not given; why, in words that hold no secret."""


def send(message: EmailMessage, url: str) -> None:
    """Hand a message to a server.

    Args:
        message: With its recipients.
        url: smtp:// or smtps://, with user name and password where the server asks for them.

    Raises:
        MailNotSent: It was not taken, or the password could not be given in secret.
    """
    address = urlsplit(url)
    try:
        with _connected(address) as server:
            if address.username:
                server.login(unquote(address.username), unquote(address.password or ""))
            server.send_message(message)
    except ssl.SSLCertVerificationError as error:
        raise MailNotSent(
            f"its certificate is not trusted ({error.verify_message}). Name the file of whoever signed it in "
            "SSL_CERT_FILE, or the server by the name that is in its certificate"
        ) from None
    except (smtplib.SMTPException, OSError, UnicodeError) as error:
        # Not its text, and not chained: both may repeat what was sent.
        raise MailNotSent(type(error).__name__) from None


def _connected(address: SplitResult) -> smtplib.SMTP:
    """Return a connection that is encrypted where it has to be."""
    host, port = str(address.hostname), address.port or 0
    if address.scheme == "smtps":
        return smtplib.SMTP_SSL(host, port, timeout=_SECONDS, context=ssl.create_default_context())
    server = smtplib.SMTP(host, port, timeout=_SECONDS)
    try:
        _encrypt(server, is_here=_is_here(host), has_password=bool(address.username))
    except BaseException:
        server.close()
        raise
    return server


def _encrypt(server: smtplib.SMTP, *, is_here: bool, has_password: bool) -> None:
    server.ehlo_or_helo_if_needed()  # a server says only in its answer what it offers
    # Nobody listens between two programs of this machine, whose mail server often has a certificate that nobody signed.
    if server.has_extn("starttls") and (has_password or not is_here):
        server.starttls(context=ssl.create_default_context())
    elif has_password and not is_here:
        raise MailNotSent("it offers no TLS, and gets no password in the clear: use smtps://, or a server that has it")


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        return host == "localhost"
