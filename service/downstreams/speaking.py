"""Who speaks for a system: the client whose token it registered, or whoever signs with its secret."""

from service.downstreams.domain import SignatureRefused, TaskUnknown
from service.downstreams.ports import Begin, DownstreamTransaction
from service.downstreams.signatures import KEPT, Message, verify
from service.downstreams.usecases import Secrets
from service.kernel import Caller, Clock, TenantId
from service.vault import KeyAccess


class Speaking:
    """Refuses who doesn't speak for a system."""

    def __init__(self, begin: Begin, keys: KeyAccess, secrets: Secrets, clock: Clock) -> None:
        self._begin = begin
        self._keys = keys
        self._secrets = secrets
        self._clock = clock

    async def check_client(self, tx: DownstreamTransaction, system: str, by: Caller) -> None:
        """Raises: TaskUnknown, to who speaks for another system"""
        known = await tx.downstreams.find(system)
        if known is None or known.client != by.actor:
            raise TaskUnknown("this client has no such task")

    async def check_message(self, tenant: TenantId, system: str, message: Message) -> None:
        """Refuse what the system didn't sign about now. Ask before the transaction begins.

        Raises:
            SignatureRefused: also where there is no such tenant or system.
        """
        now = self._clock()
        async with self._begin(tenant) as tx:
            stored = await tx.downstreams.secrets(system, now)
        if not stored:
            raise SignatureRefused("the message is not signed by this system, or too old")
        good = self._secrets.opened(await self._keys.box_key(tenant), stored)
        verify(message, [each.shared for each in good], now)

    async def use_up(self, tx: DownstreamTransaction, system: str, message: Message) -> None:
        """Let a message count, once. Raises: SignatureRefused."""
        now = self._clock()
        await tx.downstreams.forget_messages(now - KEPT)
        if not await tx.downstreams.burn(system, message.digest, now):
            raise SignatureRefused("a message of this id came before")
