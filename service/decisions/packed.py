"""Many decisions in one row: a chunk.

    id        of the chunk, a UUID whose last 24 bits are nought; that of a decision has its position there
    body      for each decision 28 bytes: the handle, nought for a stranger; the number of its answer, 4 bytes, big
              endian; until when it holds, in microseconds since 1970, 8 bytes, the largest number for ever
    answers   what was answered, each once: permit or not, the hashes of facts and verdict, the next opening
    root      of a tree (RFC 9162, section 2.1) with a leaf for each decision in their order: its id, 16 bytes, and the
              commitment to its payload under the person's secret (`audit/commitments.py`); only the id where there is
              no secret any more
    leaves    of this tree, 32 bytes each: what is proved of one decision needs no other person's secret

So one decision can be shown and proved without any other, and none can be opened once its person is forgotten. The
payload, in JSON per RFC 8785, is all of it but the facts: of those it has a hash under a salt of the chunk's answer.
The audit entry commits to the SHA-256 of the chunk's own JSON (`Chunk.canonical`), in which nobody is named.
"""

import hashlib
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from struct import Struct as Packing
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec import Struct

from service.audit import (
    NOBODYS,
    AuditEvent,
    Member,
    Opened,
    Sought,
    commitment_of,
    leaf_hash,
    path_to,
    salt_of,
    tree_hash,
    withheld,
)
from service.decisions.asking import Judged
from service.decisions.narrow import NEVER, from_micros
from service.kernel import Handle

ROOM: Final = 1 << 24
WIDTH: Final = 28
_PLACE: Final = 3
"""Bytes of an id in which decisions of a chunk differ."""
_STEM: Final = 16 - _PLACE
STRANGER: Final = NOBODYS.bytes
_BREATH: Final = 500
_HASH: Final = 32
_packing: Final = Packing(">16sIq")
_sorted: Final = msgspec.json.Encoder(order="sorted")


Breathe = Callable[[], Awaitable[None]]
"""Lets others have their turn."""


class Given(Struct, kw_only=True):
    """One answer of a chunk, which many got."""

    judged: Judged
    facts: bytes
    """Nothing any more once they are stored."""
    retry_after: datetime | None

    @property
    def permit(self) -> bool:
        return self.judged.verdict.allow

    @property
    def opening(self) -> str | None:
        """The next opening as it is told: one instant in two offsets is equal, and isn't told alike."""
        return None if self.retry_after is None else self.retry_after.isoformat()


class Told(Struct, frozen=True, gc=False):
    """A decision of a chunk."""

    handle: bytes
    secret: bytes | None
    answer: int
    until: int
    """In microseconds since 1970, or `NEVER`."""


class Heading(Struct, frozen=True, kw_only=True):
    """What all decisions of a chunk share."""

    id: UUID
    channel: str
    purpose: str
    at: datetime
    """When the states were read; also when it was decided."""
    revision: str
    overlay_version: int
    actor: str


class Chunk(Struct, frozen=True, kw_only=True):
    """A chunk as it is stored."""

    heading: Heading
    decisions: int
    answers: tuple[Given, ...]
    shown: tuple[str, ...]
    """Of each answer, the hash that stands for its facts."""
    body: bytes
    root: bytes
    leaves: bytes
    """32 bytes for each decision."""

    def commitment(self) -> bytes:
        return hashlib.sha256(canonical(self.heading, self.decisions, self.root)).digest()


class Lying(Struct, frozen=True, kw_only=True):
    """A chunk as it lies in the database. Facts of its answers are left out."""

    heading: Heading
    answers: tuple[Given, ...]
    entries: tuple[tuple[bytes, int, int], ...]
    root: bytes
    leaves: bytes | None
    """None in a chunk of before they were kept."""

    async def commitment(self, secrets: Mapping[bytes, bytes]) -> bytes:
        """Return what its entry has to commit to, by the secrets of its people.

        Where one is gone the leaf can't be made again, and the one that lies there stands; in a chunk without leaves,
        the root.
        """
        told = [Told(handle, secrets.get(handle), answer, until) for handle, answer, until in self.entries]
        chunk = await packed(self.heading, self.answers, told, secrets.get(STRANGER), _without_breath)
        root = chunk.root
        if any(handle not in secrets for handle, _, _ in self.entries):
            root = self.root if self.leaves is None else self._root(divided(chunk.leaves), secrets)
        return hashlib.sha256(canonical(self.heading, chunk.decisions, root)).digest()

    def _root(self, made: Sequence[bytes], secrets: Mapping[bytes, bytes]) -> bytes:
        kept = divided(self.leaves or b"")
        places = zip(self.entries, made, kept, strict=False)
        return tree_hash([leaf if handle in secrets else there for (handle, _, _), leaf, there in places])


