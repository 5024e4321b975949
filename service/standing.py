"""What the database holds now, and whether the log tells of it: rows that got past it, states, facts and flags.

`committed.py` goes from the entries to what they tell of. This goes the other way, for what was added or turned
without an entry. Whether the entries are those that were signed is for `ExamineLog` to say.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import Final

from msgspec import Struct

from service import subjects
from service.audit import NOBODYS, AuditEvent, Entry, Payload, Position, Secret
from service.audit.examining import TOLD, Findings
from service.committed import UNREADABLE
from service.consent.fold import EMPTY, fold
from service.consent.vocabulary import Vocabulary
from service.kernel import Handle, TenantId
from service.subjects import NO_FACTS, NO_FLAGS, Subject, SubjectFacts
from service.transaction import Begin, Transaction

PEOPLE: Final = 500
"""People in memory, with what the log says about their facts and flags, and with their records."""
_ENTRIES: Final = 5_000
_MEANWHILE: Final = timedelta(seconds=5)
"""How far the clocks of two processes may differ, each of which changed flags of the same person."""
_PATIENCE: Final = "SELECT set_config('statement_timeout', '10min', true)"
_UNTOLD: Final = """
    SELECT {name}, count(*) OVER () FROM {table} AS held
    WHERE held.tenant = %(tenant)s AND {which} AND NOT EXISTS (
        SELECT FROM audit_entry AS entry
        WHERE entry.tenant = %(tenant)s AND entry.event = ANY(%(events)s) AND entry.object_id = {name}
            AND entry.subject IS NOT DISTINCT FROM {whose}
    )
    ORDER BY 1 LIMIT %(most)s
"""
"""One statement sees the rows and the entries of one instant, and hashes both: it needs no more memory for more."""
_NOT_OF_OLD_MERGES: Final = """
    NOT EXISTS (
        SELECT FROM audit_entry AS merged
        WHERE merged.tenant = %(tenant)s AND merged.event = 'subject.merged' AND merged.subject = held.handle
            AND merged.commitment IS NULL
    )
"""
"""Until merges committed to anything, the records that they copied had no entries."""
_NOT_IMPORTED: Final = """
    NOT EXISTS (
        SELECT FROM record_chunk AS chunk CROSS JOIN LATERAL unnest(chunk.records) AS one
        WHERE chunk.tenant = %(tenant)s AND one = held.id
    )
"""
"""Records that were imported together have one entry, which names their chunk."""


class _Rows(Struct, frozen=True, kw_only=True):
    """Rows each of which an entry has to name."""

    table: str
    events: Sequence[AuditEvent]
    name: str = "held.id::text"
    whose: str = "NULL::uuid"
    which: str = "true"


_TOLD: Final = {
    "record": _Rows(
        table="record",
        events=[AuditEvent.RECORD_STORED],
        whose="held.handle",
        which=f"{_NOT_OF_OLD_MERGES} AND {_NOT_IMPORTED}",
    ),
    "imported records": _Rows(table="record_chunk", events=[AuditEvent.RECORD_IMPORTED]),
    "decision": _Rows(table="decision", events=[AuditEvent.DECISION_MADE], whose="held.handle"),
    "batch": _Rows(table="batch", events=[AuditEvent.BATCH_DECIDED]),
    "reveal": _Rows(table="reveal", events=[AuditEvent.VAULT_REVEALED], whose="held.handle"),
    "request": _Rows(
        table="request", events=[AuditEvent.REQUEST_RECEIVED, AuditEvent.REQUEST_JOINED], whose="held.handle"
    ),
    "notice": _Rows(table="notice", events=[AuditEvent.NOTICE_STORED], name="held.notice || '/' || held.version"),
    "purpose": _Rows(table="purpose", events=[AuditEvent.PURPOSE_STORED], name="held.purpose"),
    "overlay": _Rows(table="policy_overlay", events=[AuditEvent.OVERLAY_STORED], name="'overlay.' || held.version"),
    "approval": _Rows(table="reveal_approval", events=[AuditEvent.VAULT_APPROVAL_REQUESTED]),
    "given approval": _Rows(
        table="reveal_approval", events=[AuditEvent.VAULT_APPROVAL_GIVEN], which="held.approved_at IS NOT NULL"
    ),
}
_ABOUT_PEOPLE: Final = (
    AuditEvent.SUBJECT_STORED,
    AuditEvent.SUBJECT_FLAGGED,
    AuditEvent.SUBJECT_UNRESOLVED,
    AuditEvent.SUBJECT_MERGED,
)
_OF_FLAGS: Final = frozenset({AuditEvent.SUBJECT_FLAGGED, AuditEvent.SUBJECT_UNRESOLVED})


class ExamineStanding:
    """Look for what the database holds and the log doesn't account for."""

    def __init__(self, begin: Begin, vocabulary: Vocabulary) -> None:
        """Each transaction of `begin` has to see one instant, or what is written meanwhile seems wrong."""
        self._begin = begin
        self._vocabulary = vocabulary

    async def __call__(self, tenant: TenantId) -> Sequence[str]:
        """Return what was found, in words. None of it repeats what is held."""
        findings = Findings()
        async with self._begin(tenant) as tx:
            await tx.trips(_PATIENCE, {})
            for kind, rows in _TOLD.items():
                await _untold(tx, tenant, kind, rows, findings)
        await self._people(tenant, findings)
        await self._states(tenant, findings)
        return findings.told()

    async def _people(self, tenant: TenantId, findings: Findings) -> None:
        after: Handle | None = None
        while True:
            async with self._begin(tenant) as tx:
                handles = await tx.subjects.handles(after=after, limit=PEOPLE)
                await _each(handles, lambda some: _people(tx, some, findings), findings)
            if len(handles) < PEOPLE:
                return
            after = handles[-1]

    async def _states(self, tenant: TenantId, findings: Findings) -> None:
        after: Handle | None = None
        while True:
            async with self._begin(tenant) as tx:
                handles = await tx.records.handles(after=after, limit=PEOPLE)
                await _each(handles, lambda some: self._folded(tx, some, findings), findings)
            if len(handles) < PEOPLE:
                return
            after = handles[-1]

    async def _folded(self, tx: Transaction, handles: Collection[Handle], findings: Findings) -> None:
        histories, states = await tx.records.histories(handles), await tx.states.several(handles)
        for handle in handles:
            if states.get(handle) != fold(EMPTY, histories.get(handle, ()), self._vocabulary):
                findings.add(f"the state of {handle} is not what the records amount to")


