from collections.abc import Sequence

from service.audit import AuditEvent
from service.downstreams.domain import (
    OVERLAP,
    Downstream,
    DownstreamBusy,
    DownstreamUnknown,
    ShownSecret,
    StoredSecret,
)
from service.downstreams.ports import (
    Allowed,
    Begin,
    Certified,
    DownstreamTransaction,
    RandomBytes,
    Signing,
)
from service.downstreams.signatures import SECRET_BYTES, Keys, public_key
from service.kernel import Caller, Clock, NewId
from service.vault import BoxKey, BoxPlace, KeyAccess, OpenBox, SealBox

SECRETS = "downstream.secret"
"""What boxes with secrets are called."""


class Secrets:
    """Makes the secrets of systems, and opens them for use."""

    def __init__(
        self, keys: KeyAccess, seal: SealBox, unseal: OpenBox, signing: Signing, random: RandomBytes, new_id: NewId
    ) -> None:
        self._keys = keys
        self._seal = seal
        self._unseal = unseal
        self._signing = signing
        self._random = random
        self._new_id = new_id

    async def make(self, by: Caller, clock: Clock) -> tuple[StoredSecret, ShownSecret]:
        """Return a new secret, sealed and in plain."""
        both, id_ = self._random(2 * SECRET_BYTES), self._new_id()
        made, public = Keys.of(both), public_key(self._signing.public(both[SECRET_BYTES:]))
        sealed = self._seal(await self._keys.box_key(by.tenant), BoxPlace(kind=SECRETS, id=id_), both)
        stored = StoredSecret(id=id_, sealed=sealed, public_key=public, made_at=clock(), ends_at=None)
        return stored, ShownSecret(secret=made.secret, public_key=public)

    def signature(self, keys: Keys, content: bytes) -> bytes:
        return self._signing.sign(keys.seed, content)

    def opened(self, key: BoxKey, secrets: Sequence[StoredSecret]) -> Sequence[Keys]:
        """Return secrets in plain. Raises Unreadable."""
        return [Keys.of(self._unseal(key, BoxPlace(kind=SECRETS, id=each.id), each.sealed)) for each in secrets]


class PutDownstream:
    """Register a system, or change what is said of it. A new one gets a secret, which is shown this once."""

    def __init__(
        self, begin: Begin, secrets: Secrets, allowed: Allowed, certified: Certified, clock: Clock, *, http: bool
    ) -> None:
        """`allowed` refuses addresses, `certified` certificates; with `http` an address may do without TLS."""
        self._begin = begin
        self._secrets = secrets
        self._allowed = allowed
        self._certified = certified
        self._clock = clock
        self._http = http

    async def __call__(self, said: Downstream, *, by: Caller) -> ShownSecret | None:
        """Return the secret of a new system.

        Raises:
            DownstreamUnusable
            DownstreamBusy: another kind of system, which owes answers to tasks.
        """
        said.check(http=self._http)
        if said.url is not None:
            self._allowed(said.url)
        if said.certificate is not None and said.domain is not None:
            self._certified(said.certificate, said.domain, self._clock())
        secret, shown = await self._secrets.make(by, self._clock)
        async with self._begin(by.tenant) as tx:
            before = await tx.downstreams.put(said, at=self._clock(), actor=by.actor)
            if before == said:
                return None
            if before is not None and before.kind is not said.kind and await tx.downstreams.unsettled(said.name):
                raise DownstreamBusy("it has not answered every task of its kind yet")
            if before is None:
                await tx.downstreams.add_secret(said.name, secret, ends_at=self._clock())
            await tx.audit.append(event=AuditEvent.DOWNSTREAM_STORED, object_id=said.name, by=by)
        return shown if before is None else None


class MakeSecret:
    """Give a system another secret, shown this once. The one before is good for some days more."""

    def __init__(self, begin: Begin, secrets: Secrets, clock: Clock) -> None:
        self._begin = begin
        self._secrets = secrets
        self._clock = clock

    async def __call__(self, name: str, *, by: Caller) -> ShownSecret:
        """Raises: DownstreamUnknown"""
        secret, shown = await self._secrets.make(by, self._clock)
        async with self._begin(by.tenant) as tx:
            await registered(tx, name, hold=True)
            await tx.downstreams.add_secret(name, secret, ends_at=self._clock() + OVERLAP)
            await tx.audit.append(event=AuditEvent.DOWNSTREAM_SECRET_MADE, object_id=name, by=by)
        return shown


class ReadDownstream:
    def __init__(self, begin: Begin, clock: Clock) -> None:
        self._begin = begin
        self._clock = clock

    async def __call__(self, name: str, *, by: Caller) -> tuple[Downstream, Sequence[StoredSecret]]:
        """Return a system and the secrets that are good, the newest first.

        Raises:
            DownstreamUnknown
        """
        async with self._begin(by.tenant) as tx:
            return await registered(tx, name), await tx.downstreams.secrets(name, self._clock())


class ReadDownstreams:
    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    async def __call__(self, *, after: str | None, limit: int, by: Caller) -> tuple[Sequence[Downstream], str | None]:
        """Return systems by their names, and where to go on."""
        async with self._begin(by.tenant) as tx:
            found = await tx.downstreams.page(after=after, limit=limit + 1)
        return found[:limit], found[limit - 1].name if len(found) > limit else None


class DeleteDownstream:
    """Forget a system. What it was told, and what it answered, stays on record."""

    def __init__(self, begin: Begin) -> None:
        self._begin = begin

    async def __call__(self, name: str, *, by: Caller) -> None:
        """Raises: DownstreamUnknown, DownstreamBusy"""
        async with self._begin(by.tenant) as tx:
            await registered(tx, name, hold=True)
            if await tx.downstreams.unsettled(name):
                raise DownstreamBusy("it has not answered every task yet")
            await tx.downstreams.drop(name)
            await tx.audit.append(event=AuditEvent.DOWNSTREAM_DELETED, object_id=name, by=by)


async def registered(tx: DownstreamTransaction, name: str, *, hold: bool = False) -> Downstream:
    """Return a system. Raises DownstreamUnknown."""
    known = await tx.downstreams.find(name, hold=hold)
    if known is None:
        raise DownstreamUnknown("no system of this name is registered")
    return known
