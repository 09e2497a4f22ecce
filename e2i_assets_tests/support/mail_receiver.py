"""A mail server that stores the received mails; with a certificate, over TLS as well."""

import ipaddress
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import Message
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, certificate: Path | None, is_encrypted: bool) -> None:
        self.is_encrypted = is_encrypted
        self.messages: list[Message] = []
        # The received SMTP commands, and whether they were encrypted.
        self.in_clear: list[str] = []
        self.encrypted: list[str] = []
        self.tls = None
        if certificate:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(certificate)
        super().__init__(("127.0.0.1", 0), _Conversation)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that do not trust the certificate: the tests expect this."""


class _Conversation(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        self.said = self.server.in_clear
        if self.server.is_encrypted:
            self.encrypt()
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            word = line[:8].split()[0].decode().upper()
            self.said.append(word)
            self.wfile.write(self.answer(word))
            if word == "STARTTLS":
                self.encrypt()
            if word == "QUIT":
                return

    def finish(self) -> None:
        super().finish()
        self.connection.close()  # the encrypted socket, which the server does not know otherwise

    def answer(self, word: str) -> bytes:
        is_encrypted = self.said is self.server.encrypted
        if word == "EHLO":
            offered = b"" if self.server.tls is None or is_encrypted else b"250-STARTTLS\r\n"
            return b"250-here\r\n" + offered + b"250 AUTH PLAIN\r\n"
        if word == "DATA":
            self.wfile.write(b"354 go on\r\n")
            lines = []
            while (part := self.rfile.readline()) not in (b".\r\n", b""):
                lines.append(part)
            self.server.messages.append(message_from_bytes(b"".join(lines)))
        return {"QUIT": b"221 bye\r\n", "STARTTLS": b"220 go on\r\n", "AUTH": b"235 you\r\n"}.get(word, b"250 ok\r\n")

    def encrypt(self) -> None:
        assert self.server.tls is not None
        self.request = self.connection = self.server.tls.wrap_socket(self.request, server_side=True)
        self.rfile, self.wfile = self.request.makefile("rb"), self.request.makefile("wb", buffering=0)
        self.said = self.server.encrypted


@contextmanager
def mail_receiver(certificate: Path | None = None, *, is_encrypted: bool = False) -> Iterator[_Server]:
    """Listen on a free port of this machine; with a certificate, offer STARTTLS or use TLS from the beginning."""
    with _Server(certificate, is_encrypted) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def self_signed(path: Path) -> Path:
    """Write a self-signed certificate of 127.0.0.1, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "here")])
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(days=1))
        .add_extension(here, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    written = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(written + certificate.public_bytes(Encoding.PEM))
    return path
