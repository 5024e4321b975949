"""What can be asked about an erasure: its plan, how far it is, and its certificate."""

from uuid import UUID

import msgspec

from service.audit import AuditEvent, ProveEntry, ReceiptSigner, certificate, leaf_hash, origin_of, receipts_of
from service.erasures.domain import Certified, NotAnErasure, NotCertified, Progress
from service.erasures.planning import Planner
from service.erasures.ports import Answers, Begin
from service.kernel import Caller, Clock
from service.requests import RequestUnknown, Right


class ReadPlan:
    """Show what an erasure does: as it would, or as it was begun, with what was done of it."""

    def __init__(self, begin: Begin, planner: Planner, known: Answers, clock: Clock) -> None:
        self._begin = begin
        self._planner = planner
        self._known = known
        self._clock = clock

    async def __call__(self, request_id: UUID, *, by: Caller) -> Progress:
        """Raises: RequestUnknown, NotAnErasure"""
        async with self._begin(by.tenant) as tx:
            found = await tx.requests.find(request_id)
            if found is None:
                raise RequestUnknown("there is no such request")
            if found[0].right is not Right.ERASURE:
                raise NotAnErasure("the request asks for something else")
            begun = await tx.erasures.find(request_id)
            return Progress(
                plan=await self._planner(tx, found[0], self._clock()) if begun is None else begun.plan,
                done=await tx.erasures.done(request_id),
                outcomes=await self._known.settled(tx, request_id),
                ended_at=None if begun is None else begun.ended_at,
            )


class ReadCertificate:
    """Sign what was done, with the proof that the log committed to it."""

    def __init__(self, begin: Begin, prove: ProveEntry, sign: ReceiptSigner, log: str, clock: Clock) -> None:
        """`log` is the log's name; with a tenant's it makes the issuer."""
        self._begin = begin
        self._prove = prove
        self._sign = sign
        self._log = log
        self._clock = clock

    async def __call__(self, request_id: UUID, *, by: Caller) -> Certified:
        """Return the certificate against the newest checkpoint. But for that, `iat` and the key it is always the same.

        Raises:
            RequestUnknown, NotAnErasure, NotCertified, EntryWaits, CheckpointUnknown
            Unavailable: there is no key to sign with.
        """
        async with self._begin(by.tenant) as tx:
            found = await tx.requests.find(request_id)
            erasure = await tx.erasures.find(request_id)
        if found is None:
            raise RequestUnknown("there is no such request")
        if found[0].right is not Right.ERASURE:
            raise NotAnErasure("the request asks for something else")
        if erasure is None or erasure.ended_at is None or erasure.certificate is None:
            raise NotCertified("the erasure is not through")
        proved = await self._prove.of_stored(AuditEvent.ERASURE_CERTIFIED, request_id, erasure.ended_at, by=by)
        origin = origin_of(self._log, by.tenant)
        claims = {
            "iss": origin,
            "jti": str(request_id),
            "leaf": leaf_hash(proved.entry).hex(),
            "iat": int(self._clock().timestamp()),
            "erasure": msgspec.json.decode(erasure.certificate),
        }
        return Certified(jws=certificate(claims, await self._sign(receipts_of(origin))), proof=proved.text)
