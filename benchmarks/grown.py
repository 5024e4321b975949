"""Has an installation grow: subjects, histories, decisions of a year.

Rows are made by SQL from those that the API made, as nobody may but the administrator of the database: a million
subjects would take hours otherwise. Histories are sent, since what they amount to is for the service to say.
"""

import json
import urllib.request
from itertools import count

import psycopg

from benchmarks.bench import SUBJECTS, record
from benchmarks.site import TENANT, Site

HISTORY = 10_000
LONG = 4
"""Subjects with a long history of each kind; as many have one record."""
MONTHS = 12
RESIDENT = {"residence": "DE", "age": 40, "time_zone": "Europe/Berlin"}
AT_ONCE = 250_000

SUBJECT_ROWS = """
    INSERT INTO subject (tenant, subject, handle, created_at, version, facts, flags)
    SELECT tenant, 's' || substr(subject, 2)::integer + {of} * more, md5(handle::text || more)::uuid, created_at,
        version, facts, flags
    FROM subject, generate_series(1, {times}) AS more
"""
STATE_ROWS = """
    INSERT INTO consent_state (tenant, handle, version, state, updated_at)
    SELECT tenant, md5(handle::text || more)::uuid, version, state, updated_at
    FROM consent_state, generate_series(1, {times}) AS more
"""
RECORD_ROWS = """
    INSERT INTO record (tenant, id, handle, ts, received_at, statement)
    SELECT tenant, md5(id::text || more)::uuid, md5(handle::text || more)::uuid, ts, received_at, statement
    FROM record, generate_series(1, {times}) AS more
"""
PAST_MONTHS = """
    DO $$
    DECLARE
        this_month timestamp := date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC');
        current text := 'decision_' || to_char(this_month, 'YYYY_MM');
        past text;
    BEGIN
        EXECUTE format('ALTER TABLE decision DETACH PARTITION %I', current);
        EXECUTE format('ALTER TABLE decision ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', current,
            first_id_of(this_month), first_id_of(this_month + interval '1 month'));
        FOR back IN 1 .. {months} LOOP
            past := 'decision_' || to_char(this_month - make_interval(months => back), 'YYYY_MM');
            EXECUTE format('CREATE TABLE %I PARTITION OF decision FOR VALUES FROM (%L) TO (%L)', past,
                first_id_of(this_month - make_interval(months => back)),
                first_id_of(this_month - make_interval(months => back - 1)));
            PERFORM guard_decision_partition(past);
        END LOOP;
    END $$
"""
LOG_ROWS = """
    WITH kept AS MATERIALIZED (
        SELECT row_number() OVER () - 1 AS place, decision.*, entry.canonical, entry.commitment
        FROM decision JOIN audit_entry AS entry
            ON entry.tenant = decision.tenant AND entry.object_id = decision.id::text
        WHERE decision.tenant = '{tenant}' LIMIT 500
    ), made AS MATERIALIZED (
        SELECT kept.*, since + (until - since) * (number::float / {number}) AS made_at, number
        FROM generate_series(1, {number}) AS number
        JOIN kept ON place = number % (SELECT count(*) FROM kept),
        LATERAL (SELECT {since} AS since, {until} AS until) AS span
    ), named AS MATERIALIZED (
        SELECT *, (lpad(to_hex((extract(epoch FROM made_at) * 1000)::bigint), 12, '0')
            || '7' || substr(md5({salt} || number::text), 1, 3) || '8' || substr(md5({salt} || number::text), 4, 15)
        )::uuid AS new_id FROM made
    ), logged AS (
        INSERT INTO decision (tenant, id, handle, channel, purpose, at, decided_at, permit, revision, facts_hash,
            verdict_hash, records, retry_after, valid_until, actor, request, overlay_version)
        SELECT tenant, new_id, handle, channel, purpose, made_at, made_at, permit, revision, facts_hash,
            verdict_hash, records, retry_after, valid_until, actor, request, overlay_version
        FROM named
    )
    INSERT INTO audit_entry (tenant, id, at, event, object_id, subject, actor, request, commitment, canonical)
    SELECT tenant, new_id, made_at, 'decision.made', new_id::text, handle, actor, request, commitment, canonical
    FROM named
"""