class Lone(Struct, frozen=True, kw_only=True):
    """One decision out of a chunk, and what proves it."""

    heading: Heading
    decisions: int
    root: bytes
    leaves: bytes | None
    entry: tuple[bytes, int, int]
    position: int
    given: Given
    """Without facts."""
    shown: str

    @property
    def whose(self) -> Handle:
        """Whose secret opens it: the person's, or the tenant's own for a stranger."""
        return Handle(UUID(bytes=self.entry[0]))

    def sought(self, secret: bytes | None) -> Sought:
        """Return by what its entry is found, and with leaves what proves it alone."""
        heading = self.heading
        member = None
        if self.leaves is not None:
            member = Member(
                index=self.position,
                size=self.decisions,
                path=path_to(divided(self.leaves), self.position),
                opened=None if secret is None else self._opened(secret),
                heading=canonical(heading, self.decisions, self.root),
            )
        return Sought(event=AuditEvent.BATCH_DECIDED, object_id=heading.id, at=heading.at, member=member)

    def _opened(self, secret: bytes) -> Opened:
        handle, number, until = self.entry
        writer = Payloads(self.heading, [self.given], [self.shown], number)
        salt = salt_of(secret, decision_id(self.heading.id, self.position).bytes)
        return Opened(salt, writer.payload(self.position, Told(handle, secret, 0, until)))


async def _without_breath() -> None:
    """Nobody waits."""


def canonical(heading: Heading, decisions: int, root: bytes) -> bytes:
    """Return what the audit entry of a chunk commits to."""
    members = {"decisions": decisions, "root": root.hex()}
    return _sorted.encode(_shared(heading) | members | {"id": heading.id})


def divided(leaves: bytes) -> list[bytes]:
    return [leaves[start : start + _HASH] for start in range(0, len(leaves), _HASH)]


def chunk_id(fresh: UUID) -> UUID:
    """Return the id of a chunk, made of a fresh UUIDv7."""
    return UUID(int=fresh.int & ~(ROOM - 1))


def decision_id(chunk: UUID, position: int) -> UUID:
    return UUID(int=chunk.int | position)


def stem_of(chunk: UUID) -> bytes:
    """Return what the ids of a chunk's decisions begin with, as text; six hexadecimal digits follow."""
    return str(chunk)[:30].encode()


def placed(decision: UUID) -> tuple[UUID, int]:
    """Return the chunk that a decision would be in, and where."""
    return chunk_id(decision), decision.int & (ROOM - 1)


def entry_at(body: bytes, position: int = 0) -> tuple[bytes, int, int]:
    """Return handle, answer and until-when of a decision."""
    handle, answer, until = _packing.unpack_from(body, position * WIDTH)
    return handle, answer, until


def numbers_in(body: bytes) -> Iterator[int]:
    """Yield the number of each decision's answer."""
    return (answer for _, answer, _ in _packing.iter_unpack(body))


