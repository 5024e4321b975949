"""Nothing is sent where it could do harm, whatever a name resolves to and whenever."""

import ipaddress
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult

from service.downstreams.domain import DownstreamUnusable, Fault
from service.downstreams.outgoing import Guard, Outgoing, outgoing
from service.downstreams.ports import NotReached
from tests.downstream import System, listening

LOCAL = [ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")]
INNER = [
    "127.0.0.1", "127.8.8.8", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "100.100.100.200", "0.0.0.0", "224.0.0.1", "255.255.255.255", "192.0.2.1", "198.18.0.1", "::", "::1", "fe80::1",
    "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
    "2002:7f00:1::", "2002:a9fe:a9fe::", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2001:db8::1",
]  # fmt: skip


@pytest.mark.parametrize("address", INNER)
def test_inner_addresses_are_closed(address: str):
    assert not Guard([]).permits(address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.215.14", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"]
)
def test_public_addresses_are_open(address: str):
    assert Guard([]).permits(address)


def test_an_operator_opens_networks_of_their_own_but_never_metadata():
    everything = Guard([ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")])

    assert everything.permits("10.1.2.3")
    assert everything.permits("::ffff:10.1.2.3")
    for address in ("169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254", "fe80::1", "100.100.100.200"):
        assert not everything.permits(address)
    assert not Guard([ipaddress.ip_network("10.1.0.0/16")]).permits("10.2.0.1")


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/", "https://[::1]/", "https://[::ffff:10.0.0.1]:8443/", "https://user@crm.example/",
        "https://user:word@crm.example/", "https:///path", "https://crm.example:0/", "https://crm.example:99999/",
        "https://crm.example/#part", "https://[::1",
    ],
)  # fmt: skip
def test_what_can_be_seen_to_lead_nowhere_is_refused_when_it_is_registered(url: str):
    with pytest.raises(DownstreamUnusable):
        Guard([])(url)


@pytest.fixture
async def system() -> AsyncIterator[System]:
    async with listening(System(lambda _: web.Response(text="hello"))) as system:
        yield system


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0"])
async def test_no_spelling_of_this_machine_is_reached(system: System, host: str):
    url = system.url.replace("127.0.0.1", host)
    async with outgoing(Guard([])) as send:
        with pytest.raises(NotReached) as error:
            await send("POST", url, {}, b"")

    assert error.value.fault in {Fault.FORBIDDEN_ADDRESS, Fault.UNREACHABLE}
    assert system.heard == []


async def test_what_the_operator_opened_is_reached(system: System):
    async with outgoing(Guard(LOCAL)) as send:
        reply = await send("POST", system.url, {}, b"body")

    assert (reply.status, reply.body, system.heard[0].body) == (200, b"hello", b"body")


class Rebinding(AbstractResolver):
    """A name that is public at first and inner afterwards, and one that is both."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = list(answers)

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_INET) -> list[ResolveResult]:
        now = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return [
            ResolveResult(
                hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=socket.AI_NUMERICHOST
            )
            for address in now
        ]

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("answers", [[["127.0.0.1"]], [["1.1.1.1"], ["127.0.0.1"]], [["127.0.0.1", "127.0.0.2"]]])
async def test_a_name_that_turns_to_an_inner_address_is_not_followed(system: System, answers: Any):
    guard = Guard([])
    guard("https://crm.example/")
    resolver = Rebinding(*answers)
    if len(answers) > 1:
        await resolver.resolve("crm.example")
    async with outgoing(guard) as send:
        swap_resolver(send, resolver)
        with pytest.raises(NotReached) as error:
            await send("POST", system.url.replace("127.0.0.1", "crm.example"), {}, b"")

    assert error.value.fault is Fault.FORBIDDEN_ADDRESS
    assert system.heard == []


async def test_a_proxy_of_the_environment_is_not_asked(system: System, monkeypatch: pytest.MonkeyPatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, system.url)
    async with outgoing(Guard([])) as send:
        with pytest.raises(NotReached):
            await send("POST", "http://127.0.0.1:9/", {}, b"")

    assert system.heard == []


def swap_resolver(send: Outgoing, resolver: AbstractResolver) -> None:
    """Have names resolved by a test: no name of this machine can be had to change."""
    connector: Any = send._session.connector
    connector._resolver = resolver
