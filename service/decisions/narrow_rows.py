"""Narrow rows on PostgreSQL. Ids travel as one joined string, and each row comes back as one string of bytes."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import msgspec
from psycopg_pool import AsyncConnectionPool

from service.audit import NOBODYS, Secret
from service.consent import EMPTY, FORMAT, Alongside, Profile, StateUnreadable, state_in, state_out
from service.db import TENANT_SETTING, lease
from service.decisions.batch_ports import Known, Row
from service.decisions.domain import Flags
from service.decisions.narrow import LENGTH, Narrow
from service.decisions.overlay import InForce
from service.kernel import Handle, SubjectId, TenantId
from service.subjects import NO_FLAGS, SubjectFacts
from service.wire import Rows, Statement, exchange

_ENTER: Final = f"SELECT set_config('{TENANT_SETTING}', %(tenant)s, true)"
_ROWS: Final = """
    SELECT uuid_send(who.handle) || coalesce(hidden.secret, %(without)s::bytea) || who.frame || who.days
    FROM unnest(string_to_array(%(names)s, ',')) WITH ORDINALITY AS asked (subject, place)
    LEFT JOIN LATERAL (
        SELECT handle, frame, days FROM narrow WHERE tenant = %(tenant)s AND subject = asked.subject OFFSET 0
    ) AS who ON true
    LEFT JOIN LATERAL (
        SELECT secret FROM commitment_secret WHERE tenant = %(tenant)s AND handle = who.handle OFFSET 0
    ) AS hidden ON true
    ORDER BY asked.place
"""
"""Here and below `OFFSET 0` and `FOR SHARE` have each looked up by itself. Joined, PostgreSQL would rather read all
that the tenant has while it knows little of it."""
_OWN: Final = "SELECT secret FROM commitment_secret WHERE tenant = %(tenant)s AND handle = %(nobody)s"
_FRAMES: Final = """
    SELECT hash, body FROM frame
    WHERE tenant = %(tenant)s AND hash IN (
        SELECT decode(name, 'hex') FROM unnest(string_to_array(%(names)s, ',')) AS name
    )
"""
_KNOWN: Final = """
    SELECT who.subject, who.handle, who.version, who.facts, who.flags, will.version, will.state, hidden.secret,
        concat_ws(' ', who.xmin, who.ctid, will.xmin, will.ctid)
    FROM unnest(string_to_array(%(names)s, ',')) AS asked (subject)
    CROSS JOIN LATERAL (
        SELECT *, xmin, ctid FROM subject WHERE tenant = %(tenant)s AND subject = asked.subject OFFSET 0
    ) AS who
    LEFT JOIN LATERAL (
        SELECT *, xmin, ctid FROM consent_state WHERE tenant = %(tenant)s AND handle = who.handle OFFSET 0
    ) AS will ON true
    LEFT JOIN LATERAL (
        SELECT secret FROM commitment_secret WHERE tenant = %(tenant)s AND handle = who.handle OFFSET 0
    ) AS hidden ON true
"""
_VERDICTS: Final = """
    SELECT facts_hash, body FROM verdict
    WHERE tenant = %(tenant)s AND revision = %(revision)s AND facts_hash IN (
        SELECT decode(name, 'hex') FROM unnest(string_to_array(%(names)s, ',')) AS name
    )
"""
_KEEP_FRAMES: Final = """
    INSERT INTO frame (tenant, hash, body)
    SELECT %(tenant)s, decode(hash, 'hex'), convert_to(body, 'UTF8')
    FROM json_to_recordset(%(frames)s::json) AS new (hash text, body text)
    ORDER BY hash
    ON CONFLICT DO NOTHING
"""
_FIRST: Final = """
    INSERT INTO consent_state (tenant, handle, version, state, updated_at)
    SELECT %(tenant)s, who.handle, %(format)s, %(nothing)s, clock_timestamp()
    FROM json_to_recordset(%(rows)s::json) AS new (subject text, stamp text)
    CROSS JOIN LATERAL (
        SELECT handle, concat_ws(' ', xmin, ctid) AS stamp FROM subject
        WHERE tenant = %(tenant)s AND subject = new.subject OFFSET 0
    ) AS who
    WHERE who.stamp = new.stamp
    ORDER BY who.handle
    ON CONFLICT DO NOTHING
"""
"""A state for those who have none: their first record has to meet something that it changes."""
_KEEP: Final = """
    WITH new AS MATERIALIZED (
        SELECT * FROM json_to_recordset(%(rows)s::json) AS new (
            subject text, handle uuid, stamp text, frame text, days text
        )
    ), held AS MATERIALIZED (
        SELECT new.* FROM new
        CROSS JOIN LATERAL (
            SELECT handle, xmin, ctid FROM subject
            WHERE tenant = %(tenant)s AND subject = new.subject FOR SHARE SKIP LOCKED
        ) AS who
        CROSS JOIN LATERAL (
            SELECT xmin, ctid FROM consent_state
            WHERE tenant = %(tenant)s AND handle = who.handle FOR SHARE SKIP LOCKED
        ) AS will
        WHERE concat_ws(' ', who.xmin, who.ctid, will.xmin, will.ctid) = new.stamp
            OR (concat_ws(' ', who.xmin, who.ctid) = new.stamp AND will.xmin = pg_current_xact_id()::xid)
    )
    INSERT INTO narrow (tenant, subject, handle, frame, days)
    SELECT %(tenant)s, subject, handle, decode(frame, 'hex'), decode(days, 'hex')
    FROM held ORDER BY subject COLLATE "C"
    ON CONFLICT DO NOTHING
