"""Everything that can be wrong with a request, with a canary in it: an answer may say what is wrong, never what came.

One thing of a request may be told back: the name of a member or parameter that the service doesn't know, if it looks
like one (`service/web/faults.py`). So what stands here in the place of a name is an address, which doesn't.
"""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import psycopg
import pytest

from service.vault.fields import FieldType, Name
from tests.journeys.canaries import DIALLED, NAMES, TYPES, canary, marked
from tests.journeys.vault_life import SERVICE, line, path
from tests.journeys.vault_site import NDJSON, Site, database_at

NOBODY = 901
"""Whose marks stand in what is refused."""
MARKED = marked(NOBODY)
MAIL = canary(NOBODY, "email").sent
NUMBER = f"{DIALLED}9999"
UNFIT: dict[FieldType, list[Any]] = {
    FieldType.EMAIL: [MARKED, f"{MARKED}@", f"{MARKED}@mail", f"{MARKED} <{MAIL}>", f"{MARKED}@mail..example"],
    FieldType.PHONE: [NUMBER, f"+49 {NUMBER} ext. 1", f"+999 {NUMBER}", f"+49 {NUMBER} {MARKED}"],
    FieldType.TEXT: [f"{MARKED}\x01", f"{MARKED}\x00", MARKED * 1000],
    FieldType.IDENTIFIER: [f"{MARKED}\x7f", MARKED * 20],
    FieldType.DATE: ["6179-13-45", "6179-02-30", f"6179-01-01T{MARKED}", f"6179-1-1 {MARKED}"],
    FieldType.ADDRESS: [
        {"lines": [MARKED], "locality": MARKED, "country": MARKED},
        {"lines": [MARKED], "country": "DE"},
        {"lines": MARKED, "locality": MARKED, "country": "DE"},
        {"lines": [MARKED], "locality": MARKED, "country": "DE", MAIL: MARKED},
        {"lines": [{MAIL: MARKED}], "locality": MARKED, "country": "DE"},
    ],
    FieldType.DOCUMENT: [
        {"media_type": MARKED, "content": "aaaa"},
        {"media_type": "text/plain", "content": f"{MARKED}?"},
        {"media_type": "text/plain", "content": MARKED * 200_000},
    ],
}
OF_NO_FIELD = ([MARKED], {MAIL: MARKED}, {"value": {"value": MARKED}}, [[MARKED]])
POSTS = [
    ("POST", f"/v1/vault/{where}")
    for where in ("lookup", "reveal", "reveal/batch", "tokens", "tokens/revoke", "approvals")
]


def refused_values() -> Iterator[bytes]:
    """Yield what a hash might be taken of."""
    for unfit in UNFIT.values():
        yield from (each.encode() if isinstance(each, str) else json.dumps(each).encode() for each in unfit)
    yield from (MARKED.encode(), MAIL.encode())


def err(site: Site) -> None:
    """Do everything wrong."""
    for name in NAMES:
        for value in (*UNFIT[TYPES[Name.of(name).field]], *OF_NO_FIELD):
            assert site.ask("PUT", path(NOBODY, name), {"value": value}).status_code in (400, 413)
            told = site.ask("POST", "/v1/vault/import", content=line(canary(NOBODY, name), value=value), kind=NDJSON)
            assert b'"outcome":"refused"' in told.content
            if isinstance(value, str):
                assert site.ask("POST", "/v1/vault/lookup", {"field": name, "value": value}).status_code >= 400
    for body in malformed():
        for method, where in (("PUT", path(NOBODY, "email")), *POSTS):
            assert site.ask(method, where, content=body).status_code >= 400
    for method, where, body in misplaced():
        assert site.ask(method, where, body).status_code >= 400, (method, where)
    stand_outside(site)
    break_the_schema(site)


def malformed() -> Iterator[bytes]:
    value = json.dumps({"value": MARKED}).encode()
    yield from (value[:-1], value[:-2], b"[" + value, value + value, b"\xff" + value, MARKED.encode())
    yield json.dumps(MARKED).encode()
    yield json.dumps([MARKED]).encode()
    yield json.dumps({"value": MARKED, MAIL: MARKED}).encode()
    yield json.dumps({"value": MARKED, "reenrol": MARKED}).encode()
    yield b'{"value": "\\ud800' + MARKED.encode() + b'"}'


