from typing import Any

from service.audit import AuditEvent
from service.consent import Profiles, UnknownPurpose, is_tenant_purpose
from service.kernel import Caller, Clock, SubjectId, TenantId
from service.reveals.ports import Begin, Nonce
from service.reveals.token import StandIn, TokenUnknown, digest, written
from service.reveals.usecases import erased, merging, refuse_outsiders
from service.subjects import UnknownSubject
from service.vault import FieldsOf, FieldUnknown, KeyAccess, Name


class IssueToken:
    """Make a stand-in for a value: one purpose, one recipient. Nothing is opened or decided yet."""

    def __init__(
        self,
        profiles: Profiles[Any],
        fields_of: FieldsOf,
        begin: Begin,
        keys: KeyAccess,
        clock: Clock,
        nonce: Nonce,
    ) -> None:
        self._profiles = profiles
        self._fields_of = fields_of
        self._begin = begin
        self._keys = keys
        self._clock = clock
        self._nonce = nonce

    async def __call__(self, *, subject: SubjectId, name: str, purpose: str, recipient: str, by: Caller) -> str:
        """Return the token, which is told this once: only its hash is kept.

        Raises:
            UnknownSubject, SubjectErased, OfficersOnly, UnknownPurpose, FieldUnknown
            RingUnavailable
            Unavailable: they are merged with somebody at this moment. Asking again is safe.
        """
        refuse_outsiders(purpose, by)
        await self._check(name, purpose, by.tenant)
        tenant_key = await self._keys.tenant_key(by.tenant)
        token = written(self._nonce())
        async with self._begin(by.tenant) as tx:
            handle = await tx.subjects.handle_of(subject)
            if handle is None:
                raise UnknownSubject("there is no such subject")
            # Held until this ends: whoever forgets the person meanwhile waits, and finds the token. Who has no key yet
            # gets one, or there would be nothing to hold.
            held = await self._keys.ensure_subject_keys(tx.keys, tenant_key, [handle])
            if await tx.subjects.handle_of(subject) != handle:
                raise merging()
            if handle in held.erased:
                raise erased()
            stand_in = StandIn(digest=digest(token), handle=handle, name=name, purpose=purpose, recipient=recipient)
            await tx.tokens.add(stand_in, actor=by.actor, at=self._clock())
            await tx.audit.append(
                event=AuditEvent.VAULT_TOKEN_ISSUED, object_id=stand_in.digest.hex(), by=by, subject=handle
            )
        return token

    async def _check(self, name: str, purpose: str, tenant: TenantId) -> None:
        """Refuse what no reveal could ever be asked for."""
        if is_tenant_purpose(purpose) and await self._profiles.maps_to(tenant, purpose) is None:
            raise UnknownPurpose("no purpose of this name is registered", pointers=["/purpose"])
        if Name.of(name).field not in await self._fields_of(tenant):
            raise FieldUnknown("there is no such field", pointers=["/field"])


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
