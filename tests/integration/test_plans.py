"""What is done about a few people, records or values reads those few, also while PostgreSQL knows little of tables."""

import hashlib
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from service.audit import keeping_store
from service.audit import store as audit
from service.consent import profiles
from service.consent import store as consent
from service.subjects import directory
from service.subjects import store as subjects
from service.vault import key_store, store
from tests.conftest import Database

POSITIONS = re.compile(r"%\((\w+)\)s")


TABLES = ("subject", "subject_facts", "consent_state", "record", "commitment_secret", "vault_subject_key", "expired")
PEOPLE, WANTED = 20_000, 1_000
MANY = "FROM generate_series(1, %(people)s) AS n"
FILL = [
    f"INSERT INTO {table} SELECT 'crowded', {columns} {MANY}"
    for table, columns in {
        "subject (tenant, subject, handle, created_at, version, facts)": (
            "'s' || n, md5('h' || n)::uuid, now(), 0, '{}'"
        ),
        "subject_facts (tenant, handle, version, facts, at)": "md5('h' || n)::uuid, 1, '{}', now()",
        "consent_state (tenant, handle, version, state, updated_at)": "md5('h' || n)::uuid, 1, '{}', now()",
        "record (tenant, id, handle, ts, received_at, statement)": (
            "md5('r' || n)::uuid, md5('h' || n)::uuid, now(), now(), '{}'"
        ),
        "commitment_secret (tenant, handle, secret)": "md5('h' || n)::uuid, sha256('')",
        "vault_subject_key (tenant, handle, key_id, tenant_key_version, wrapped, created_at)": (
            "md5('h' || n)::uuid, '', 1, '', now()"
        ),
        "expired (tenant, kind, id, handle, at, expired_at)": (
            "'record', md5('r' || n)::uuid, md5('h' || n)::uuid, now(), now()"
        ),
    }.items()
]
PERSON, RECORD = {"tenant", "handle"}, {"tenant", "id"}
LISTS = {"handles": "h", "ids": "r"}


def numbered(query: str) -> str:
    """Return a statement as the server gets it."""
    names = list(dict.fromkeys(POSITIONS.findall(query)))
    return POSITIONS.sub(lambda found: f"${names.index(found[1]) + 1}", query)


@pytest.mark.parametrize(
    ("query", "table", "by"),
    [
        (store._HEADS, "vault_value", {"tenant", "handle", "field", "label"}),
        (store._HEADS, "vault_suppression", {"tenant", "kind", "digest"}),
        (store._LATEST, "vault_value", {"tenant", "handle", "field", "label"}),
        (store._VERSION, "vault_value", {"tenant", "handle", "field", "label", "version"}),
        (store._HOLDERS, "vault_index", {"tenant", "field", "index_version", "digest"}),
        (store._UNINDEX, "vault_index", {"tenant", "handle", "label"}),
    ],
    ids=["heads", "suppression", "latest", "version", "holders", "unindex"],
)
async def test_each_value_is_looked_up_by_its_key(database: Database, query: str, table: str, by: set[str]):
    with psycopg.connect(database.urls.app) as connection:
        [[plan]] = connection.execute(f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {numbered(query)}").fetchall()
    nodes = list(_nodes(plan[0]["Plan"]))

    assert by in _conditions(nodes, table, by), nodes
    assert not [node for node in nodes if "Hash" in node["Node Type"] or "Bitmap" in node["Node Type"]]


@pytest.fixture(scope="module")
def crowded(database: Database) -> psycopg.Connection:
    """Return a connection of the application to tables with many people, about whom PostgreSQL has not learnt yet."""
    name = urlsplit(database.urls.app).path.removeprefix("/")
    with psycopg.connect(database.urls.admin, dbname=name) as admin:
        for table in TABLES:
            admin.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = false)")
        admin.execute("SET session_replication_role = replica")  # no trigger, no foreign key
        for insertion in FILL:
            admin.execute(insertion, {"people": PEOPLE})
    with psycopg.connect(database.urls.app) as connection:
        connection.execute("SELECT set_config('volens.tenant', 'crowded', false)")
        yield connection


