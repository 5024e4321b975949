"""Chunks on PostgreSQL: the facts and verdicts that are new, the chunk, and its one audit entry, in one transaction."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from psycopg_pool import AsyncConnectionPool

from service.audit import AuditEvent, Draft, Entry
from service.db import TENANT_SETTING, lease
from service.decisions.offered import Offered
from service.decisions.packed import Chunk, Given
from service.kernel import Caller, NewId
from service.wire import exchange

AuditStatement = Callable[[Sequence[Entry]], tuple[str, Mapping[str, Any]]]
"""The SQL, and its named parameters, that adds one tenant's entries to the audit log."""

_ENTER: Final = f"SELECT set_config('{TENANT_SETTING}', %(tenant)s, true)"
_FACTS: Final = """
    INSERT INTO facts (tenant, hash, body)
    SELECT DISTINCT ON (hash) %(tenant)s, decode(facts_hash, 'hex') AS hash, facts
    FROM json_to_recordset(%(facts)s::json) AS row (facts_hash text, facts text)
    ORDER BY hash
    ON CONFLICT DO NOTHING
"""
_VERDICTS: Final = """
    INSERT INTO verdict (tenant, revision, facts_hash, body)
    SELECT DISTINCT ON (hash) %(tenant)s, %(revision)s, decode(facts_hash, 'hex') AS hash, verdict
    FROM json_to_recordset(%(verdicts)s::json) AS row (facts_hash text, verdict text)
    ORDER BY hash
    ON CONFLICT DO NOTHING
"""
_BATCH: Final = """
    INSERT INTO batch (tenant, id, channel, purpose, at, revision, overlay_version, actor, request, decisions, body,
                       root, leaves)
    VALUES (%(tenant)s, %(id)s, %(channel)s, %(purpose)s, %(at)s, %(revision)s, %(overlay_version)s, %(actor)s,
            %(request)s, %(decisions)s, %(body)s, %(root)s, %(leaves)s)
"""
_ANSWERS: Final = """
    INSERT INTO batch_answer (tenant, batch, number, permit, facts_hash, verdict_hash, shown, retry_after)
    SELECT %(tenant)s, %(id)s, number, permit, decode(facts_hash, 'hex'), decode(verdict_hash, 'hex'), shown,
        retry_after
    FROM json_to_recordset(%(answers)s::json) AS row (
        number integer, permit boolean, facts_hash text, verdict_hash text, shown text, retry_after text)
"""


class SqlPackedLog:
    """Appends chunks, each durable before `append` returns."""

    def __init__(self, pool: AsyncConnectionPool, audit: AuditStatement, new_id: NewId) -> None:
        self._pool = pool
        self._audit = audit
        self._new_id = new_id
        self._stored = Offered()

    async def append(self, chunk: Chunk, *, by: Caller) -> None:
        heading = chunk.heading
        new = {
            pair: given
            for given in chunk.answers
            if given.facts and (pair := (by.tenant, heading.revision, given.judged.facts_hash)) not in self._stored
        }
        told = {
            **msgspec.structs.asdict(heading),
            "tenant": by.tenant,
            "request": by.request,
            "decisions": chunk.decisions,
            "body": chunk.body,
            "root": chunk.root,
            "leaves": chunk.leaves,
            "answers": _json(_answers(chunk)),
            "facts": _json([_named(given) | {"facts": given.facts.decode()} for given in new.values()]),
            "verdicts": _json([_named(given) | {"verdict": given.judged.body.decode()} for given in new.values()]),
        }
        draft = Draft(event=AuditEvent.BATCH_DECIDED, object_id=str(heading.id), commitment=chunk.commitment())
        entry = Entry.of(draft, by=by, entry_id=self._new_id(), at=heading.at)
        async with lease(self._pool) as connection:
            statements = [(each, told) for each in (_ENTER, _FACTS, _VERDICTS, _BATCH, _ANSWERS)]
            await exchange(connection, [*statements, self._audit([entry])])
        # Only now is it known that they are stored.
        self._stored.remember(new)
        for given in chunk.answers:
            given.facts = b""


def _answers(chunk: Chunk) -> Sequence[dict[str, Any]]:
    return [
        {
            "number": number,
            "permit": given.permit,
            "facts_hash": given.judged.facts_hash.hex(),
            "verdict_hash": given.judged.body_hash.hex(),
            "shown": shown,
            "retry_after": given.opening,
        }
        for number, (given, shown) in enumerate(zip(chunk.answers, chunk.shown, strict=True))
    ]


def _named(given: Given) -> dict[str, str]:
    return {"facts_hash": given.judged.facts_hash.hex()}


def _json(rows: Sequence[Mapping[str, Any]]) -> str:
    return msgspec.json.encode(rows).decode()
