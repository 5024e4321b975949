"""What is done for a few values reads those few, also while PostgreSQL knows little about the tables."""

import re

import psycopg
import pytest

from service.vault import store
from tests.conftest import Database

POSITIONS = re.compile(r"%\((\w+)\)s")


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
async def test_each_is_looked_up_by_its_key(database: Database, query: str, table: str, by: set[str]):
    with psycopg.connect(database.urls.app) as connection:
        [[plan]] = connection.execute(f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {numbered(query)}").fetchall()
    nodes = list(_nodes(plan[0]["Plan"]))

    conditions = {
        frozenset(name for name in by if f"({name} = " in node.get("Index Cond", ""))
        for node in nodes
        if node.get("Relation Name") == table and "Scan" in node["Node Type"]
    }
    assert by in conditions, nodes
    assert not [node for node in nodes if "Hash" in node["Node Type"] or "Bitmap" in node["Node Type"]]


def _nodes(plan):
    yield plan
    for below in plan.get("Plans", ()):
        yield from _nodes(below)