def md5(number: str) -> str:
    return hashlib.md5(number.encode(), usedforsecurity=False).hexdigest()


@pytest.mark.parametrize("wanted", [3, WANTED])
@pytest.mark.parametrize(
    ("query", "table", "by"),
    [
        (profiles._PROFILES, "subject", {"tenant", "subject"}),
        (profiles._PROFILES, "consent_state", PERSON),
        (profiles._PROFILES, "commitment_secret", PERSON),
        (directory._HANDLES, "subject", {"tenant", "subject"}),
        (directory._HELD, "subject", {"tenant", "subject"}),
        (directory._NAMES, "subject", PERSON),
        (subjects._STANDING, "subject", PERSON),
        (subjects._VERSIONS, "subject_facts", PERSON),
        (consent._FIND, "record", RECORD),
        (consent._HISTORIES, "record", PERSON),
        (consent._STATES, "consent_state", PERSON),
        (consent._LOCK, "consent_state", PERSON),
        (audit._SECRETS, "commitment_secret", PERSON),
        (keeping_store._TRACES, "expired", {"tenant", "kind", "id"}),
        (key_store._FIND, "vault_subject_key", PERSON),
        (key_store._HELD, "vault_subject_key", PERSON),
    ],
    ids=lambda each: each if isinstance(each, str) and " " not in each else "",
)
async def test_each_of_many_is_looked_up_by_its_key(crowded, query: str, table: str, by: set[str], wanted: int):
    numbers = range(wanted)
    people = {"subjects": ",".join(f"s{number}" for number in numbers), "tenant": "crowded", "kind": "record"}
    lists = {name: ",".join(md5(f"{letter}{number}") for number in numbers) for name, letter in LISTS.items()}
    [[plan]] = crowded.execute(f"EXPLAIN (FORMAT JSON) {query}", people | {"names": people["subjects"]} | lists)
    nodes = list(_nodes(plan[0]["Plan"]))

    assert _conditions(nodes, table, by) == {frozenset(by)}, nodes


@pytest.mark.parametrize("query", [profiles._PROFILES, directory._HELD, consent._FIND, consent._LOCK, audit._SECRETS])
async def test_the_number_of_those_that_are_looked_up_changes_no_plan(crowded, query: str):
    """So PostgreSQL keeps the plan, and plans no more."""
    lists = [
        dict.fromkeys(("subjects", "names", "handles", "ids"), ",".join([md5("h1")] * many)) for many in (1, WANTED)
    ]
    few, many = (
        crowded.execute(f"EXPLAIN (FORMAT JSON) {query}", {"tenant": "crowded"} | each).fetchone()[0] for each in lists
    )

    assert few[0]["Plan"]["Total Cost"] == many[0]["Plan"]["Total Cost"]


async def test_states_are_written_by_their_key(crowded):
    """Nothing but the index is read."""
    written = {"tenant": "crowded", "version": 1, "at": "now", "rows": "[]"}
    [[plan]] = crowded.execute(f"EXPLAIN (FORMAT JSON) {consent._WRITE}", written)

    assert {node.get("Relation Name") for node in _nodes(plan[0]["Plan"]) if "Scan" in node["Node Type"]} == {None}


def _conditions(nodes: Sequence[Any], table: str, by: set[str]) -> set[frozenset[str]]:
    """Return by which columns of `by` each scan of a table finds rows one at a time."""
    return {
        frozenset(name for name in by if f"({name} = " in node.get("Index Cond", "").replace("= ANY", ""))
        for node in nodes
        if node.get("Relation Name") == table and "Scan" in node["Node Type"]
    }


def _nodes(plan):
    yield plan
    for below in plan.get("Plans", ()):
        yield from _nodes(below)