def misplaced() -> Iterator[tuple[str, str, Any]]:
    put, mail = {"value": MAIL}, quote(MAIL, safe="")
    yield "PUT", f"/v1/vault/{mail}/email", put
    yield "PUT", f"/v1/vault/somebody/{mail}", put
    yield "PUT", f"/v1/vault/somebody/{marked(NOBODY).lower()}", put
    yield "PUT", f"/v1/vault/somebody/email%23{mail}", put
    yield "GET", f"/v1/vault/{mail}", None
    yield "GET", f"/v1/vault/nobody?versions={MARKED}", None
    yield "GET", f"/v1/vault/nobody?{mail}={MARKED}", None
    yield "DELETE", f"/v1/vault/somebody/{mail}", None
    yield "PUT", f"/v1/vault/fields/{MARKED}", {"type": "text", "sensitivity": "personal", "purposes": [MARKED]}
    yield "PUT", "/v1/vault/fields/hat", {"type": MARKED, "sensitivity": MARKED, "purposes": [], "masking": MARKED}
    yield "POST", f"/v1/vault/import?import={MARKED}", None
    yield "POST", "/v1/vault/lookup", {"field": "name", "value": MAIL}
    yield "POST", "/v1/vault/lookup", {"field": MARKED, "value": MAIL}
    yield "POST", "/v1/vault/lookup", {"field": "email", "value": MAIL, MAIL: MARKED}
    yield "POST", "/v1/vault/reveal", {"subject": MAIL, "fields": [MAIL], "purpose": MAIL, "channel": MAIL}
    yield "POST", "/v1/vault/reveal", {"subject": "s-000", "fields": ["email"], "purpose": "service", MAIL: 1}
    yield "POST", "/v1/vault/reveal", {"token": MAIL, "channel": "email"}
    yield "POST", "/v1/vault/tokens", {"subject": "s-000", "field": MAIL, "purpose": MAIL, "recipient": MAIL}
    yield "POST", "/v1/vault/tokens/revoke", {"token": f"vtk_{MARKED}"}
    yield "POST", "/v1/vault/approvals", {"purpose": MAIL, "fields": [MAIL], "subjects": MAIL, "reference": MAIL}
    yield "POST", f"/v1/vault/approvals/{MARKED}/approve", None
    yield "POST", "/v1/subjects/s-000/merge", {"with": MAIL, "same": MAIL}


def stand_outside(site: Site) -> None:
    """Come with a good value, and without the right to it."""
    put, wanted = {"value": MAIL}, {"field": "email", "value": MAIL}
    assert site.ask("PUT", path(NOBODY, "email"), put, tenant="nobody").status_code == 401
    assert site.ask("PUT", path(NOBODY, "email"), put, scope="vault:read").status_code == 403
    assert site.ask("POST", "/v1/vault/lookup", wanted, scope="decide").status_code == 403
    assert site.ask("GET", "/v1/vault/s-000", tenant="other").status_code == 404
    assert site.ask("DELETE", path(0, "email"), tenant="other").status_code == 404
    taken = {"field": "email", "value": canary(0, "email").sent}
    assert site.ask("POST", "/v1/vault/lookup", taken, tenant="other").json() == {"subjects": []}
    assert site.ask("PUT", path(NOBODY, "email"), put, kind=f"text/{MARKED}").status_code == 415
    assert site.ask("PUT", path(NOBODY, "email"), put, headers={"if-match": MARKED}).status_code == 412
    assert site.ask("PUT", path(NOBODY, "email"), put, headers={"authorization": f"Bearer {MAIL}"}).status_code == 401
    headers = {"x-request-id": MAIL, "user-agent": MAIL, "referer": MAIL, "traceparent": MAIL, "cookie": f"a={MAIL}"}
    assert site.ask("PUT", path(NOBODY, "shoe_size"), put, headers=headers).status_code == 404
    assert site.ask("PUT", path(NOBODY, "email"), {"value": MAIL * 500_000}).status_code == 413


def break_the_schema(site: Site) -> None:
    """Have the database refuse what carries values: a bug as the service sees it."""
    each = canary(1, "email", 2)
    with psycopg.connect(database_at(site.urls, "volens"), autocommit=True) as database:
        for table in ("vault_value", "vault_index"):
            for broken, mended, status in (
                ("ADD CONSTRAINT refuse CHECK (tenant IS NULL) NOT VALID", "DROP CONSTRAINT refuse", 500),
                ("RENAME TO away", f"RENAME TO {table}", 503),
            ):
                database.execute(f"ALTER TABLE {table} {broken}")
                try:
                    assert site.ask("PUT", path(1, "email"), {"value": each.sent}).status_code == status
                    with pytest.raises(httpx.RemoteProtocolError):  # the answer had begun, and ends without a summary
                        site.ask("POST", "/v1/vault/import", content=line(each), kind=NDJSON)
                    site.ask("POST", "/v1/vault/lookup", {"field": "email", "value": each.sent})
                    site.ask("POST", "/v1/vault/reveal", {"subject": "s-000", "fields": list(NAMES)} | SERVICE)
                finally:
                    database.execute(f"ALTER TABLE {'away' if mended.startswith('RENAME') else table} {mended}")