def with_subjects(where: Site, subjects: int) -> None:
    """Have so many subjects: each one that the API made is there again, under other ids."""
    times = subjects // SUBJECTS - 1
    with psycopg.connect(where.past_policies, autocommit=True) as admin:
        admin.execute("SET synchronous_commit = off")
        for rows in (SUBJECT_ROWS, STATE_ROWS, RECORD_ROWS):
            admin.execute(rows.format(of=SUBJECTS, times=times))
        admin.execute("VACUUM ANALYZE")
        admin.execute("CHECKPOINT")


def with_decisions(where: Site, decisions: int) -> None:
    """Have so many decisions, in the months before and the present one, each with its entry."""
    month = "date_trunc('month', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'"
    each = decisions // (MONTHS + 1)
    with psycopg.connect(where.past_policies, autocommit=True) as admin:
        admin.execute("SET synchronous_commit = off; SET work_mem = '128MB'")
        admin.execute(PAST_MONTHS.format(months=MONTHS))
        for back in range(MONTHS, -1, -1):
            since = f"{month} - interval '{back} months'"
            until = "now()" if back == 0 else f"{month} - interval '{back - 1} months'"
            for part in range(0, each, AT_ONCE):
                number, share = min(AT_ONCE, each - part), f"({until} - ({since})) * {part / each}"
                admin.execute(
                    LOG_ROWS.format(
                        tenant=TENANT,
                        number=number,
                        salt=f"'{back}/{part}/'",
                        since=f"{since} + {share}",
                        until=f"{since} + ({until} - ({since})) * {(part + number) / each}",
                    )
                )
        admin.execute("VACUUM ANALYZE")
        admin.execute("CHECKPOINT")


def with_histories(where: Site) -> None:
    """Have subjects `one…` with one record, `same…` with many that say the same, and `long…` with many of all kinds."""
    numbers = count(1_000_000)
    for subject in range(LONG):
        for kind in ("one", "same", "long"):
            send(where, "PUT", f"/v1/subjects/{kind}{subject}", RESIDENT)
            last = record(next(numbers), 0) | {"subject": f"{kind}{subject}", "ts": "2026-11-01T10:00:00+01:00"}
            for part in range(0, 0 if kind == "one" else HISTORY - 1, 1000):
                some = range(part, min(part + 1000, HISTORY - 1))
                send(
                    where,
                    "POST",
                    "/v1/records",
                    {"records": [earlier(next(numbers), f"{kind}{subject}", place, kind) for place in some]},
                )
            send(where, "POST", "/v1/records", {"records": [last]})


def earlier(number: int, subject: str, place: int, kind: str) -> dict[str, object]:
    """Return one of a history: of all kinds, or an opt-in like the last one."""
    at = f"2026-{place // 1000 % 10 + 1:02}-{place % 28 + 1:02}T{place % 9 + 9:02}:00:00+01:00"
    if kind == "same":
        return record(number, 0) | {"subject": subject, "ts": at}
    return record(number, 0) | {
        "subject": subject,
        "ts": at,
        "action": ("opt_in", "opt_in", "opt_out", "purchase")[place % 4],
        "method": ("double_opt_in", "web_form", "paper")[place % 3],
        "notice_version": f"v{place % 7}",
        "channel": ("email", "sms", "phone")[place // 4 % 3],
    }


def send(where: Site, method: str, path: str, body: object) -> None:
    ask = urllib.request.Request(f"http://127.0.0.1:{where.port}{path}", json.dumps(body).encode(), method=method)
    ask.add_header("authorization", f"Bearer {where.token}")
    ask.add_header("content-type", "application/json")
    urllib.request.urlopen(ask, timeout=120).close()
