"""Real servers on loopback: HTTP with or without TLS, and SMTP."""

import datetime
import http.server
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message as Mail
from email.parser import BytesParser
from http.client import HTTPMessage
from ipaddress import ip_address
from pathlib import Path


@dataclass
class Heard:
    """A request as it came."""

    path: str
    headers: HTTPMessage
    body: bytes


@dataclass
class Endpoint:
    """An HTTP server that answers with one status after another, the last one for ever, and remembers what it heard."""

    statuses: list[int] = field(default_factory=lambda: [200])
    headers: dict[str, str] = field(default_factory=dict)
    silent: threading.Event | None = None
    drip: bool = False
    heard: list[Heard] = field(default_factory=list)
    port: int = 0

    def url(self, host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}/hooks/s3cret-path?token=s3cret"


@contextmanager
def serving(endpoint: Endpoint, certificate: Path | None = None) -> Iterator[Endpoint]:
    """The endpoint, while it listens."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            endpoint.heard.append(Heard(self.path, self.headers, body))
            if endpoint.silent is not None:
                endpoint.silent.wait(30)
            if endpoint.drip:
                self._drip()
                return
            status = endpoint.statuses.pop(0) if len(endpoint.statuses) > 1 else endpoint.statuses[0]
            self.send_response(status)
            for name, value in endpoint.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(b"s3cret of the receiver")

        def _drip(self) -> None:
            stop = threading.Event()
            try:
                self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
                while not stop.wait(0.02):
                    self.wfile.write(b"x")
            except OSError:
                return

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            pass

    with Server(("127.0.0.1", 0), Handler) as server:
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        endpoint.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield endpoint
        finally:
            if endpoint.silent is not None:
                endpoint.silent.set()
            server.shutdown()
            thread.join()


def self_signed(folder: Path, host: str) -> Path:
    """A certificate for a host and its key, in one PEM file."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    names: list[x509.GeneralName] = [x509.DNSName(host)]
    if host.replace(".", "").isdigit():
        names = [x509.IPAddress(ip_address(host))]
    today = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{host}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return file


@dataclass
class Mailbox:
    """What an SMTP server was given: (recipients, mail)."""

    mails: list[tuple[list[str], Mail]] = field(default_factory=list)
    refuses: bool = False
    port: int = 0


@contextmanager
def receiving(mailbox: Mailbox) -> Iterator[Mailbox]:
    """An SMTP server (RFC 5321, as much as a mail needs) that fills the mailbox."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            recipients: list[str] = []
            self._say(b"220 here")
            while line := self.rfile.readline().strip():
                verb = line.split()[0].upper()
                if verb == b"RCPT":
                    recipients.append(line.partition(b"<")[2].partition(b">")[0].decode())
                if verb == b"DATA":
                    self._say(b"354 go on")
                    mailbox.mails.append((recipients, BytesParser().parsebytes(self._text())))
                    recipients = []
                self._say(
                    b"554 no" if mailbox.refuses and verb == b"MAIL" else b"221 bye" if verb == b"QUIT" else b"250 ok"
                )

        def _text(self) -> bytes:
            lines: list[bytes] = []
            while (line := self.rfile.readline()) != b".\r\n":
                lines.append(line)
            return b"".join(lines)

        def _say(self, words: bytes) -> None:
            self.wfile.write(words + b"\r\n")

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    with Server(("127.0.0.1", 0), Handler) as server:
        mailbox.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield mailbox
        finally:
            server.shutdown()
            thread.join()
