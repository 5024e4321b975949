"""Agents of the Data Rights Protocol: who they are is in the network's directory, what they ask for is signed."""

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Final
from uuid import UUID

import msgspec
from msgspec import Struct

from service.audit import AuditEvent
from service.doors.domain import Door, DoorClosed, Status, Tables
from service.doors.drp import (
    REVOCABLE,
    AgentRefused,
    AgentUnknown,
    DrpStatus,
    Envelope,
    check,
    claims_of,
    intake_of,
    opened,
    revocation_of,
    stands,
)
from service.doors.ports import Agent, Begin, Directory, RandomBytes, Verifies
from service.doors.usecases import ReadIntake, TakeBack, TakeIn
from service.kernel import Caller, Clock, TenantId, TenantName

_TOKEN: Final = 32
"""Random bytes of a token."""


class Network(Struct, frozen=True):
    """The network of agents, and which tenant each of its businesses is."""

    directory: Directory
    businesses: Mapping[str, str]


class Admitted(Struct, frozen=True):
    """An agent who showed the token that a tenant gave them."""

    agent: str
    by: Caller


class Agents:
    """Gives agents tokens, and knows them by these."""

    def __init__(
        self, begin: Begin, network: Network | None, verify: Verifies, random: RandomBytes, clock: Clock
    ) -> None:
        """Without a `network` the door is closed."""
        self._begin = begin
        self._network = network
        self._verify = verify
        self._random = random
        self._clock = clock

    @property
    def network(self) -> Network:
        """Raises: DoorClosed"""
        if self._network is None:
            raise DoorClosed("the operator has not set up the Data Rights Protocol")
        return self._network

    async def token(self, agent: str, text: bytes, *, request: str) -> str:
        """Return a new token for an agent, who signed for it; the one before ends (section 2.05).

        Raises:
            DoorClosed, DrpUnusable, Unavailable
            AgentRefused: likewise where the message is not newer than the one before: it may be a copy.
        """
        network, envelope = self.network, opened(text)
        await self.check(agent, envelope)
        claims, now = claims_of(envelope.body), self._clock()
        tenant = check(claims, agent, None, network.businesses, now)
        if tenant is None:
            raise AgentRefused("the message is for another business")
        token = f"{tenant}.{urlsafe_b64encode(self._random(_TOKEN)).decode().rstrip('=')}"
        by = Caller(tenant=tenant, actor=_actor(agent), request=request)
        made = Agent(agent=agent, token=_digest(token), issued_at=claims.issued_at, made_at=now)
        async with self._begin(tenant) as tx:
            if not await tx.doors.put_agent(made):
                raise AgentRefused("the message is not newer than the one before")
            await tx.audit.append(event=AuditEvent.DOOR_TOKEN_MADE, object_id=agent, by=by)
        return token

    async def admit(self, authorization: str, *, request: str) -> Admitted:
        """Return whose token it is.

        Raises:
            DoorClosed, AgentUnknown
        """
        _ = self.network
        scheme, _, token = authorization.partition(" ")
        name = token.partition(".")[0]
        try:
            tenant = TenantId(msgspec.convert(name, TenantName))
        except msgspec.ValidationError:
            tenant = None
        if scheme.lower() != "bearer" or tenant is None:
            raise AgentUnknown("a token of an agent is required")
        async with self._begin(tenant) as tx:
            known = await tx.doors.agent_with(_digest(token))
        if known is None:
            raise AgentUnknown("no agent has this token")
        return Admitted(known.agent, Caller(tenant=tenant, actor=_actor(known.agent), request=request))

    async def check(self, agent: str, envelope: Envelope) -> None:
        """Return if an agent of the network signed a message.

        Raises:
            AgentRefused
            Unavailable: nobody can say who is in the network.
        """
        key = await self.network.directory(agent)
        if key is None or not self._verify(key, envelope.signature, envelope.body):
            raise AgentRefused("the message is not signed by this agent")


class Drp:
    """Answers agents."""

    def __init__(
        self,
        agents: Agents,
        take_in: TakeIn,
        read: ReadIntake,
        take_back: TakeBack,
        begin: Begin,
        tables: Tables,
        clock: Clock,
    ) -> None:
        self._agents = agents
        self._take_in = take_in
        self._read = read
        self._take_back = take_back
        self._begin = begin
        self._tables = tables
        self._clock = clock

    async def exercise(self, authorization: str, text: bytes, *, request: str) -> DrpStatus:
        """Take a request in (section 2.01), checked in the order of section 3.07.

        Raises:
            DoorClosed, AgentUnknown, AgentRefused, DrpUnusable, Unavailable, and what `TakeIn` raises.
        """
        admitted = await self._agents.admit(authorization, request=request)
        envelope = opened(text)
        await self._agents.check(admitted.agent, envelope)
        businesses, tenant = self._agents.network.businesses, admitted.by.tenant
        check(claims_of(envelope.body), admitted.agent, tenant, businesses, self._clock())
        intake = intake_of(envelope, admitted.agent, self._tables.drp)
        status, _ = await self._take_in(intake, by=admitted.by)
        return stands(status)

    async def status(self, authorization: str, request_id: UUID, *, request: str) -> DrpStatus:
        """Raises: DoorClosed, AgentUnknown, AgentRefused, IntakeUnknown"""
        admitted = await self._agents.admit(authorization, request=request)
        return stands(await self._own(admitted, request_id))

    async def revoke(self, authorization: str, request_id: UUID, text: bytes, *, request: str) -> DrpStatus:
        """Take a request back (section 2.04).

        A message that says when it is good takes back one request and no other.

        Raises:
            DoorClosed, AgentUnknown, AgentRefused, DrpUnusable, IntakeUnknown, IntakeUnderWay, Unavailable
        """
        admitted = await self._agents.admit(authorization, request=request)
        envelope = opened(text)
        await self._agents.check(admitted.agent, envelope)
        said, tenant = revocation_of(envelope.body), admitted.by.tenant
        check(said, admitted.agent, tenant, self._agents.network.businesses, self._clock())
        await self._own(admitted, request_id)
        if said.issued_at is not None:
            async with self._begin(tenant) as tx:
                if not await tx.doors.revoke(request_id, envelope.digest):
                    raise AgentRefused("the message took back another request")
        await self._take_back(request_id, REVOCABLE, by=admitted.by)
        return stands(await self._own(admitted, request_id))

    async def known(self, authorization: str, agent: str, *, request: str) -> None:
        """Return if the token is that of this agent (section 2.06). Raises: DoorClosed, AgentUnknown, AgentRefused"""
        admitted = await self._agents.admit(authorization, request=request)
        if admitted.agent != agent:
            raise AgentRefused("the token is another agent's")

    async def _own(self, admitted: Admitted, request_id: UUID) -> Status:
        status = await self._read.by_id(Door.DRP, request_id, by=admitted.by)
        if status.taken.sender != admitted.agent:
            raise AgentRefused("the request is another agent's")
        return status


def _actor(agent: str) -> str:
    return f"drp:{agent}"


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()
