"""A POST that reaches only what it may: the address is checked as it is connected to, and no redirect is followed.

The name is resolved once and the connection goes to the very address that was checked, so an answer that changes in
between (DNS rebinding) changes nothing; TLS still verifies the certificate against the name. Proxies of the
environment are not used: behind one, the address could not be checked.
"""

import http.client
import io
import ipaddress
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from automl_assets.core.errors import ProviderError

NAT64 = ipaddress.ip_network("64:ff9b::/96")
LEAST_SECONDS = 0.05
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class Target:
    """Where a URL leads. `path` may hold secrets and is shown nowhere."""

    tls: bool
    host: str
    port: int
    path: str

    @classmethod
    def of(cls, url: str) -> "Target":
        """The target of an http or https URL.

        Raises:
            ValueError: it is none, or carries a user name: that belongs in a header.
        """
        if not url.isascii() or not url.isprintable() or " " in url:
            raise ValueError("it has characters that a URL can't have; percent-encode them")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ValueError("its host or port can't be read") from None  # the library's words quote the URL
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("it is no https URL, such as https://hooks.example.com/alerts")
        if parts.username or parts.password:
            raise ValueError("a user or password in the URL is not sent; state the header `Authorization`")
        tls = parts.scheme == "https"
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(tls, parts.hostname, port or (443 if tls else 80), path)


class _Timed(io.RawIOBase):
    """Reads of a socket that end by a deadline all together, however slowly bytes drip."""

    def __init__(self, connected: socket.socket, deadline: float):
        self._socket = connected
        self._deadline = deadline

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """How many bytes came."""
        self._socket.settimeout(_left(self._deadline))
        return self._socket.recv_into(buffer)

    def makefile(self, *_: Any) -> io.BufferedReader:
        """What `HTTPResponse` reads from."""
        return io.BufferedReader(self)


def post(target: Target, body: bytes, headers: Mapping[str, str], *, public_only: bool, seconds: float) -> int:
    """The status that the target answers with; its body is not read.

    Args:
        public_only: refuse addresses that are not reachable by everyone.

    Raises:
        ProviderError: it could not be reached, its address is refused, or it did not answer in time.
    """
    deadline = time.monotonic() + seconds
    try:
        with _connected(target, public_only, deadline) as plain, _secured(plain, target, deadline) as connected:
            connection = http.client.HTTPConnection(target.host, target.port)
            connection.default_port = 443 if target.tls else 80  # pyright: ignore[reportAttributeAccessIssue]
            connection.sock = connected
            connection.request("POST", target.path, body, {**headers, "Connection": "close"})
            response = http.client.HTTPResponse(_Timed(connected, deadline), method="POST")  # pyright: ignore
            response.begin()
            return response.status
    except TimeoutError as error:
        raise _refusal(target, f"did not answer within {seconds:g} s") from error
    except ssl.SSLError as error:
        raise _refusal(target, f"showed no valid certificate ({error.reason or type(error).__name__})") from error
    except (OSError, http.client.HTTPException) as error:
        raise _refusal(target, f"can't be reached ({_reason(error)})") from error


def _connected(target: Target, public_only: bool, deadline: float) -> socket.socket:
    """A connection to the first of the host's addresses that may be and can be reached."""
    found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    allowed = [item for item in found if not public_only or is_public(str(item[4][0]))]
    if not allowed:
        raise ProviderError(
            f"{target.host} resolves to a private address.",
            where=target.host,
            remedy="Set `allow_private: true` if this is meant.",
            code="private_address",
        )
    failure = OSError("no address")
    for family, kind, protocol, _, address in allowed:
        connecting = socket.socket(family, kind, protocol)
        try:
            connecting.settimeout(_left(deadline))
            connecting.connect(address)
        except OSError as error:
            connecting.close()
            failure = error
        else:
            return connecting
    raise failure


def _secured(plain: socket.socket, target: Target, deadline: float) -> socket.socket:
    if not target.tls:
        return plain
    plain.settimeout(_left(deadline))
    return ssl.create_default_context().wrap_socket(plain, server_hostname=target.host)


def is_public(address: str) -> bool:
    """Whether an address is one of the open Internet: not private, loopback, link-local, multicast or reserved.

    An IPv6 address that stands for an IPv4 address is judged as that.
    """
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        inner = _inner(parsed)
        if inner is not None:
            return is_public(str(inner))
        if parsed.is_site_local:
            return False
    return parsed.is_global and not (parsed.is_multicast or parsed.is_reserved)


def _inner(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)


def _left(deadline: float) -> float:
    """Seconds until the deadline.

    Raises:
        TimeoutError: it has passed.
    """
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return max(left, LEAST_SECONDS)


def _refusal(target: Target, what: str) -> ProviderError:
    return ProviderError(f"{target.host} {what}.", where=target.host, remedy="It is tried again later.")


def _reason(error: Exception) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
