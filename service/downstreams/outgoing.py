"""How connected systems are asked over HTTP: at public addresses alone, within a time and a length.

Where a socket leads is judged when it is made, so by the very address that it connects to: what a name resolved to
before, or resolves to afterwards, opens no door. No redirect is followed and no proxy is asked.
"""

import errno
import ipaddress
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp

from service.downstreams.domain import DownstreamUnusable, Fault
from service.downstreams.ports import NotReached, Reply

LIMIT: Final = 10.0
"""Seconds for a whole answer."""
_LARGEST: Final = 64 * 1024
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

NEVER: Final = tuple(
    ipaddress.ip_network(each)
    for each in ("169.254.0.0/16", "fe80::/10", "100.100.100.200/32", "fd00:ec2::/32", "fd20:ce::/32", "0.0.0.0/8")
)
"""Where clouds tell machines their secrets, and where no system is. No setting opens these."""


class Guard:
    """Knows which addresses may be asked: public ones, and those in networks that the operator names."""

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = networks

    def permits(self, text: str) -> bool:
        try:
            address = _meant(ipaddress.ip_address(text.partition("%")[0]))
        except ValueError:
            return False
        if any(address in network for network in NEVER) or address.is_multicast or address.is_unspecified:
            return False
        return address.is_global or any(address in network for network in self._networks)

    def __call__(self, url: str) -> None:
        """Refuse what can be seen to lead where nothing may be sent. A name is judged when it is used.

        Raises:
            DownstreamUnusable
        """
        host = _host(url)
        if host is None:
            raise DownstreamUnusable("the URL names no host that can be asked", pointers=["/url"])
        if _is_address(host) and not self.permits(host):
            raise DownstreamUnusable("nothing is sent to this address", pointers=["/url"])

    def socket(self, info: Any) -> socket.socket:
        """Return a socket for an address that may be asked.

        Raises:
            PermissionError: it may not.
        """
        family, kind, protocol, _, place = info
        if not self.permits(str(place[0])):
            raise PermissionError(errno.EACCES, "nothing is sent to this address")
        return socket.socket(family, kind, protocol)


class Outgoing:
    """Asks systems."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def __call__(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
        try:
            async with self._session.request(
                method, url, headers={"accept-encoding": "identity", **headers}, data=body, allow_redirects=False
            ) as answer:
                content = bytearray()
                async for chunk in answer.content.iter_chunked(4096):
                    content += chunk
                    if len(content) > _LARGEST:
                        raise NotReached(Fault.TOO_LONG)
                named = {name.lower(): value for name, value in answer.headers.items()}
                return Reply(status=answer.status, headers=named, body=bytes(content))
        except TimeoutError:
            raise NotReached(Fault.TOO_SLOW) from None
        except aiohttp.ClientConnectorError as error:
            forbidden = error.os_error.errno == errno.EACCES
            raise NotReached(Fault.FORBIDDEN_ADDRESS if forbidden else Fault.UNREACHABLE) from None
        except (aiohttp.ClientError, OSError, ValueError):
            raise NotReached(Fault.UNREACHABLE) from None


@asynccontextmanager
async def outgoing(guard: Guard, *, limit: float = LIMIT) -> AsyncIterator[Outgoing]:
    """Lend what asks systems."""
    connector = aiohttp.TCPConnector(socket_factory=guard.socket, limit=0)
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=limit),
        auto_decompress=False,
        trust_env=False,
    ) as session:
        yield Outgoing(session)


def _host(url: str) -> str | None:
    """Return whom a URL names, without a user and a fragment."""
    try:
        place = urlsplit(url)
        usable = place.port != 0 and place.username is None and not place.fragment
    except ValueError:  # a port that is no number
        return None
    return place.hostname if usable else None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _meant(address: Address) -> Address:
    """Return the address of version 4 that one of version 6 stands for: mapped, 6to4, Teredo, NAT64."""
    if not isinstance(address, ipaddress.IPv6Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None) or address


_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