async def _each(
    handles: Sequence[Handle], look: Callable[[Sequence[Handle]], Awaitable[None]], findings: Findings
) -> None:
    """Look at people together, and one by one where something can't be read."""
    try:
        await look(handles)
    except UNREADABLE:
        for handle in handles:
            try:
                await look([handle])
            except UNREADABLE:
                findings.add(f"what is stored of {handle} can't be read")


async def _people(tx: Transaction, handles: Sequence[Handle], findings: Findings) -> None:
    versions, standing = await tx.subjects.versions(handles), await tx.subjects.standing(handles)
    entries, secrets = await _entries(tx, handles), await tx.audit.secrets(handles)
    for each in standing:
        _judge_standing(each, versions.get(each.handle, ()), findings)
        _judge_flags(each, entries.get(each.handle, ()), secrets.get(each.handle), findings)
    for handle, held in versions.items():
        _judge_versions(handle, held, entries.get(handle, ()), secrets.get(handle), findings)


async def _untold(tx: Transaction, tenant: TenantId, kind: str, rows: _Rows, findings: Findings) -> None:
    query = _UNTOLD.format(**{name: getattr(rows, name) for name in ("name", "table", "which", "whose")})
    asked = {"tenant": tenant, "events": [event.value for event in rows.events], "most": TOLD}
    found = await tx.trips(query, asked)
    if found:
        number = found[0][1]
        names = ", ".join(name for name, _ in found) + (", …" if number > len(found) else "")
        findings.add(f"no entry tells of {number} of {kind}: {names}")


async def _entries(tx: Transaction, handles: Collection[Handle]) -> Mapping[Handle, Sequence[Entry]]:
    """Return what the log says about the facts and flags of each, oldest first."""
    found: dict[Handle, list[Entry]] = {}
    after: Position | None = None
    while True:
        page = await tx.subject_log.about(
            handles, _ABOUT_PEOPLE, since=None, until=None, after=after, newest_first=False, limit=_ENTRIES
        )
        for each in page:
            found.setdefault(each.subject or NOBODYS, []).append(each)
        if len(page) < _ENTRIES:
            return found
        after = Position(page[-1].at, page[-1].id)


def _judge_standing(person: Subject, versions: Sequence[tuple[int, SubjectFacts]], findings: Findings) -> None:
    if (person.version, person.facts) != (versions[-1] if versions else (0, NO_FACTS)):
        findings.add(f"the facts by which {person.handle} is judged are not the latest that were stored")


def _judge_versions(
    handle: Handle,
    versions: Sequence[tuple[int, SubjectFacts]],
    entries: Sequence[Entry],
    secret: Secret | None,
    findings: Findings,
) -> None:
    """Find versions for which there is no entry. What can't be opened, or commits to nothing, may be of any."""
    if any(each.event is AuditEvent.SUBJECT_MERGED and each.commitment is None for each in entries):
        return  # it may have stored a version without an entry
    left = [each for each in reversed(entries) if each.event is AuditEvent.SUBJECT_STORED]
    without = []
    for version, facts in reversed(versions):
        payload = subjects.payload_of(handle, version, facts)
        told = next((each for each in left if _commits(each, payload, secret)), None)
        if told is None:
            without.append(str(version))
        else:
            left.remove(told)
    if len(without) > sum(secret is None or each.commitment is None for each in left):
        findings.add(f"no entry tells of version {', '.join(reversed(without))} of the facts of {handle}")


def _judge_flags(person: Subject, entries: Sequence[Entry], secret: Secret | None, findings: Findings) -> None:
    told = [each for each in entries if each.event in _OF_FLAGS or each.commitment is None]
    told = [each for each in told if each.event is not AuditEvent.SUBJECT_STORED]
    if secret is None or (told and told[-1].commitment is None):
        return  # nobody can tell any more what they were to be
    payload = subjects.payload_of_flags(person.handle, person.flags)
    latest = [each for each in told if each.at >= told[-1].at - _MEANWHILE]
    if not any(_commits(each, payload, secret) for each in latest) and (latest or person.flags != NO_FLAGS):
        findings.add(f"the flags of {person.handle} are not what the latest entry commits to")


def _commits(entry: Entry, payload: Payload, secret: Secret | None) -> bool:
    return secret is not None and payload.opened(secret, entry.id).commitment == entry.commitment
