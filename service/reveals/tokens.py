from service.audit import AuditEvent
from service.kernel import Caller, Clock, SubjectId
from service.reveals.ports import Begin, Nonce
from service.reveals.token import StandIn, TokenUnknown, digest, written
from service.reveals.usecases import erased, refuse_outsiders
from service.subjects import UnknownSubject
from service.vault import OpenValues


class IssueToken:
    """Make a stand-in for a value: one purpose, one recipient. Nothing is opened or decided yet."""

    def __init__(self, begin: Begin, open_values: OpenValues, clock: Clock, nonce: Nonce) -> None:
        self._begin = begin
        self._open_values = open_values
        self._clock = clock
        self._nonce = nonce

    async def __call__(self, *, subject: SubjectId, name: str, purpose: str, recipient: str, by: Caller) -> str:
        """Return the token, which is told this once: only its hash is kept.

        Raises:
            UnknownSubject, SubjectErased, OfficersOnly
            RingUnavailable
        """
        refuse_outsiders(purpose, by)
        async with self._begin(by.tenant) as tx:
            handle = await tx.subjects.handle_of(subject)
        if handle is None:
            raise UnknownSubject("there is no such subject")
        if handle in (await self._open_values(by.tenant, {handle: ()})).erased:
            raise erased()
        token = written(self._nonce())
        stand_in = StandIn(digest=digest(token), handle=handle, name=name, purpose=purpose, recipient=recipient)
        async with self._begin(by.tenant) as tx:
            await tx.tokens.add(stand_in, actor=by.actor, at=self._clock())
            await tx.audit.append(
                event=AuditEvent.VAULT_TOKEN_ISSUED, object_id=stand_in.digest.hex(), by=by, subject=handle
            )
        return token


class RevokeToken:
    """Make a token worthless for ever."""

    def __init__(self, begin: Begin, clock: Clock) -> None:
        self._begin = begin
        self._clock = clock

    async def __call__(self, token: str, *, by: Caller) -> None:
        """Revoke the token; again is safe.

        Raises:
            TokenUnknown
        """
        async with self._begin(by.tenant) as tx:
            active = await tx.tokens.find(digest(token))
            known = await tx.tokens.revoke(digest(token), at=self._clock())
            if known is None:
                raise TokenUnknown("there is no such token")
            if active is not None:
                await tx.audit.append(
                    event=AuditEvent.VAULT_TOKEN_REVOKED, object_id=known.digest.hex(), by=by, subject=known.handle
                )