def found_in(body: bytes, handles: Collection[bytes]) -> Sequence[int]:
    """Return the positions of the decisions about these handles."""
    places = []
    for handle in handles:
        at = body.find(handle)
        while at >= 0:
            if at % WIDTH == 0:
                places.append(at // WIDTH)
            at = body.find(handle, at + 1)
    return sorted(places)


async def packed(
    heading: Heading, answers: Sequence[Given], told: Sequence[Told], own: bytes | None, breathe: Breathe
) -> Chunk:
    """Return the chunk of decisions; `own` is the tenant's secret, for answers and for strangers."""
    stem = heading.id.bytes[:_STEM]
    shown = tuple(_facts_shown(stem, number, each.judged.facts_hash, own) for number, each in enumerate(answers))
    writer, pack = Payloads(heading, answers, shown), _packing.pack
    body, leaves = bytearray(), list[bytes]()
    for position, each in enumerate(told):
        leaves.append(writer.leaf(position, each, own if each.handle == STRANGER else each.secret))
        body += pack(each.handle, each.answer, each.until)
        if position % _BREATH == 0:
            await breathe()
    return Chunk(
        heading=heading,
        decisions=len(told),
        answers=tuple(answers),
        shown=shown,
        body=bytes(body),
        root=tree_hash(leaves),
        leaves=b"".join(leaves),
    )


class Payloads:
    """Writes the payloads of a chunk: the same bytes as a sorting encoder, from parts that are made once."""

    def __init__(self, heading: Heading, answers: Sequence[Given], shown: Sequence[str], first: int = 0) -> None:
        """`first` is the number of the first answer."""
        text, between = stem_of(heading.id), _Between.of(heading)
        parts = [between.parts(number, *each) for number, each in enumerate(zip(answers, shown, strict=True), first)]
        self._first = [first for first, _, _ in parts]
        self._second = [b'","id":"' + text for _ in parts]
        self._third = [b'",' + second for _, second, _ in parts]
        self._last = [last for _, _, last in parts]
        self._stem = heading.id.bytes[:_STEM]
        self._untils: dict[int, bytes] = {}

    def payload(self, position: int, told: Told) -> bytes:
        answer = told.answer
        if (until := self._untils.get(told.until)) is None:
            until = self._untils[told.until] = _until(told.until)
        if told.handle == STRANGER:
            handle, second = b"null", self._second[answer][1:]
        else:
            name = told.handle.hex()
            handle = f'"{name[:8]}-{name[8:12]}-{name[12:16]}-{name[16:20]}-{name[20:]}'.encode()
            second = self._second[answer]
        return b"%b%b%b%06x%b%b%b" % (
            self._first[answer],
            handle,
            second,
            position,
            self._third[answer],
            until,
            self._last[answer],
        )

    def leaf(self, position: int, told: Told, secret: bytes | None) -> bytes:
        """Return the leaf of a decision."""
        id_ = self._stem + position.to_bytes(_PLACE, "big")
        if secret is None:
            return leaf_hash(id_)
        return leaf_hash(id_ + commitment_of(salt_of(secret, id_), self.payload(position, told)))


class _Between(Struct, frozen=True, kw_only=True):
    """What all payloads of a chunk have between the members in which they differ, as a sorting encoder writes it."""

    answer: bytes
    handle: bytes
    permit: bytes
    retry_after: bytes
    valid_until: bytes

    @classmethod
    def of(cls, heading: Heading) -> "_Between":
        gaps = {"answer": 0, "handle": 0, "id": 0, "permit": 0, "retry_after": 0, "valid_until": 0}
        rest = _sorted.encode(_shared(heading) | gaps | {"batch": heading.id})[:-1] + b","
        before = []
        for gap in (b'"answer":0,', b'"handle":0,"id":0,', b'"permit":0,', b'"retry_after":0,', b'"valid_until":0,'):
            part, rest = rest.split(gap, 1)
            before.append(part)
        return cls(
            answer=before[0] + b'"answer":',
            handle=b"," + before[1] + b'"handle":',
            permit=before[2] + b'"permit":',
            retry_after=b"," + before[3] + b'"retry_after":',
            valid_until=b"," + before[4] + b'"valid_until":',
        )

    def parts(self, number: int, given: Given, shown: str) -> tuple[bytes, bytes, bytes]:
        """Return what stands before, between and behind handle, id and until-when in the payloads of an answer."""
        permit = b"true" if given.permit else b"false"
        retry = _sorted.encode(given.opening)
        return (
            b"%b%d%b" % (self.answer, number, self.handle),
            b"%b%b%b%b%b" % (self.permit, permit, self.retry_after, retry, self.valid_until),
            b',"verdict":%b,"withheld":{"facts":"%b"}}' % (given.judged.body, shown.encode()),
        )


def _shared(heading: Heading) -> dict[str, Any]:
    return {
        "actor": heading.actor,
        "at": heading.at.astimezone(UTC),
        "channel": heading.channel,
        "overlay_version": heading.overlay_version,
        "purpose": heading.purpose,
        "revision": heading.revision,
    }


def _facts_shown(stem: bytes, number: int, facts_hash: bytes, own: bytes | None) -> str:
    """Return what stands for the facts of an answer. Without a secret nothing does: it could be guessed."""
    if own is None:
        return ""
    return withheld(salt_of(own, stem + number.to_bytes(_PLACE, "big"), "facts"), facts_hash).hex()


def _until(until: int) -> bytes:
    return b"null" if until == NEVER else msgspec.json.encode(from_micros(until))