"""
"""Of those alone whom nobody has changed since, or is changing: who changes them next takes the row away again."""

_WITHOUT: Final = bytes(32)
"""In the place of a secret, where there is none."""
_SECRET: Final = slice(16, 48)
_FRAME: Final = slice(48, 48 + LENGTH)
_DAYS: Final = slice(48 + LENGTH, None)
_facts: Final = msgspec.json.Decoder(SubjectFacts)
_flags: Final = msgspec.json.Decoder(Flags)


class SqlNarrowRows:
    """Reads and keeps narrow rows, from a pool of the application role."""

    def __init__(self, pool: AsyncConnectionPool, alongside: Alongside[InForce]) -> None:
        self._pool = pool
        self._alongside = alongside

    async def read(
        self, tenant: TenantId, subjects: Sequence[SubjectId]
    ) -> tuple[InForce, Secret | None, Sequence[Row | None]]:
        about = {"tenant": tenant, "names": ",".join(subjects), "nobody": NOBODYS, "without": _WITHOUT}
        *_, beside, own, rows = await self._ask(
            [(each, about) for each in (_ENTER, self._alongside.query, _OWN, _ROWS)]
        )
        return (
            self._alongside.decode(next(iter(beside), ())),
            next((Secret(secret) for (secret,) in own), None),
            [None if row is None else _row(row) for (row,) in rows],
        )

    async def frames(self, tenant: TenantId, names: Collection[bytes]) -> Mapping[bytes, bytes]:
        about = {"tenant": tenant, "names": _hexes(names)}
        _, found = await self._ask([(_ENTER, about), (_FRAMES, about)])
        return {row[0]: row[1] for row in found}

    async def known(self, tenant: TenantId, subjects: Sequence[SubjectId]) -> Mapping[SubjectId, Known]:
        about = {"tenant": tenant, "names": ",".join(subjects)}
        _, found = await self._ask([(_ENTER, about), (_KNOWN, about)])
        return {SubjectId(row[0]): _known(*row[1:]) for row in found}

    async def verdicts(self, tenant: TenantId, revision: str, hashes: Collection[bytes]) -> Mapping[bytes, bytes]:
        about = {"tenant": tenant, "revision": revision, "names": _hexes(hashes)}
        _, found = await self._ask([(_ENTER, about), (_VERDICTS, about)])
        return {key: body.encode() for key, body in found}

    async def keep(self, tenant: TenantId, rows: Sequence[tuple[SubjectId, Known, Narrow]]) -> None:
        frames = {narrow.frame: narrow.body for _, _, narrow in rows if narrow.body}
        new = [
            {
                "subject": subject,
                "handle": known.handle.hex(),
                "stamp": known.stamp,
                "frame": narrow.frame.hex(),
                "days": narrow.days.hex(),
            }
            for subject, known, narrow in rows
        ]
        about = {
            "tenant": tenant,
            "frames": _json([{"hash": name.hex(), "body": body.decode()} for name, body in frames.items()]),
            "rows": _json(new),
            "format": FORMAT,
            "nothing": state_out(EMPTY),
        }
        await self._ask([(each, about) for each in (_ENTER, _KEEP_FRAMES, _FIRST, _KEEP)])

    async def _ask(self, statements: Sequence[Statement]) -> Sequence[Rows]:
        async with lease(self._pool) as connection:
            return await exchange(connection, statements)


def _row(row: bytes) -> Row:
    secret = row[_SECRET]
    return Row(row[:16], None if secret == _WITHOUT else secret, row[_FRAME], row[_DAYS])


def _known(
    handle: Any,
    version: int,
    facts: bytes,
    flags: bytes | None,
    state_format: int | None,
    state: bytes | None,
    secret: bytes | None,
    stamp: str,
) -> Known:
    profile: Profile | StateUnreadable
    try:
        profile = Profile(
            handle=Handle(handle),
            version=version,
            facts=_facts.decode(facts),
            flags=NO_FLAGS if flags is None else _flags.decode(flags),
            state=EMPTY if state is None or state_format is None else state_in(state, version=state_format),
        )
    except StateUnreadable as error:
        profile = error
    except (msgspec.DecodeError, UnicodeDecodeError):
        profile = StateUnreadable("the facts or flags of a subject are damaged")
    return Known(profile=profile, handle=handle.bytes, secret=secret, stamp=stamp)


def _hexes(names: Collection[bytes]) -> str:
    return ",".join(name.hex() for name in names)


def _json(rows: Sequence[Mapping[str, Any]]) -> str:
    return msgspec.json.encode(rows).decode()
