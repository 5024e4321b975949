"""Permits are given with a decision, verified, used up, and listed when they have ended."""

from collections.abc import Mapping

import msgspec

from service.audit import AuditEvent, ReceiptSigner, jws, kid_of, origin_of, receipts_of
from service.consent import Channel, Profile
from service.decisions.context import Context
from service.decisions.domain import Decision, DecisionUnavailable
from service.decisions.permit_ports import BeginPermits, PublicKeys
from service.decisions.permits import (
    LEEWAY,
    PERMIT_TYPE,
    REVOKED_TYPE,
    Claims,
    NoPermit,
    Permit,
    Verified,
    Verifies,
    Why,
    Wish,
    claims,
    ends,
    kid_in,
    read,
    revocations,
)
from service.decisions.usecases import Decide
from service.kernel import Caller, Clock, NewId, SubjectId, Unavailable


class DecideForPermit:
    """Answer a question about now, and sign the answer for whoever sends, if it is yes."""

    def __init__(self, decide: Decide, begin: BeginPermits, sign: ReceiptSigner, log: str, new_id: NewId) -> None:
        """`log` is the log's name; with a tenant's it makes the issuer."""
        self._decide = decide
        self._begin = begin
        self._sign = sign
        self._log = log
        self._new_id = new_id

    async def __call__(
        self, wish: Wish, *, subject: SubjectId, channel: Channel, purpose: str, context: Context, by: Caller
    ) -> tuple[Decision, str | None]:
        """Return the decision, and the permit that goes with a yes. It is kept before it is told.

        There is none with a no, about somebody nobody has told us about, or where the yes is over within the second.

        Raises:
            what `Decide` raises
            DecisionUnavailable: there is no key to sign with, or the permit can't be kept.
        """
        issuer, audience = origin_of(self._log, by.tenant), wish.audience or by.actor
        try:
            signer = await self._sign(receipts_of(issuer))
            # Before the question: what changes between the two ends the permit, and what changed before is answered.
            async with self._begin(by.tenant) as tx:
                stamp = await tx.permits.stamp(subject)
        except Unavailable as error:
            raise DecisionUnavailable(str(error)) from error
        said: list[Claims] = []

        def issue(decision: Decision, profile: Profile | None) -> Permit | None:
            over = ends(decision)
            if not decision.permit or over is None or stamp is None or profile is None or profile.secret is None:
                return None
            permit = Permit(
                jti=self._new_id(),
                handle=profile.handle,
                decision=decision.id,
                stamp=stamp,
                kid=kid_of(signer),
                issued_at=decision.decided_at,
                expires_at=over,
            )
            said.append(claims(permit, decision, profile.secret, issuer=issuer, audience=audience, wish=wish))
            return permit

        decision = await self._decide(
            subject=subject, channel=channel, purpose=purpose, context=context, at=None, by=by, issue=issue
        )
        return decision, jws(PERMIT_TYPE, msgspec.to_builtins(said[0]), signer) if said else None


class VerifyPermit:
    """Say whether a permit is good, with all that only we know: what was withdrawn, and what was used up."""

    def __init__(self, begin: BeginPermits, keys: PublicKeys, verifies: Verifies, log: str, clock: Clock) -> None:
        self._begin = begin
        self._keys = keys
        self._verifies = verifies
        self._log = log
        self._clock = clock

    async def __call__(self, text: str, wish: Wish, *, burn: bool, by: Caller) -> Verified:
        """Return the answer; with `burn` a permit that is good is good no more.

        Raises:
            Unavailable: nobody can say.
        """
        issuer = origin_of(self._log, by.tenant)
        try:
            said = read(text, issuer, await self._receipt_keys(issuer, by), self._verifies)
        except NoPermit:
            return Verified(why=Why.INVALID, claims=None)
        async with self._begin(by.tenant) as tx:
            kept = await tx.permits.find(said.jti)
            now = self._clock()
            if said.aud != (wish.audience or by.actor):
                return Verified(why=Why.AUDIENCE, claims=said)
            if wish.message is not None and said.message != wish.message:
                return Verified(why=Why.MESSAGE, claims=said)
            if said.exp <= now.timestamp():
                return Verified(why=Why.EXPIRED, claims=said)
            if kept is None:
                return Verified(why=Why.UNKNOWN, claims=said)
            if kept.changed:
                return Verified(why=Why.WITHDRAWN, claims=said)
            if kept.burned_at is not None or (burn and not await tx.permits.burn(said.jti, now)):
                return Verified(why=Why.BURNED, claims=said)
            if burn:
                await tx.audit.append(
                    event=AuditEvent.PERMIT_BURNED, object_id=str(said.jti), by=by, subject=kept.permit.handle
                )
        return Verified(why=None, claims=said, burned=burn)

    async def _receipt_keys(self, issuer: str, by: Caller) -> Mapping[str, bytes]:
        """Return the public halves by `kid`: the line by which others come to believe a key, without its last part."""
        ours = receipts_of(issuer) + "+"
        return {kid_in(line): public for line, public, _ in await self._keys(by.tenant) if line.startswith(ours)}


class ListRevoked:
    """Sign a list of the permits that have ended before their time, for those who verify by themselves."""

    def __init__(self, begin: BeginPermits, sign: ReceiptSigner, log: str, clock: Clock) -> None:
        self._begin = begin
        self._sign = sign
        self._log = log
        self._clock = clock

    async def __call__(self, *, by: Caller) -> str:
        """Return the list: every permit that may still pass for good, and is not.

        Raises:
            Unavailable: nobody can say, or there is no key to sign with.
        """
        issuer = origin_of(self._log, by.tenant)
        signer = await self._sign(receipts_of(issuer))
        now = self._clock()
        async with self._begin(by.tenant) as tx:
            ended = await tx.permits.ended(now - LEEWAY)
            kids = {kid_of(signer), *await tx.permits.kids(now - LEEWAY)}
        return jws(REVOKED_TYPE, revocations(issuer, ended, kids, now), signer)
